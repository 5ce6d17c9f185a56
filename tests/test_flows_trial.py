"""A trial asks everybody who should be asked, measures the endpoint that would serve, and a person may overrule it."""

import asyncio
import sys
from pathlib import Path

import pytest
from fixtures_flows import ANSWERS, HASH, NOWHERE, arrive, people_say, student_of, texts
from task_folders import CHOICE, FIELDS, make_task

from evaluation import frozen, report
from evaluation.interval import wilson
from evaluation.sections import CurvePoint, Section, learning_curve
from flows.contestants import rival_of
from flows.load import cost_of, is_own, measure_load
from flows.release import release_student
from flows.train import freeze
from flows.trial import prices_of, rule_of
from prompts.endpoint import student_endpoint
from prompts.standin import Standin
from records import ledger, library, loads, overrides, registry, taskbook, traffic
from records.errors import InputError, NotApproved, ServiceError, StoreError
from records.loads import LoadMeasurement
from records.overrides import Override
from records.types import Decision, Outcome, Request, Role, Split, now
from retort.overview import _task, override_behind
from serving.release import roll_back

pytestmark = pytest.mark.usefixtures("litellm_closed")
OTHER = "cd" * 32
GATE = {"margin": 0.99, "label_margin": 0.99, "min_test_documents": 1, "max_unreadable_rate": 0.5}
LOAD = {"in_flight": [1, 3], "answers": 9, "seconds": 30.0}


def task_at(folder, asked, serving, definition=CHOICE, **sections):
    taught = {"api_base": asked.url, "mode": "generate", "input_price": 1.0, "output_price": 2.0, "retries": 0}
    gate = {**GATE, "load": {"in_flight": []}, **sections.pop("gate", {})}
    spec = {"teacher": taught, "student": {"api_base": serving.url, **sections.pop("student", {})}, "gate": gate}
    return make_task(folder, definition, **spec, **sections)


def prepared(context, task, gold="lease", hashes=(HASH,)):
    """Reviewed documents of both splits, and students of them."""
    taskbook.remember(context.store, task.name, task.fingerprint, task.folder, task.definition)
    people_say(context, task, {d.id: gold for d in arrive(context, task, *texts(Split.test, 6))})
    people_say(context, task, {d.id: gold for d in arrive(context, task, *texts(Split.train, 4))})
    version = freeze(context, task)
    return [student_of(context, task, version, hash_) for hash_ in hashes]


def released(context, task, *more):
    return asyncio.to_thread(release_student, context, str(task.folder), *more)


def report_of(context, judged):
    return next(v.report for v in registry.task_verdicts(context.store, judged.task) if v.id == judged.verdict)


def by_role(said):
    return {m["role"]: m["name"] for m in [said["student"], said["teacher"], *said["others"]]}


