"""What the README says exists: modules, paths, commands, settings, dependencies, links, and the example task."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from flows.settings import Settings
from prompts.task import load_task
from retort import cli, steps

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", "locks/README.md"]
PAGES += [f"docs/{name}.md" for name in ("reviewing", "gate", "training", "advice")]
ROOMS = ("records", "prompts", "review", "training", "evaluation", "advice", "serving", "flows", "retort")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def section(title: str) -> str:
    """The text under a heading of the README, up to the next one of its rank."""
    return re.split(r"^## ", README.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(text: str) -> dict[str, str]:
    """What stands in the first column of the tables, in backticks, with the rest of its row."""
    return dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.M))


def spoken(page: str) -> list[str]:
    """The backticked words of a page, outside of code blocks and placeholders."""
    text = FENCE.sub("", (ROOT / page).read_text("utf-8"))
    return re.findall(r"`([^`\n]+)`", "\n".join(line for line in text.splitlines() if "TODO(lead)" not in line))


def commands() -> dict[str, typer.core.TyperCommand]:
    """By name; a command of a group by both: `desk backup`."""
    app = typer.Typer()
    steps.add_to(app)
    app.registered_commands += [c for c in cli.app.registered_commands if c.callback.__module__ == cli.__name__]
    found = dict(typer.main.get_command(app).commands)
    for group in cli.app.registered_groups:
        of_group = typer.main.get_command(group.typer_instance).commands
        found |= {f"{group.name} {name}": command for name, command in of_group.items()}
    return found


def test_every_module_is_on_the_map_and_the_map_invents_none():
    modules = {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        if file.name != "__init__.py"
    }
    on_map = {name for name in rows(section("The map of the house")) if name.endswith(".py")}
    assert on_map - {f"benchmarks/{file.name}" for file in (ROOT / "benchmarks").glob("*.py")} == modules


def test_every_benchmark_is_listed():
    listed = rows((ROOT / "benchmarks/README.md").read_text("utf-8"))
    assert set(listed) == {file.name for file in (ROOT / "benchmarks").glob("*.py")}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    names = {Path(file).name for file in tracked} or {file.name for file in ROOT.rglob("*.*")}
    top = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    missing = []
    for word in spoken(page):
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", word) or word.startswith((".retort", ".venv")):
            continue
        if "/" in word and word.split("/")[0] in top:
            missing += [word] if not (ROOT / word).exists() else []
        elif re.search(r"\w\.(py|md|ya?ml|toml|sh|txt|jsonl|j2)$", word):
            found = (ROOT / page).parent.joinpath(word).exists() or (ROOT / word).exists()
            missing += [word] if not found and ("/" in word or word not in names) else []
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page: str):
    text = FENCE.sub("", (ROOT / page).read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("https://", "http://")):
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), target
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M) if anchor else []
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_every_command_is_in_the_table_and_so_are_its_own_options():
    listed = rows(section("The command line"))
    assert {f"retort {name}" for name in commands()} == {name for name in listed if name.startswith("retort ")}
    everywhere = {"--help", "--json", "--task"}
    for name, command in commands().items():
        options = {option for found in command.params for option in found.opts if option.startswith("--")}
        assert options - everywhere <= set(re.findall(r"--[a-z-]+", listed[f"retort {name}"])), name


def test_commands_in_examples_know_their_options():
    known = {
        name: {o for found in c.params for o in (*found.opts, *found.secondary_opts)} for name, c in commands().items()
    }
    lines = [line for block in FENCE.findall(README) for line in block.splitlines() if line.startswith("retort ")]
    assert lines
    for line in lines:
        words = line.split()
        name = next(name for name in (" ".join(words[1:3]), words[1]) if name in known)
        assert set(re.findall(r"--[a-z-]+", line.split("#")[0])) <= known[name], line


def test_every_target_of_make_is_in_the_readme_and_none_else():
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M)) - {"help"}
    assert set(re.findall(r"`make ([a-z]+)", README)) == targets


def test_every_setting_is_documented_and_every_documented_one_is_read():
    settings = {f"RETORT_{name.upper()}" for name in Settings.model_fields}
    documented = {name for name in rows(section("Configuration")) if name.startswith("RETORT_")}
    assert documented == settings | {"RETORT_TORCH_INDEX"}
    assert set(re.findall(r"RETORT_[A-Z_]+", README)) <= documented


def test_documented_defaults_are_the_real_ones():
    listed = rows(section("Configuration"))
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int):
            assert listed[f"RETORT_{name.upper()}"].split("|")[0].strip().split(":")[0] == str(field.default)


def test_every_dependency_has_its_reason_and_licence():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    text = section("Why each dependency")
    for extra in ("app", "training", "argilla", "test"):
        part = re.split(r"^\*\*\w+\*\* \(", text.split(f"\n**{extra}** (", 1)[1], maxsplit=1, flags=re.M)[0]
        wanted = {re.match(r"[\w.-]+", line)[0] for line in extras[extra]}  # type: ignore[index]
        assert set(rows(part)) == wanted, extra
        assert all(len(row.split("|")) == 2 and all(map(str.strip, row.split("|"))) for row in rows(part).values())


def test_the_example_task_can_be_loaded(tmp_path: Path):
    (tmp_path / "task.yaml").write_text(re.findall(r"^```yaml\n(.*?)^```$", README, re.M | re.S)[0])
    (tmp_path / "guidelines.md").write_text("Choose what the customer wants now.\n")
    task = load_task(tmp_path)
    assert task.name in README.split("curl", 1)[1] and task.gate.min_test_documents == 100
    assert (task.training.min_corrections, task.training.min_new_corrections) == (100, 50)


def test_tests_that_are_named_exist():
    tests = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    named = [word for page in PAGES for word in spoken(page) if re.fullmatch(r"test_\w+", word)]
    assert [word for word in named if f"def {word}(" not in tests] == []
    assert {word[5] for word in named if re.match(r"test_\d_", word)} == set("123456789"), "one for each invariant"


def test_the_licence_is_apache_2_whole():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text and len(text) > 11_000
