"""The command line: each command explains itself, tells a fault in one sentence, and ends with a code that means it.

Run in this process where that is enough (`retort.cli.main`, with its exit code), in one of its own where it is not.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from fixtures_flows import arrive, context_at, people_say, student_of, teacher_says, texts
from fixtures_serving import teacher, verdict
from task_folders import write_task

from flows.context import find_task
from flows.train import freeze
from flows.trial import measure
from records import registry, taskbook
from records.types import Outcome, Split
from retort import cli, steps

ROOT = Path(__file__).parents[1]
COMMANDS = ["up", "down", "status", "demo"]
COMMANDS += ["measure", "advise", "label", "collect", "train", "release", "rollback", "retrain", "harvest", "ask"]
COMMANDS += ["dataset", "curve"]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Retort = Callable[..., Ran]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own and ports on which nothing listens; the environment is put back as it was."""
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    elsewhere = {"RETORT_STORE_URL": "", "RETORT_ARGILLA_URL": "", "RETORT_MODEL_URL": "", "COLUMNS": "200"}
    ports = {f"RETORT_{name}_PORT": str(free_port()) for name in ("PREFECT", "ARGILLA", "MODEL", "GATEWAY")}
    os.environ.update({"RETORT_HOME": str(tmp_path / "home"), **elsewhere, **ports})
    os.environ.pop("RETORT_ARGILLA_API_KEY", None)
    yield tmp_path / "home"
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def retort(home, monkeypatch, capsys) -> Retort:
    """Run a command in this process."""

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["retort", *words])
        capsys.readouterr()
        code = cli.main()
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


def only_json(ran: Ran) -> dict:
    """The one JSON object on stdout."""
    found = json.loads(ran.out)
    assert isinstance(found, dict) and ran.out.count("\n") == 1
    return found


def one_sentence(ran: Ran) -> str:
    """What was wrong: on stderr, in one line, without a traceback; nothing on stdout."""
    lines = [line for line in ran.err.splitlines() if line]
    assert ran.out == "" and len(lines) == 1 and lines[0].startswith("retort: "), ran
    return lines[0]


# --- help


def test_the_help_lists_all_commands_in_the_words_of_their_docstrings(retort):
    ran = retort("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z]\w+", ran.out, re.M), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_each_of_its_options(retort, command):
    ran = retort(command, "--help")
    assert ran.code == 0
    app = typer.Typer()
    steps.add_to(app)
    known = {**typer.main.get_command(cli.app).commands, **typer.main.get_command(app).commands}
    options = [p for p in known[command].params if p.name != "help"]
    assert "--json" in ran.out and options
    words = " ".join(ran.out.split())
    for option in options:
        assert option.help and all(name in ran.out for name in option.opts if name.startswith("-")), option.name
        assert " ".join(option.help.split()) in words, option.name


def test_no_command_at_all_shows_the_help_and_is_a_wrong_input(retort):
    ran = retort()
    assert ran.code == 2 and "Usage: " in ran.err and " rollback " in ran.err


# --- 2: wrong input


@pytest.mark.parametrize(
    "words",
    [
        ("label", "--task", "leagl_intake", "--dry-run"),
        ("collect", "--task", "leagl_intake"),
        ("train", "--task", "leagl_intake"),
        ("release", "--task", "leagl_intake"),
        ("rollback", "--task", "leagl_intake"),
        ("retrain", "--task", "leagl_intake"),
        ("harvest", "--task", "leagl_intake"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_task_is_one_sentence_and_exit_code_2(retort, words):
    ran = retort(*words)
    assert ran.code == 2
    assert "no task named 'leagl_intake' is known" in one_sentence(ran)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ask", "  "), "the document is empty"),
        (("train",), "no row to train on for task 'legal_intake'"),
        (("train", "--recipe", "gpu-900b"), "no recipe 'gpu-900b'"),
        (("train", "--sweep"), "legal_intake has no training.sweep in task.yaml"),
        (("dataset", "diff", "1"), "`retort dataset diff` takes two versions"),
        (("dataset", "card"), "legal_intake has no dataset version: there are none"),
        (("curve", "--shares", "25;100"), "--shares is '25;100': give whole numbers above 0"),
        (("release",), "legal_intake has no student yet: run `retort train"),
        (("label", "--dry-run", "--documents", "/nowhere.jsonl"), "/nowhere.jsonl"),
        (("label", "--task", "/nowhere/", "--dry-run"), "no task.yaml in there"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_wrong_input_is_one_sentence_and_exit_code_2(retort, words, said):
    ran = retort(*words)
    assert ran.code == 2
    assert said in one_sentence(ran)


@pytest.mark.parametrize(
    "words", [("label", "--limit", "-1"), ("train", "--speed", "9"), ("harvest", "--limit", "0"), ("teach",), ("ask",)]
)
def test_what_no_command_understands_is_exit_code_2_and_names_the_help(retort, words):
    ran = retort(*words)
    assert ran.code == 2 and "--help" in ran.err and ran.out == ""


def test_an_unknown_student_is_one_sentence_and_exit_code_2(retort, home, tmp_path):
    context = context_at(home)
    task = find_task(context, str(write_task(tmp_path / "mail")))
    people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.train, 3))})
    student_of(context, task, freeze(context, task))
    context.store.close()
    ran = retort("release", "--task", "mail", "--student", "zzz")
    assert ran.code == 2 and "begins with 'zzz'" in one_sentence(ran)