async def test_everybody_is_in_the_report_or_named_with_the_reason(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        prepared(context, task)
        said = report_of(context, await released(context, task))
        shown = [b for b in student.bodies if len(b["messages"]) > 2 and b["messages"][-1]["content"] != "N/A"]
    roles = by_role(said)
    assert roles.keys() == {"student", "teacher", "base", "shown", "baseline"}
    assert roles["shown"] == "smollm2-135m-instruct (untuned, with examples)"
    assert len(shown) == 6 and all(b["messages"] == shown[0]["messages"][:-1] + b["messages"][-1:] for b in shown)
    assert [one["name"] for one in said["absent"]] == [frozen.NAME]
    assert "gate.embeddings" in said["absent"][0]["why"]
    assert said["load"] == [] and said["student_cost"] is None


async def test_what_a_majority_settled_is_judged_and_counted_in_the_report(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        review = {"reviewers_per_document": 3, "majority": True}
        task = task_at(tmp_path / "mail", teacher, student, review=review)
        prepared(context, task)
        most, torn, early, *_ = library.documents(context.store, task.name, Split.test)
        people_say(context, task, {most.id: "lease", torn.id: "debt", early.id: "debt"}, "ben")
        people_say(context, task, {most.id: "debt", torn.id: "privacy"}, "cid")
        judged = await released(context, task)
    said = report_of(context, judged)
    assert (said["documents"], said["by_majority"]) == (4, 1)
    assert [one["document_id"] for one in said["disputed"]] == [torn.id]
    assert "1 test document with an answer that most people gave" in Path(judged.report).read_text()


async def test_the_live_student_is_asked_with_the_task_that_it_was_trained_on(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        [old] = prepared(context, task)
        old = old.model_copy(update={"training": {**old.training, "task": task.fingerprint}, "hash": OTHER})
        registry.add_student(context.store, old)
        first = await released(context, task, OTHER)
        assert first.released == "mail@1"
        changed = task_at(tmp_path / "mail", teacher, student, instructions="Sort it with care.")
        student_of(context, changed, freeze(context, changed), "ef" * 32)
        student.bodies.clear()
        second = await released(context, changed)
        assert second.released == "mail@2"
        assert (await released(context, changed)).verdict == second.verdict  # it is live now, and the trial is the same
    said = report_of(context, second)
    assert by_role(said)["live"] == f"{old.model_name} (live)"
    assert said["against"][f"{old.model_name} (live)"]["documents"] == 6
    assert [axis["name"] for axis in said["ruling"]["axes"]][:2] == ["accuracy", "live"]
    to_live = [b for b in student.bodies if b["model"].endswith(old.model_name)]
    assert to_live == []  # its answers are in the ledger, by the prompt it was trained on: not asked again
    known = ledger.labels(context.store, "mail", Role.student, f"openai/{old.model_name}")
    assert len(known) == 6 and said["absent"][-1]["name"] == frozen.NAME


async def test_the_endpoint_is_measured_warm_and_what_it_answers_is_kept_nowhere(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS, latency_s=0.02) as student:
        task = task_at(tmp_path / "mail", teacher, student, gate={"load": LOAD}, student={"price_per_hour": 0.72})
        prepared(context, task)
        judged = await released(context, task)
        asked = student.requests
        again = await released(context, task)
        assert (again.verdict, student.requests) == (judged.verdict, asked)
    said = report_of(context, judged)
    one, three = said["load"]
    assert (one["in_flight"], three["in_flight"]) == (1, 3)
    assert one["answers"] == 9 and 9 <= three["answers"] <= 11 and one["failed"] == 0
    assert one["latency_p50_s"]["value"] >= 0.02
    assert said["student"]["latency_p95_s"] == one["latency_p95_s"]
    assert said["student_cost"]["throughput_per_s"] == max(x["throughput_per_s"]["value"] for x in said["load"])
    assert said["student"]["cost_per_1000_usd"] == said["student_cost"]["per_1000_usd"]
    assert len(ledger.labels(context.store, "mail", Role.student)) == 6
    page = Path(judged.report).read_text()
    assert "3 requests in flight" in page and "answers a second" in page and "$0.72 an hour" in page


async def test_a_student_is_measured_once_in_the_same_way(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student, gate={"load": LOAD})
        prepared(context, task)
        first = report_of(context, await released(context, task))
        people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.test, 7)[6:])})
        second = report_of(context, await released(context, task))
        task_at(tmp_path / "mail", teacher, student, gate={"load": {**LOAD, "answers": 8}})
        people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.test, 8)[7:])})
        third = report_of(context, await released(context, task))
    assert first["test_set_hash"] != second["test_set_hash"] and first["load"] == second["load"]
    assert third["load"] != first["load"] and third["load"][0]["answers"] == 8


