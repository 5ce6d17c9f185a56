"""The team stack is valid, pinned, private, and agrees with what the code reads. (It was never run: no Docker here.)"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from flows.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}")
SCHEMA = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())


def example() -> dict[str, str | None]:
    """The variables of .env.example; None for those that are commented out."""
    found: dict[str, str | None] = {}
    for line in (ROOT / ".env.example").read_text().splitlines():
        match = re.match(r"(#?)([A-Z][A-Z0-9_]+)=(.*)$", line)
        if match:
            found[match[2]] = None if match[1] else match[3]
    return found


def filled(text: str) -> str:
    """Interpolated as compose does it, with the example's values and `secret` for the empty ones."""
    known = example()

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        said = known.get(name)
        return default if said is None and kind == "-" else said or "secret"

    return VARIABLE.sub(value, text).replace("$$", "$")


def commands() -> list[tuple[str, list[str]]]:
    """(service, `python -m` arguments) of our own modules."""
    found = []
    for name, service in OURS.items():
        words = re.findall(r"[^\s\"]+", " ".join(map(str, service.get("command", []))))
        if "-m" in words:
            found.append((name, words[words.index("-m") + 1 :]))
    return found


def test_the_stack_is_valid_by_the_compose_specification():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    faults = [f"{list(e.path)}: {e.message}" for e in jsonschema.Draft202012Validator(SCHEMA).iter_errors(STACK)]
    assert faults == []
    broken = {**STACK, "services": {"x": {"imag": "y"}}}
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(broken)), "the schema sees nothing"


def test_the_stack_has_every_part_and_the_gpu_only_on_request():
    wanted = {"postgres", "redis", "elasticsearch", "argilla", "argilla-worker", "prefect", "worker", "gateway", "vllm"}
    assert wanted <= SERVICES.keys()
    with_gpu = {name for name, service in SERVICES.items() if "nvidia" in json.dumps(service.get("deploy", {}))}
    assert with_gpu == {"vllm", "trainer-gpu"}
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["gpu"]} == with_gpu


def test_images_are_pinned_come_from_docker_hub_and_match_the_packages():
    images = {name: service["image"] for name, service in SERVICES.items()}
    for image in images.values():
        name, _, tag = image.partition(":")
        assert re.fullmatch(r"v?\d+\.\d+[\w.-]*", tag), f"{image} is not pinned"
        assert "." not in name.split("/")[0], f"{image} names a registry"
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"prefect=={re.split('[:-]', images['prefect'])[1]}" in pins["app"]
    assert f"argilla-server=={images['argilla'].rsplit(':v', 1)[1]}" in pins["argilla"]
    assert images["argilla"] == images["argilla-worker"]


def test_ports_are_published_on_loopback_only_and_databases_not_at_all():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"argilla", "prefect", "gateway"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not any(service.get("network_mode") or service.get("privileged") for service in SERVICES.values())


