"""The circle on the real parts: Prefect's server and worker, Argilla, llama.cpp, Axolotl, the LiteLLM gateway.

The tests share one stack (fixtures_circle) and are told in the order of the circle: later ones stand on earlier ones.
"""

import time
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from fixtures_circle import Circle
from prefect.flows import load_flow_from_entrypoint

from flows import runs
from flows.context import find_task, workplace
from flows.desk import form_of
from flows.settings import PROJECT
from records import corrections, cutoff, desk_log, ledger, library, registry, traffic
from records.progress import silent
from records.types import Outcome, Role, Split, now
from retort.credentials import load_or_create
from retort.gateway_client import ask
from retort.launch import held
from review import scripted

pytestmark = pytest.mark.real

DEPLOYMENTS = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]


def api(circle: Circle, method: str, path: str, body: Any = None) -> Any:
    """One request to Prefect's API."""
    reply = requests.request(method, circle.settings.prefect_api + path, json=body, timeout=30)
    reply.raise_for_status()
    return reply.json() if reply.content else None


def deployment(circle: Circle, entry: dict[str, Any]) -> Any:
    """A deployment as Prefect's server has it."""
    flow = entry["entrypoint"].rsplit(".", 1)[1]
    return api(circle, "GET", f"/deployments/name/{flow}/{entry['name']}")


def review(circle: Circle, error_rate: float = 0.0) -> scripted.Reviewed:
    """Let the first reviewer answer all that waits."""
    people = load_or_create(circle.settings.home)
    with workplace(silent, circle.settings) as context:
        form = form_of(find_task(context, str(circle.task)))
    return scripted.review(circle.settings.desk, people.reviewers[0], "tiny", form, circle.gold, error_rate)


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=lambda entry: entry["name"])
def test_every_deployment_loads_registers_and_describes_its_form(circle: Circle, entry: dict[str, Any]):
    flow = load_flow_from_entrypoint(entry["entrypoint"], use_placeholder_flow=False)
    registered = deployment(circle, entry)
    assert registered["entrypoint"] == entry["entrypoint"]
    assert registered["work_pool_name"] == "retort"
    fields = registered["parameter_openapi_schema"]["properties"]
    assert set(fields) == set(flow.parameters.properties)
    assert all(field["description"] for field in fields.values())


def test_forms_hold_bounds(circle: Circle):
    fields = deployment(circle, DEPLOYMENTS[0])["parameter_openapi_schema"]["properties"]
    assert (fields["limit"]["minimum"], fields["budget_usd"]["minimum"], fields["task"]["minLength"]) == (0, 0, 1)


def test_a_cron_that_is_switched_on_gets_scheduled_runs_and_was_off_before(circle: Circle):
    retrain = deployment(circle, next(e for e in DEPLOYMENTS if e["name"] == "retrain"))
    schedule = retrain["schedules"][0]
    assert not schedule["active"]
    assert schedule["schedule"]["cron"] == "0 5 * * 1"
    path = f"/deployments/{retrain['id']}/schedules/{schedule['id']}"
    api(circle, "PATCH", path, {"active": True})
    scheduled = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    wanted = {"deployments": {"id": {"any_": [retrain["id"]]}}, "flow_runs": scheduled}
    until = time.monotonic() + 90
    while not (found := api(circle, "POST", "/flow_runs/filter", wanted)) and time.monotonic() < until:
        time.sleep(1)
    api(circle, "PATCH", path, {"active": False})
    assert found
    assert all(one["parameters"] == {"train": "always"} for one in found)


def test_label_run_by_prefect_stores_answers_and_fills_the_desk(circle: Circle):
    run = runs.start("label/label", task=str(circle.task), documents=str(circle.documents))
    told: list[str] = []
    runs.follow(run, lambda stage, done, total, note: told.append(f"{stage} {done}/{total}"))
    with workplace(silent, circle.settings) as context:
        answers = ledger.newest(context.store, "tiny", Role.teacher)
        sent = desk_log.sent(context.store, "tiny")
        test = {d.id for d in library.documents(context.store, "tiny", Split.test)}
    assert set(answers) == set(circle.gold)
    assert {a.outcome for a in answers.values()} == {Outcome.answered}
    assert set(sent) == set(circle.gold)
    assert {i for i, record in sent.items() if record.blind} == test
    assert "labelling 60/60" in told
    reports = api(circle, "POST", "/artifacts/filter", {"artifacts": {"key": {"any_": ["label-tiny"]}}})
    assert "60 new" in reports[0]["data"]