async def test_an_endpoint_that_bills_by_the_token_is_not_put_under_load(tmp_path, context):
    async with Standin(ANSWERS) as server:
        task = task_at(tmp_path / "mail", server, server, gate={"load": LOAD})
        own = student_endpoint(task, "s", NOWHERE)
        hosted = own.__class__(**{**own.__dict__, "input_price": 1.0})
        assert is_own(own) and not is_own(hosted)
        arrive(context, task, *texts(Split.test, 2))
        assert await asyncio.to_thread(measure_load, context, task, hosted) == []
        assert server.requests == 0


def test_the_volume_comes_from_the_task_else_from_a_week_of_traffic(tmp_path, context):
    task = make_task(tmp_path / "mail", student={"price_per_hour": 1.0}, traffic={"sample_rate": 0.5})
    from datetime import timedelta

    from evaluation.load import load_of

    loads = [load_of(1, [0.1] * 20, 0, 2.0, 0.95)]
    assert cost_of(context, task, loads).monthly_requests is None
    said = {"task": "mail", "text": "t", "value": "lease", "outcome": Outcome.answered, "model": "m", "release": 1}
    began = now() - timedelta(days=10)
    rows = [Request(id=str(n), created_at=began + timedelta(days=n / 20), **said) for n in range(201)]
    traffic.record(context.store, rows)
    found = cost_of(context, task, loads)
    assert found.volume == "traffic" and found.monthly_requests == pytest.approx(201 / 0.5 / 10 * 30.44)
    given = make_task(tmp_path / "mail", student={"price_per_hour": 1.0}, gate={"monthly_requests": 5_000})
    assert (cost_of(context, given, loads).monthly_requests, cost_of(context, given, loads).volume) == (5_000, "given")


async def test_a_verdict_names_its_prices_and_other_prices_are_another_verdict(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        prepared(context, task)
        first = await released(context, task, "", False)
        task_at(tmp_path / "mail", teacher, student, student={"price_per_hour": 3.0})
        second = await released(context, task, "", False)
    one, other = registry.task_verdicts(context.store, "mail")
    assert first.verdict != second.verdict and len(one.prices_hash) == 64 != one.prices_hash != other.prices_hash
    assert one.report["prices"]["teacher, per million tokens out"] == 2.0
    assert one.prices_hash in Path(first.report).read_text()


def test_prices_that_a_task_leaves_out_are_those_of_the_table(tmp_path):
    hosted = make_task(tmp_path / "a", teacher={"model": "gpt-4o-mini", "api_base": None, "input_price": 7.0})
    assert prices_of(hosted)["teacher, per million tokens in"] == 7.0
    assert prices_of(hosted)["teacher, per million tokens out"] > 0
    assert prices_of(make_task(tmp_path / "b"))["teacher, per million tokens in"] is None


def test_the_rule_says_how_fields_are_compared(tmp_path):
    gate = {"fields": {"amount": {"how": "number", "relative": 0.05}}}
    rule = rule_of(make_task(tmp_path / "a", FIELDS, gate=gate))
    assert (rule.fields["amount"].relative, rule.fields["party"].how) == (0.05, "normalised")
    assert rule_of(make_task(tmp_path / "b", FIELDS)) != rule


# --- measured again


BUSY = "A training <b>ran</b> beside it."


async def slow_then_quiet(context, tmp_path):
    """A student that is rejected for its latency on a busy machine, and the stand-ins, quiet now."""
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS, latency_s=0.25) as student:
        gate = {"load": LOAD, "p95_latency_ms": 150}
        task = task_at(tmp_path / "mail", teacher, student, gate=gate)
        prepared(context, task)
        judged = await released(context, task)
        assert (judged.decision, judged.released) == (Decision.rejected, None)
        student.latency_s = 0.0
        yield task, judged, teacher, student