def test_versions_are_compared_a_card_is_shown_and_a_training_is_told_before_it_starts(retort, home, tmp_path):
    context = context_at(home)
    task = find_task(context, str(write_task(tmp_path / "mail")))
    documents = arrive(context, task, *texts(Split.train, 3))
    for count in (2, 3):
        people_say(context, task, {d.id: "lease" for d in documents[:count]})
        freeze(context, task)
    context.store.close()
    told = only_json(retort("dataset", "diff", "1", "2", "--task", "mail", "--json"))
    assert (told["added"], told["kept"], told["changed"]) == ({"train": {"lease": 1}}, 2, {})
    assert "# Mail, version 2" in retort("dataset", "card", "--task", "mail").out
    dry = retort("train", "--dry-run", "--task", "mail")
    assert dry.code == 0 and "dataset version 2, 3 train" in dry.out and "nothing was trained" in dry.out


def test_all_faults_of_a_task_are_told_at_once(retort, tmp_path):
    folder = write_task(tmp_path / "bad", title="", gates={}, gate={"margin": 7})
    ran = retort("label", "--task", str(folder), "--dry-run")
    assert ran.code == 2 and ran.out == "" and "Traceback" not in ran.err
    assert ran.err.count("\n  - ") == 3 and all(part in ran.err for part in ("title", "gates", "gate.margin"))


# --- 3: the machine lacks something; 4: a service failed; 5: the store refuses; 6: not approved


def test_a_setting_that_cannot_be_used_is_named_with_its_value_and_is_exit_code_3(retort):
    os.environ |= {"RETORT_GATEWAY_PORT": "abc", "RETORT_THREADS": "-2"}
    ran = retort("status")
    said = one_sentence(ran)
    assert ran.code == 3 and "RETORT_GATEWAY_PORT='abc'" in said and "RETORT_THREADS='-2'" in said


def test_without_a_key_for_the_desk_collecting_is_exit_code_3(retort):
    ran = retort("collect", "--task", "legal_intake")
    assert ran.code == 3 and "RETORT_ARGILLA_API_KEY" in one_sentence(ran)


def test_a_store_that_cannot_be_opened_is_exit_code_3(retort):
    os.environ["RETORT_STORE_URL"] = "sqlite:////proc/nowhere/retort.db"
    ran = retort("rollback")
    assert ran.code == 3 and "Check RETORT_STORE_URL" in one_sentence(ran)


def test_a_gateway_that_does_not_run_is_exit_code_4_and_says_how_to_start_it(retort):
    ran = retort("ask", "Who owns the roof?")
    assert ran.code == 4
    assert f"127.0.0.1:{os.environ['RETORT_GATEWAY_PORT']}" in (said := one_sentence(ran)) and "`retort up`" in said


def test_a_rollback_with_nothing_live_is_exit_code_5(retort):
    ran = retort("rollback", "--json")
    assert ran.code == 5
    assert "nothing to roll back: no student of legal_intake is live" in one_sentence(ran)


def test_a_student_that_is_not_approved_is_exit_code_6_and_its_verdict_is_not_asked_for_again(retort, home, tmp_path):
    with teacher(tmp_path) as url:  # from here on it answers nobody
        spec = {"api_base": url, "mode": "generate", "input_price": 0.0, "output_price": 0.0}
        folder = write_task(tmp_path / "mail", teacher=spec, student={"api_base": url})
        context = context_at(home, url)
        task = find_task(context, str(folder))
        for split in (Split.train, Split.test):
            people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(split, 3))})
        measure(context, task, student_of(context, task, freeze(context, task)))
        context.store.close()
    ran, told = retort("release", "--task", "mail"), retort("release", "--task", "mail", "--json")
    assert (ran.code, told.code) == (6, 6)
    assert "Not decided" in ran.out and "mail: what answers in production stays as it is." in ran.out
    found = only_json(told)
    assert (found["decision"], found["released"]) == ("inconclusive", None) and Path(found["report"]).is_file()


# --- results