def test_the_teacher_answers_before_the_first_release(circle: Circle):
    said = ask(circle.settings, "tiny", "The landlord wants the tower back.")
    assert said.release == "tiny@teacher openai/smollm2-135m-instruct"
    assert said.answer in ("lease", "debt")


def test_answers_collected_start_training_and_training_starts_the_release(circle: Circle):
    assert review(circle).answered == 60
    then = now()
    runs.follow(runs.start("collect/collect", task="tiny"))
    runs.follow(runs.next_run("train/train", since=then))
    runs.follow(runs.next_run("release/release", since=then))
    with workplace(silent, circle.settings) as context:
        gold = corrections.settled(context.store, "tiny").gold
        student = registry.task_students(context.store, "tiny")[-1]
        verdict = registry.task_verdicts(context.store, "tiny")[-1]
        live = registry.live(context.store, "tiny")
        version = registry.dataset(context.store, "tiny", student.dataset_version)
        test = library.counts(context.store, "tiny")["test"]
    assert gold == circle.gold
    assert version is not None
    assert sum(version.rows.values()) == 60 - test
    assert verdict.student_hash == student.hash
    assert verdict.decision == "approved", verdict.reasons
    assert live is not None
    assert live.student_hash == student.hash
    page = Path(verdict.report_path or "").read_text()
    assert page.count("data:image/svg+xml;base64,") == 4
    assert "<script" not in page


def test_the_gateway_names_the_release_and_records_the_request(circle: Circle):
    said = ask(circle.settings, "tiny", "The landlord wants the tower back.")
    assert said.release.startswith("tiny@1 student-")
    assert said.answer == "lease"
    until = time.monotonic() + 20
    with workplace(silent, circle.settings) as context:
        while said.request not in {r.id for r in traffic.requests(context.store, "tiny")} and time.monotonic() < until:
            time.sleep(0.2)
        recorded = {r.id: r for r in traffic.requests(context.store, "tiny")}
    assert recorded[said.request].release == 1


def test_a_second_poll_finds_nothing_due_and_a_second_release_is_the_same_verdict(circle: Circle):
    polled = circle.retort("collect", "--task", "tiny")
    assert "next: nothing" in polled.stdout, polled.stderr
    again = circle.retort("release", "--task", "tiny")
    assert again.returncode == 0, again.stderr
    with workplace(silent, circle.settings) as context:
        assert len(registry.task_verdicts(context.store, "tiny")) == 1
        assert len(registry.releases(context.store, "tiny")) == 1


def test_rollback_counts_from_the_next_request_on(circle: Circle):
    assert circle.retort("rollback", "--task", "tiny").returncode == 0
    assert ask(circle.settings, "tiny", "Third reminder about the tower.").release.startswith("tiny@teacher")
    nothing = circle.retort("rollback", "--task", "tiny")
    assert (nothing.returncode, "the teacher answers already" in nothing.stderr) == (5, True)


def test_production_traffic_comes_back_as_documents(circle: Circle):
    with workplace(silent, circle.settings) as context:
        before = sum(library.counts(context.store, "tiny").values())
    runs.follow(runs.start("harvest/harvest", task="tiny"))
    with workplace(silent, circle.settings) as context:
        assert sum(library.counts(context.store, "tiny").values()) == before + 2  # of three requests, two texts


def test_the_whole_circle_ran_cut_off_and_nothing_tried_to_reach_another_host(circle: Circle):
    """Last but one: by now every service, flow and training of the circle has run under the guard."""
    for name, pid in held(circle.settings.home).items():
        environ = dict(one.split("=", 1) for one in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in one)
        assert (environ[cutoff.HOSTS], environ["PYTHONPATH"].split(":")[0]) == ("127.0.0.1", str(cutoff.GUARD)), name
    assert held(circle.settings.home).keys() == {"prefect", "worker", "argilla", "models", "gateway"}
    noted = circle.settings.home / "logs" / "refused.jsonl"
    assert (noted.read_text().splitlines() if noted.is_file() else []) == []


def test_a_run_that_failed_says_why_and_can_be_started_again(circle: Circle):
    with pytest.raises(Exception, match="no task named 'nothing'"):
        runs.follow(runs.start("label/label", task="nothing"))
    runs.follow(runs.start("label/label", task="tiny"))
    with workplace(silent, circle.settings) as context:
        documents = library.documents(context.store, "tiny")
        assert set(ledger.newest(context.store, "tiny", Role.teacher)) == {d.id for d in documents}