async def test_an_endpoint_is_measured_again_for_a_reason_and_both_measurements_are_kept_and_told(tmp_path, context):
    async for task, slow, teacher, student in slow_then_quiet(context, tmp_path):
        assert (await released(context, task)).verdict == slow.verdict  # without a reason it is not looked at again
        [first], asked, answered = loads.measured(context.store, HASH), student.requests, teacher.requests
        quiet = await released(context, task, "", True, "", "Ana", BUSY)
        known = ledger.labels(context.store, "mail", Role.student)
        assert teacher.requests == answered and len(known) == 6 and student.requests > asked + 18
        asked = student.requests
        again = await released(context, task)
        assert (again.verdict, again.released, student.requests) == (quiet.verdict, "mail@1", asked)
    kept = loads.measured(context.store, HASH)
    assert kept[0] == first and [(one.reason, one.by) for one in kept] == [("", ""), (BUSY, "Ana")]
    before, said = (report_of(context, judged) for judged in (slow, quiet))
    assert (quiet.decision, quiet.released) == (Decision.approved, "mail@1") and quiet.verdict != slow.verdict
    assert before["load"] == kept[0].load and said["load"] == kept[1].load
    assert said["student"]["latency_p95_s"] == kept[1].load[0]["latency_p95_s"]
    assert [run["id"] for run in before["load_runs"]] == [first.id]
    assert [run["id"] for run in said["load_runs"]] == [one.id for one in kept]
    p95 = [f"{1000 * one.load[0]['latency_p95_s']['value']:,.0f} ms" for one in kept]
    [line] = said["warnings"]
    assert line.startswith(
        f"Latency measured 2 times: p95 {p95[0]} on {kept[0].created_at:%-d %B %Y, %H:%M} UTC; {p95[1]}"
    )
    assert line.endswith(f"repeated by Ana because: {BUSY[:-1]}. The verdict rests on the last ({kept[1].id}).")
    page = Path(quiet.report).read_text()
    assert "Latency measured 2 times" in page and "&lt;b&gt;ran" in page and "Latency measured 2 times" in quiet.text
    assert "Latency measured" not in Path(slow.report).read_text()


async def test_a_measurement_that_was_made_again_counts_for_every_later_verdict(tmp_path, context):
    async for task, _, _, student in slow_then_quiet(context, tmp_path):
        quiet = await released(context, task, "", False, "", "Ana", BUSY)
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.test, 7)[6:])})
        asked = student.requests
        later = await released(context, task, "", False)
        assert later.verdict != quiet.verdict and student.requests == asked + 3  # the new document: student and bases
    first, second = report_of(context, quiet), report_of(context, later)
    assert first["load"] == second["load"] and second["load_runs"] == first["load_runs"]


async def test_where_no_call_is_answered_the_measurement_before_goes_on_counting(tmp_path, context):
    async for task, slow, _, student in slow_then_quiet(context, tmp_path):
        student.faults = {"400": 1.0}
        with pytest.raises(ServiceError, match="answered no call"):
            await released(context, task, "", True, "", "Ana", BUSY)
        assert len(loads.measured(context.store, HASH)) == 1
        assert (await released(context, task)).verdict == slow.verdict


@pytest.mark.parametrize(
    ("sections", "more", "said"),
    [
        ({"gate": {"load": LOAD}}, ("", True, "", "", BUSY), "--by"),
        ({"gate": {"load": LOAD}}, ("", True, "", "Ana", "  "), "--remeasure"),
        ({"gate": {"load": {**LOAD, "in_flight": [4]}}}, ("", True, "", "Ana", BUSY), "Add 1"),
    ],
)
async def test_what_is_not_measured_again_is_refused_with_the_cure(tmp_path, context, sections, more, said):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student, **sections)
        prepared(context, task)
        with pytest.raises(InputError, match=said):
            await released(context, task, *more)
        assert student.requests == 0 and loads.measured(context.store, HASH) == []


