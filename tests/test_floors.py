"""The house stands as planned: floors, one door a vendor, flows apart, no drawers, short files. Read with `ast`.

Nothing of the project is imported here: each check is a function from a file's place and source to its breaches, and
is first shown to catch a made-up breach.
"""

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLAN = ("records", "prompts review training evaluation advice", "serving", "flows", "retort")
FLOORS = {room: number for number, rooms in enumerate(PLAN) for room in rooms.split()}
TRAINING_ENV = {
    "training/" + name for name in ("check_recipe", "dequantise", "gguf_fields", "merge", "plugin", "validate")
}
"""Scripts that run in the environment of Axolotl, by its own interpreter."""
DOORS = {
    # a vendor in its one room
    "litellm": {"prompts/litellm_door", "serving/gateway", "serving/provider"},  # the client; the proxy
    "argilla": {"review/sdk"},
    "argilla_server": {"review/embedded"},
    "fakeredis": {"review/embedded"},
    "redis": {"review/embedded"},
    "rq": {"review/embedded"},
    "prefect": {"flows"},
    "xllamacpp": {"serving/llama"},
    "sqlalchemy": {"records"},
    "alembic": {"records", "review/embedded"},  # ours; the server's own migrations
    "axolotl": TRAINING_ENV,
    "torch": TRAINING_ENV,
    "transformers": TRAINING_ENV,
    "peft": TRAINING_ENV,
    "gguf": TRAINING_ENV,
    "scipy": {"evaluation", "advice/sketches", "advice/trend"},  # order statistics; Sen's slope
    "sklearn": {"evaluation", "prompts/retrieval"},  # the baseline; nearest examples by words
    "model2vec": {"evaluation/frozen"},  # optional, as is the next: a baseline where one of them is installed
    "sentence_transformers": {"evaluation/frozen"},
    "matplotlib": {"evaluation", "advice/plots"},  # the pictures of a report; of an advice
    # figures; vectors; the hashes of near-duplicates; draws of what is not known
    "numpy": {"evaluation", "prompts/embedding", "prompts/retrieval", "records/near", "advice"},
    "jinja2": {"evaluation", "advice/page"},
    "datasets": {"prompts/readers", "training/dataset"},  # documents in; rows out
    "pypdfium2": {"prompts/pdf_text"},
    "tokenizers": {"prompts/tokenizer"},
    "regex": {"prompts/logs", "prompts/faults", "prompts/redaction"},  # searched with a time limit; checked
    "presidio_analyzer": {"prompts/presidio_door"},
    "spacy": {"prompts/presidio_door"},
    "tldextract": {"prompts/presidio_door"},
    "typer": {"retort"},
    "rich": {"retort"},
    "supervisor": {"retort/supervision"},
    "pydantic_settings": {"flows/settings"},
    # no vendors but tools: formats and transports
    "pydantic": set(FLOORS),
    "pydantic_core": {"prompts"},
    "yaml": {"prompts", "training", "advice"},  # tasks; recipes; list prices and forms
    "jsonschema": {"prompts", "review"},
    "aiohttp": {"prompts", "serving"},
    "aiolimiter": {"prompts"},
    "httpx": {"prompts/litellm_door", "review", "serving/provider", "training/hosted_wire"},
    "requests": {"retort/gateway_client"},
    "uvicorn": {"review/embedded", "serving/gateway"},
}
DRAWERS = {"utils", "util", "common", "helpers", "helper", "core", "misc"}
LONGEST = 250

Check = Callable[[str, str], list[str]]


# --- the checks: (place without .py, source) -> breaches


def imported(place: str, source: str) -> Iterator[str]:
    """Every module that a source imports, anywhere in it, by its absolute name; a computed name as `?`."""
    package = place.split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node.func) in ("import_module", "__import__"):
            named = node.args[0] if node.args else None
            yield str(named.value) if isinstance(named, ast.Constant) else "?"


