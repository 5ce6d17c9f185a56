"""`retort measure` and `retort advise` from a shell: results on stdout, faults in a sentence, questions."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from advice.form import Answers
from records.errors import InputError
from retort import cli
from retort.advising import answers_of
from retort.questions import ask_all

ROW = '{"task": "mail", "created": 1788264000, "cost": 0.004, "messages": [{"role": "user", "content": "Hi"}]}'


@pytest.fixture
def retort(tmp_path, monkeypatch, capsys):
    """Run a command in this process, in a home of its own; its exit code and what it said."""
    monkeypatch.setenv("RETORT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["retort", *words])
        capsys.readouterr()
        code = cli.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def written(folder: Path, text: str, name: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_log_is_measured_and_its_task_advised_on_from_the_shell(retort, tmp_path: Path):
    code, out, _ = retort("measure", written(tmp_path, f"{ROW}\nbroken", "log.jsonl"))
    assert code == 0 and "**mail**: 1 requests" in out and "1 of 2 lines could not be read" in out
    form = written(tmp_path, "numbers: {monthly_requests: 500}\nmoney: {teacher_cost: [0.01, 0.02]}", "said.yaml")
    code, out, _ = retort("advise", "--task", "mail", "--answers", form, "--json")
    [told] = json.loads(out)["tasks"]
    assert code == 0 and told["advice"]["recommendation"] == "keep prompting and collect"
    assert Path(told["page"]).is_file()
    code, out, _ = retort("advise", "--all")
    assert code == 0 and "Keep prompting" in out, "what was said is remembered"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("numbers: {monthly_requests: lots}", "'lots' is no amount: write 30000"),
        ("numbers: {teacher_accuracy: 88}", "teacher_accuracy: 88 lies outside 0 to 1"),
        ("money: {teacher_cots: 1}", "money.teacher_cots: Extra inputs are not permitted"),
        ("facts: {pilot_months: -3}", "facts.pilot_months: Input should be greater than 0"),
        ("- 1", "wanted a mapping"),
        ("a: &x [*x]", "aliases"),
    ],
)
def test_a_form_with_a_fault_is_refused_in_one_sentence(retort, tmp_path: Path, form: str, said: str):
    code, out, err = retort("advise", "--task", "mail", "--answers", written(tmp_path, form, "said.yaml"))
    assert (code, out) == (2, "") and err.startswith("retort: ") and said in err and err.count("\n") == 1


def test_what_cannot_be_done_is_said_with_its_cure(retort, tmp_path: Path):
    assert "retort: " in retort("measure", str(tmp_path / "gone.jsonl"))[2]
    assert "nothing is known of 'nobody'" in retort("advise", "--task", "nobody")[2]
    assert "--ask needs a terminal" in retort("advise", "--ask")[2]
    assert "leave --answers, --set and --ask out" in retort("advise", "--all", "--answers", "x.yaml")[2]
    with pytest.raises(InputError, match="cannot be read"):
        answers_of(tmp_path / "gone.yaml")


def test_single_fields_are_set_on_the_command_line_on_top_of_a_file(retort, tmp_path: Path):
    form = Path(written(tmp_path, "money: {machine_price: 0.5}", "said.yaml"))
    found = answers_of(
        form, ["monthly_requests=500", "data_may_not_leave=yes", "low_volume=100", "teacher_cost=1 to 2"]
    )
    assert (found.money.machine_price, found.money.teacher_cost) == ("0.5", "1 to 2")
    assert found.facts.data_may_not_leave and found.thresholds.low_volume == 100
    assert "no such field" in retort("advise", "--set", "price=3")[2]
    assert "wanted NAME=VALUE" in retort("advise", "--set", "machine_price")[2]
    assert "facts.offline: Input should be a valid boolean" in retort("advise", "--set", "offline=perhaps")[2]


def test_questions_are_asked_until_they_can_be_read_and_enter_leaves_them_open(tmp_path: Path):
    app = typer.Typer()

    @app.command()
    def asking() -> None:
        (tmp_path / "said.json").write_text(ask_all(Answers()).model_dump_json())

    typed = ["lots", "30000", "", "0", "180 ms", "", "88 %", "0.04", "", "", "", "y", "", "", "", "", ""]
    done = CliRunner().invoke(app, input="\n".join(typed) + "\n")
    assert done.exit_code == 0 and "'lots' is no amount" in done.stderr
    assert "Requests a month" not in done.stdout, "questions go to stderr"
    found = Answers.model_validate_json((tmp_path / "said.json").read_text())
    assert found.numbers.monthly_requests == "30000" and found.numbers.example_pairs == ""
    assert found.numbers.latency_budget_s == "180 ms" and found.facts.data_may_not_leave
    assert not found.facts.offline