def test_a_dry_run_shows_prompt_and_cost_and_json_is_one_object_alone(retort):
    documents = str(ROOT / "prompts/legal_intake/sample/documents.jsonl")
    ran = retort("label", "--dry-run", "--documents", documents, "--limit", "20", "--json")
    found = only_json(ran)
    assert (ran.code, found["documents"], found["cost_usd"]) == (0, 20, 0.0)
    assert [message["role"] for message in found["messages"]][:2] == ["system", "user"]
    assert found["prompt_tokens"] > 20 * 100


def test_status_shows_services_and_tasks_as_text_and_as_one_object(retort, home, tmp_path):
    context = context_at(home)
    task = find_task(context, str(write_task(tmp_path / "mail")))
    first, second, _ = arrive(context, task, *texts(Split.train, 2), *texts(Split.test, 1))
    teacher_says(context, task, first, "lease", 0.9)
    teacher_says(context, task, second, None, None, Outcome.failed)
    context.store.close()
    ran, told = retort("status"), only_json(retort("status", "--json"))
    assert ran.code == 0 and "documents    1 test, 2 train" in ran.out and "live         the teacher" in ran.out
    assert "teacher      1 answers" in ran.out  # a call that failed is no answer
    assert told["home"] == str(home) and [task["name"] for task in told["tasks"]] == ["mail"]
    assert {service["name"] for service in told["services"]} == {"prefect", "worker", "argilla", "models", "gateway"}
    assert {service["state"] for service in told["services"]} == {"stopped"}


def test_a_rollback_moves_the_pointer_at_once_and_says_where(retort, home, tmp_path):
    context = context_at(home)
    task = find_task(context, str(write_task(tmp_path / "mail")))
    registry.add_verdict(context.store, verdict("mail", "v", hash_="ab" * 32))
    registry.release(context.store, "mail", "ab" * 32, "v")
    ran = retort("rollback", "--task", str(task.folder), "--json")
    assert ran.code == 0 and registry.live(context.store, "mail") is None
    found = only_json(ran)
    assert (found["task"], found["before"], found["after"]) == ("mail", "mail@1", None)
    assert "-> the teacher, from the next request on." in found["text"]
    context.store.close()


def test_a_release_hands_on_that_it_is_to_be_measured_again_in_the_name_of_who_is_signed_in(retort, home, tmp_path):
    context = context_at(home)
    task = find_task(context, str(write_task(tmp_path / "mail", gate={"load": {"in_flight": [4]}})))
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
    student_of(context, task, freeze(context, task))
    context.store.close()
    ran = retort("release", "--task", "mail", "--remeasure", "A training ran beside it.")
    assert ran.code == 2 and "gate.load.in_flight of mail is [4], without 1" in one_sentence(ran)


def test_a_harvest_without_traffic_is_empty_and_done(retort):
    assert only_json(retort("harvest", "--json")) == {"tasks": []}
    assert retort("harvest").out == "No task was ever used.\n"


def test_stopping_what_does_not_run_is_done(retort):
    ran = retort("down", "--json")
    assert ran.code == 0 and only_json(ran)


def test_what_a_command_remembers_is_in_its_home_and_nowhere_else(retort, home):
    retort("train")
    context = context_at(home)
    assert taskbook.names(context.store) == ["legal_intake"]
    context.store.close()


# --- a process of its own


OFFLINE = """
import sys

def refuse(event, given):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"{event} {given}")

sys.addaudithook(refuse)
from retort.cli import main
sys.exit(main())
"""


def test_a_dry_run_on_the_sample_task_needs_no_network(home):
    documents = ["--documents", "prompts/legal_intake/sample/documents.jsonl", "--limit", "50"]
    line = [sys.executable, "-c", OFFLINE, "label", "--dry-run", *documents]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[system]\nSort messages to a legal department.")
    assert re.search(r"\n50 documents, about [\d,]+ tokens in, \d+ out\. Estimated cost: none", done.stdout)
    assert done.stdout.rstrip().endswith("Nothing was asked.")


def wait_until_it_listens_to_sigterm(run):
    status, ends = Path(f"/proc/{run.pid}/status"), time.monotonic() + 60
    if not status.is_file():
        time.sleep(10)
        return
    while not int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) >> (signal.SIGTERM - 1) & 1:
        assert run.poll() is None and time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_so_and_ends_with_130(home, number):
    # The command as it is installed: under `python -m`, CPython ends a process by SIGINT itself where an interrupt fell
    # into an `exec` of text (a named tuple that an import makes), although it was handled.
    line = [Path(sys.executable).with_name("retort"), "ask", "-"]
    with subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        wait_until_it_listens_to_sigterm(waiting)
        waiting.send_signal(number)
        said = waiting.stderr.read()
    assert waiting.returncode == 130
    assert said.endswith("retort: interrupted. What was done is kept; the same command goes on from there.\n")