def test_the_store_keeps_no_second_measurement_without_a_reason_and_overwrites_none(context):
    about = {"task": "mail", "student_hash": HASH, "measured_as": "alone"}
    first = LoadMeasurement(id=loads.first_id(HASH, "alone"), load=[{"in_flight": 1}], **about)
    loads.keep(context.store, first)
    loads.keep(context.store, first.model_copy(update={"load": []}))  # two processes that made it at once
    for more in ({}, {"reason": " ", "by": "Ana"}, {"reason": BUSY}):
        with pytest.raises(StoreError, match="reason"):
            loads.keep(context.store, LoadMeasurement(id="load-2", load=[], **about, **more))
    assert loads.measured(context.store, HASH) == [first]


# --- the live one


async def test_after_a_rollback_a_student_is_compared_with_the_one_rolled_back_to(tmp_path, context):
    hashes = [letters * 32 for letters in ("ab", "cd", "ef")]
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        first, second, third = prepared(context, task, hashes=hashes)

        def rivals():
            found = (rival_of(context, task, one) for one in (first, second, third))
            return [one and one.hash[:2] for one in found]

        await released(context, task, first.hash)
        await released(context, task, second.hash)
        assert rivals() == ["cd", "ab", "cd"]
        assert roll_back(context.store, "mail").after.student_hash == first.hash
        assert rivals() == [None, "ab", "ab"]
        judged = await released(context, task, third.hash)
        assert by_role(report_of(context, judged))["live"] == f"{first.model_name} (live)"
        assert (judged.released, rivals()) == ("mail@3", ["ef", "ef", "ab"])  # the second was taken back
        assert (
            await released(context, task, third.hash)
        ).verdict == judged.verdict  # the same trial, now that it lives
        assert roll_back(context.store, "mail").after.name == "mail@1"
        assert roll_back(context.store, "mail").after is None
        assert rivals() == [None, None, None]


# --- a person overrules


async def rejected(context, tmp_path):
    """A task whose student is rejected: nothing that it says can be read."""
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS, faults={"garbage": 1.0}) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        prepared(context, task)
        judged = await released(context, task)
    assert (judged.decision, judged.released) == (Decision.rejected, None)
    return task, judged


async def test_4_a_person_releases_against_the_verdict_and_name_and_reason_are_kept_and_shown(tmp_path, context):
    task, judged = await rejected(context, tmp_path)
    done = await released(context, task, "", True, "We watch it <b>for a week</b>.", "Ana")
    assert (done.verdict, done.decision, done.released) == (judged.verdict, Decision.rejected, "mail@1")
    [kept] = overrides.overrides(context.store, "mail")
    assert (kept.by, kept.verdict_id, kept.student_hash) == ("Ana", judged.verdict, HASH)
    live = registry.live(context.store, "mail")
    assert live.verdict_id == judged.verdict and overrides.override_of(context.store, live) == kept
    page = Path(done.report).read_text()
    assert "Released by Ana" in page and "&lt;b&gt;for a week" in page and "Rejected" in page
    assert kept.sentence in done.text and _task(context.store, "mail").override == kept.sentence
    assert override_behind(context.settings, "mail", "mail@1 student-abababababab").strip() == kept.sentence
    assert override_behind(context.settings, "mail", "mail@teacher openai/tiny") == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("", True, "a reason", " "), "--by"),
        (("", True, "  ", "Ana"), "--override"),
        (("", False, "a reason", "Ana"), "only measuring"),
    ],
)
async def test_an_override_without_a_name_or_a_reason_is_refused(tmp_path, context, more, said):
    task, _ = await rejected(context, tmp_path)
    with pytest.raises(InputError, match=said):
        await released(context, task, *more)
    assert overrides.overrides(context.store, "mail") == [] and registry.live(context.store, "mail") is None


async def test_an_approved_verdict_needs_no_override(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student)
        prepared(context, task)
        with pytest.raises(InputError, match="release without an override"):
            await released(context, task, "", True, "a reason", "Ana")
    assert overrides.overrides(context.store, "mail") == []