def test_every_lasting_service_restarts_and_says_whether_it_is_healthy():
    lasting = {name: service for name, service in SERVICES.items() if service.get("restart") != "no"}
    assert SERVICES.keys() - lasting.keys() == {"deployments"}
    for name, service in lasting.items():
        assert service["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys(), name


def test_who_waits_for_whom_exists_and_can_become_healthy():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES, f"{name} waits for {needed}"
            assert "profiles" not in SERVICES[needed], f"{name} waits for {needed}, which may not be started"
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[needed]


def test_what_must_last_is_on_a_declared_volume():
    used = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {name for name, _ in used} == STACK["volumes"].keys()
    assert all(service["environment"]["RETORT_HOME"] == "/retort" for service in OURS.values())
    assert all(["retort-home", "/retort"] in [v.split(":") for v in service["volumes"]] for service in OURS.values())


def test_secrets_come_from_the_environment_and_none_has_a_default():
    secret = re.compile(r"PASSWORD|SECRET|API_KEY|_KEY$|TOKEN")
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if secret.search(key) and value is not None:
                assert re.fullmatch(r"\$\{[A-Z_]+:\?see \.env\.example\}", value), f"{name}: {key}"
    assert "postgres:postgres" not in TEXT and "12345678" not in TEXT


def test_the_example_names_every_variable_and_no_other():
    code = {f"RETORT_{name.upper()}" for name in Settings.model_fields} | {"RETORT_TORCH_INDEX", "COMPOSE_PROFILES"}
    passed = {
        key for service in SERVICES.values() for key, value in service.get("environment", {}).items() if value is None
    }
    used = {match[1] for match in VARIABLE.finditer(TEXT)} | passed
    assert used <= example().keys()
    assert example().keys() <= used | code
    must = {match[1] for match in VARIABLE.finditer(TEXT) if match[2] == "?"}
    assert {name for name, value in example().items() if value == ""} == must


def test_our_services_set_only_what_the_settings_read():
    fields = {f"RETORT_{name.upper()}" for name in Settings.model_fields}
    for name, service in OURS.items():
        named = {key for key in service["environment"] if key.startswith("RETORT_")}
        assert named <= fields, f"{name} sets {named - fields}, which nothing reads"


def test_the_settings_lead_to_the_services(monkeypatch: pytest.MonkeyPatch):
    for key, value in OURS["worker"]["environment"].items():
        if value is not None:
            monkeypatch.setenv(key, filled(value))
    found = Settings(_env_file=None)
    assert found.store == "postgresql+psycopg://retort:secret@postgres:5432/retort"
    assert found.desk == "http://argilla:6900"
    assert found.models == "http://models:8081/v1"
    assert OURS["worker"]["environment"]["PREFECT_API_URL"] == "http://prefect:4200/api"
    for service, port in (("argilla", "6900"), ("prefect", "4200"), ("gateway", "4000")):
        assert filled(SERVICES[service]["ports"][0]) == f"127.0.0.1:{port}:{port}"
    assert {"8081"} <= set(SERVICES["models"]["command"])


def test_every_database_that_is_named_is_created():
    named = set(re.findall(r"@postgres:5432/(\w+)", TEXT))
    made = set(re.findall(r"CREATE DATABASE (\w+)", STACK["configs"]["databases"]["content"]))
    assert named == made | {SERVICES["postgres"]["environment"]["POSTGRES_DB"]}


def test_prefect_knows_its_variables_and_the_queues_are_those_of_prefect_yaml():
    from prefect.settings import Settings as PrefectSettings
    from prefect.settings.legacy import _get_valid_setting_names

    known = _get_valid_setting_names(PrefectSettings)
    said = {
        key for service in SERVICES.values() for key in service.get("environment", {}) if key.startswith("PREFECT_")
    }
    assert said <= known
    deployments = {
        one["name"]: one["work_pool"] for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    }
    assert {pool["name"] for pool in deployments.values()} == {"retort"}
    moved = re.findall(r"deploy --name (\w+) --work-queue (\w+)", OURS["deployments"]["command"][-1])
    assert {name for name, _ in moved} <= deployments.keys()
    polled = [" ".join(service["command"]) for service in OURS.values() if "--work-queue" in service.get("command", [])]
    assert {re.search(r"--pool retort .*--work-queue (\w+)", command)[1] for command in polled} == {
        "default",
        *dict(moved).values(),
    }


def test_argilla_knows_its_variables():
    folder = next((ROOT / ".venv/argilla/lib").glob("python3*/site-packages/argilla_server"), None)
    if folder is None:
        pytest.skip("the argilla environment is not installed here")
    fields = {
        node.target.id
        for file in (folder / "settings.py", folder / "security/settings.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    said = {key for key in SERVICES["argilla"]["environment"] if key.startswith("ARGILLA_")}
    assert {re.sub("^ARGILLA_(AUTH_)?", "", key).lower() for key in said} <= fields


@pytest.mark.parametrize(("service", "words"), commands())
def test_our_commands_exist_and_know_their_options(service: str, words: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", words[0], "--help"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, f"{service}: {done.stderr[-500:]}"
    options = {word for word in words if word.startswith("--")}
    lacking = options - set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    assert not lacking, f"docker-compose.yml ({service}) gives {words[0]} what it does not know: {sorted(lacking)}"


def test_the_images_are_built_from_pinned_bases_as_another_user_than_root():
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    targets = {target for _, target in bases}
    assert {service["build"]["target"] for service in OURS.values()} == targets
    for base, _ in bases:
        assert base in targets or re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE)[-1] == "retort"
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".venv", ".retort", ".git"} <= set(ignored)