def floor_breaches(place: str, source: str) -> list[str]:
    room = place.split("/")[0]
    above = {m for m in imported(place, source) if (top := m.split(".")[0]) != room and top in FLOORS}
    return [
        f"{place}: imports {m} (floor {FLOORS[m.split('.')[0]]} from floor {FLOORS[room]})"
        for m in sorted(above)
        if FLOORS[m.split(".")[0]] >= FLOORS[room]
    ]


def door_breaches(place: str, source: str) -> list[str]:
    outside = {m.split(".")[0] for m in imported(place, source)} - sys.stdlib_module_names - FLOORS.keys()
    return [
        f"{place}: {vendor} {'outside its door' if vendor in DOORS else 'has no door'}"
        for vendor in sorted(outside)
        if not any(f"{place}/".startswith(f"{door}/") for door in DOORS.get(vendor, ()))
    ]


def flow_breaches(place: str, source: str) -> list[str]:
    """No module of flows/ imports one that defines a flow; what several flows need stands in one that defines none."""
    if not place.startswith("flows/"):
        return []
    flows = {file.stem for file in (ROOT / "flows").glob("*.py") if flows_in(file.read_text("utf-8"))}
    used = {m.split(".")[1] for m in imported(place, source) if m.startswith("flows.")}
    found = [f"{place}: imports flows.{one}, which is a flow" for one in sorted(used & flows)]
    count = flows_in(source)
    return [*found, f"{place}: defines {count} flows, a file is one flow"] if count > 1 else found


def flows_in(source: str) -> int:
    defined = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(any(_called(d) == "flow" for d in one.decorator_list) for one in defined)


def drawer_breaches(place: str, source: str) -> list[str]:
    return [f"{place}: a drawer" for part in place.split("/") if part in DRAWERS]


def length_breaches(place: str, source: str) -> list[str]:
    lines = source.count("\n")
    return [f"{place}: {lines} lines, at most {LONGEST}"] if lines > LONGEST else []


def crossing_breaches(place: str, source: str) -> list[str]:
    """Another environment's modules are run, never imported, by the app environment."""
    if _elsewhere(place):
        return []
    return [f"{place}: imports {m}" for m in imported(place, source) if _elsewhere(m.replace(".", "/"))]


def _elsewhere(place: str) -> bool:
    return any(f"{place}/".startswith(f"{one}/") for one in (*TRAINING_ENV, "review/embedded"))