async def test_4_an_override_of_another_verdict_or_student_releases_nothing_and_is_not_kept(tmp_path, context):
    task, judged = await rejected(context, tmp_path)
    student_of(context, task, registry.dataset(context.store, "mail", 1), OTHER)
    said = {"id": "o", "task": "mail", "verdict_id": judged.verdict, "student_hash": HASH, "by": "A", "reason": "r"}
    for change in ({"student_hash": OTHER}, {"verdict_id": "other"}, {"task": "letters"}, {"reason": " "}):
        with pytest.raises(NotApproved):
            registry.release(context.store, "mail", HASH, judged.verdict, Override(**{**said, **change}))
    with pytest.raises(NotApproved):
        registry.release(context.store, "mail", OTHER, judged.verdict, Override(**said))
    assert overrides.overrides(context.store, "mail") == [] and registry.releases(context.store, "mail") == []


# --- the frozen embeddings


STAND_IN = '''
import pathlib

import numpy as np


class StaticModel:
    """A stand-in for model2vec: letters counted, as vectors."""

    @classmethod
    def from_pretrained(cls, folder):
        if not (pathlib.Path(folder) / "config.json").is_file():
            raise ValueError("no config.json")
        return cls()

    def encode(self, texts):
        return np.array([[text.count(chr(97 + n)) for n in range(26)] for text in texts], dtype=float)
'''


@pytest.fixture
def model2vec(tmp_path, monkeypatch):
    (tmp_path / "site" / "model2vec").mkdir(parents=True)
    (tmp_path / "site" / "model2vec" / "__init__.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    sys.modules.pop("model2vec", None)


def test_a_frozen_embedding_model_is_one_more_baseline(tmp_path, model2vec):
    (tmp_path / "model").mkdir()
    with pytest.raises(InputError, match=r"ValueError: no config\.json"):
        frozen.encoder(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{}")
    answers = ["x", "y"] * 4
    found = frozen.predict(["aaa", "bbb"] * 4, answers, {"1": "aaaa", "2": "bb"}, tmp_path / "model")
    assert found == {"1": "x", "2": "y"}
    assert frozen.predict(["aaa"], ["x"], {"1": "b"}, tmp_path / "model") == {"1": "x"}
    assert frozen.predict(["aaa", "bbb", "ccc"], ["x", "y", "z"], {"1": "c"}, tmp_path / "model") == {"1": "z"}
    with pytest.raises(InputError, match="no folder"):
        frozen.encoder(tmp_path / "none")


async def test_without_the_package_the_report_says_so(tmp_path, context):
    if any(frozen.find_spec(name) for name in frozen.PACKAGES):
        pytest.skip("a package for frozen embeddings is installed here")
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student, gate={"embeddings": "model"})
        prepared(context, task)
        judged = await released(context, task)
    assert "not installed: model2vec or sentence_transformers" in Path(judged.report).read_text()


# --- the report


async def test_a_report_can_be_made_again_from_what_the_store_keeps_and_takes_sections_of_others(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher, student, gate={"load": LOAD})
        prepared(context, task)
        judged = await released(context, task)
    judgement, lineage, sections = report.from_dict(report_of(context, judged))
    assert [s.title for s in sections[:2]] == ["Labels that nobody checked", "The people who answered"]
    assert lineage.reviewers == {"ann": 6} and lineage.dataset_rows["train"] == 4
    points = [CurvePoint(rows=n, accuracy=wilson(n // 2, n)) for n in (50, 100)]
    curve = learning_curve([*points, CurvePoint(rows=200, accuracy=wilson(120, 200), fitted=True)], ["So much more."])
    table = Section(title="Agreement <i>", head=["Label", "alpha"], rows=[["lease", "0.84 <b>"]])
    page = report.html(judgement, lineage, {}, [curve, table])
    assert "So much more." in page and "0.84 &lt;b&gt;" in page and "<i>" not in page
    assert curve.picture in page
    with pytest.raises(ValueError, match="picture"):
        Section(title="x", picture="https://example.org/x.svg")