def _called(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


# --- the house


def house() -> dict[str, str]:
    """All of our modules: {place without .py: source}."""
    files = (file for room in FLOORS for file in (ROOT / room).rglob("*.py"))
    return {file.relative_to(ROOT).with_suffix("").as_posix(): file.read_text("utf-8") for file in files}


def breaches(check: Check) -> list[str]:
    modules = house()
    assert len(modules) > 100, "the house was not found"
    return [breach for place, source in sorted(modules.items()) for breach in check(place, source)]


def test_no_room_imports_its_own_floor_or_a_higher_one():
    assert breaches(floor_breaches) == []


def test_every_vendor_is_imported_behind_its_door_only():
    assert breaches(door_breaches) == []


def test_every_door_is_used():
    used = {m.split(".")[0] for place, source in house().items() for m in imported(place, source)}
    assert set(DOORS) - used == set()


def test_flows_never_import_flows():
    assert breaches(flow_breaches) == []
    assert sum(flows_in(source) for place, source in house().items() if place.startswith("flows/")) >= 5


def test_what_runs_in_another_environment_is_imported_by_nobody_in_this_one():
    assert breaches(crossing_breaches) == []


def test_there_are_no_drawers():
    everything = [file.relative_to(ROOT).with_suffix("").as_posix() for file in (ROOT / "tests").rglob("*.py")]
    assert breaches(drawer_breaches) == []
    assert [breach for place in everything for breach in drawer_breaches(place, "")] == []


def test_no_file_is_longer_than_250_lines():
    assert breaches(length_breaches) == []


def test_every_package_of_the_repository_is_a_room_that_is_packaged_and_type_checked():
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    assert packages <= set(FLOORS)
    assert {f"{room}*" for room in packages} == set(project["setuptools"]["packages"]["find"]["include"])
    assert packages == set(project["mypy"]["packages"])


# --- every check can fail


@pytest.mark.parametrize(
    ("check", "place", "source", "caught"),
    [
        (floor_breaches, "prompts/ask", "from review.desk import Desk", "imports review.desk.Desk (floor 1 from"),
        (floor_breaches, "records/store", "def f():\n    import prompts.task", "imports prompts.task (floor 1 from"),
        (floor_breaches, "serving/door", "from flows import settings", "imports flows.settings (floor 3"),
        (floor_breaches, "flows/label", "import importlib\nimportlib.import_module('retort.cli')", "retort.cli"),
        (floor_breaches, "flows/desk", "from retort.services import WORKSPACE", "retort.services.WORKSPACE (floor 4"),
        (door_breaches, "review/desk", "import litellm", "litellm outside its door"),
        (door_breaches, "prompts/ask", "from litellm import acompletion", "litellm outside its door"),
        (door_breaches, "retort/moves", "from prefect import flow", "prefect outside its door"),
        (door_breaches, "training/run", "import torch", "torch outside its door"),
        (door_breaches, "training/merges", "import torch", "torch outside its door"),
        (door_breaches, "prompts/ask", "import openai", "openai has no door"),
        (door_breaches, "prompts/ask", "__import__(name)", "? has no door"),
        (
            flow_breaches,
            "flows/retrain",
            "from flows.train import train\n@flow\ndef f(): ...",
            "train, which is a flow",
        ),
        (flow_breaches, "flows/retrain", "from flows import label\n@flow()\ndef f(): ...", "label, which is a flow"),
        (flow_breaches, "flows/retrain", "from . import label\n@flow()\ndef f(): ...", "label, which is a flow"),
        (flow_breaches, "flows/desk", "def f():\n    import flows.collect", "imports flows.collect, which is a flow"),
        (flow_breaches, "flows/two", "@prefect.flow(name='x')\nasync def f(): ...\n@flow\ndef g(): ...", "2 flows"),
        (flow_breaches, "flows/two", "@flow\ndef f(): ...\n@flow\ndef g(): ...", "defines 2 flows"),
        (crossing_breaches, "retort/stack", "from review.embedded import launch", "imports review.embedded.launch"),
        (crossing_breaches, "training/base", "from training.dequantise import main", "imports training.dequantise"),
        (drawer_breaches, "prompts/utils", "", "a drawer"),
        (drawer_breaches, "review/common/texts", "", "a drawer"),
        (length_breaches, "prompts/ask", "x = 1\n" * 251, "251 lines, at most 250"),
    ],
)
def test_a_made_up_breach_is_caught(check: Check, place: str, source: str, caught: str):
    [said] = check(place, source)
    assert said.startswith(f"{place}: ") and caught in said


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("prompts/ask", "import asyncio, json\nfrom prompts.call import call\nfrom records.types import Answer"),
        ("flows/train", "from prefect import flow\nfrom flows.context import Context\n@flow\ndef f(): ..."),
        ("serving/gateway", "def f():\n    import litellm\n    from prompts.task import Task"),
        ("retort/steps", "from flows.label import label_documents\nfrom flows.train import train_student"),
        ("review/embedded/jobs", "from review.embedded.home import x\nimport argilla_server.jobs"),
    ],
)
def test_what_is_allowed_is_not_caught(place: str, source: str):
    checks = (floor_breaches, door_breaches, flow_breaches, crossing_breaches, drawer_breaches, length_breaches)
    assert [said for check in checks for said in check(place, source)] == []
