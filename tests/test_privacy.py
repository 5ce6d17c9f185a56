"""Self-hosted means self-hosted: which hosts are allowed, where an endpoint is refused, and the guard of a process."""

import contextlib
import errno
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from fixtures_flows import context_at
from task_folders import make_task, write_task

from flows.context import find_task
from flows.label import read_source
from flows.settings import Settings
from flows.train import train_student
from prompts.ask import ask
from prompts.endpoint import student_endpoint, teacher_endpoint
from prompts.litellm_door import close
from prompts.privacy import check_hub, check_url
from records import cutoff, telemetry
from records.errors import EnvironmentFault, InputError
from records.hosts import host_of, is_allowed, is_loopback
from retort import services
from training import recipe
from training.environment import child_environment

ROOT = Path(__file__).resolve().parents[1]
LOCAL = "http://127.0.0.1:8081/v1"
BLACK_HOLE = "192.0.2.1"
"""An address that is reserved for documentation: nobody has it."""


def closed(folder, *hosts, **sections):
    return make_task(folder, privacy="self_hosted", allowed_hosts=list(hosts), **sections)


# --- which hosts


@pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://127.0.0.1", "https://127.8.9.1:443/x", "http://[::1]:8/",
                                 "http://LOCALHOST", "http://[::ffff:127.0.0.1]:1/v1"])  # fmt: skip
def test_loopback_is_allowed_in_all_its_forms(url):
    assert is_allowed(host_of(url), [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.example.com/v1",
        "http://localhost.example.com",
        "http://example.com/127.0.0.1",
        "http://example.com#127.0.0.1",
        "http://example.com?localhost",
        "http://0.0.0.0:8000",
        "http://2130706433",
        "http://127.1",
        "http://0177.0.0.1",
        "http://0x7f000001",
        "http://localhost.",
        "http://128.0.0.1",
        "http://[::ffff:8.8.8.8]/",
        "http://[::2]",
        "http://xgpu.internal",
        "http://gpu.internal.example.com",
        "http://a.gpu.internal",
        "http://gpu-internal",
        "http://10.0.0.55",
        "http://10.0.0.5.example.com",
    ],
)
def test_what_only_looks_allowed_is_not(url):
    assert not is_allowed(host_of(url), ["gpu.internal", "10.0.0.5"])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@example.com/v1",
        "http://localhost:80@example.com",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://127.0.0.1%2eexample.com",
        "http://ⓛocalhost/",
        "http://127。0。0。1/",
        "http://127.0.0.1 .example.com",
        "http://127.0.0.1\t.example.com",
        "http:///v1",
        "//127.0.0.1/v1",
        "localhost:8080",
        "http://[::1",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(url):
    with pytest.raises(InputError, match="no plain address"):
        host_of(url)


def test_a_password_in_an_address_is_not_shown():
    with pytest.raises(InputError) as caught:
        host_of("http://me:s3cret@example.com/v1")
    assert "s3cret" not in str(caught.value)


def test_the_list_is_compared_exactly_names_as_names_and_addresses_as_addresses():
    assert is_allowed("gpu.internal", ["GPU.internal"]) and is_allowed("::ffff:10.0.0.5", ["10.0.0.5"])
    assert is_allowed("fe80:0:0::1", ["fe80::1"])
    assert not is_loopback("gpu.internal") and not is_allowed("10.0.0.5", ["gpu.internal"])


# --- the task


def test_the_line_of_the_issue_is_a_task_and_any_endpoint_is_allowed_without_it(tmp_path):
    folder = write_task(tmp_path / "closed")
    text = (folder / "task.yaml").read_text()
    (folder / "task.yaml").write_text(f"{text}\nprivacy: self_hosted\n")
    from prompts.task import load_task

    assert load_task(folder).privacy == "self_hosted"
    hosted = make_task(tmp_path / "open", teacher={"model": "openai/gpt-4o-mini", "api_base": None})
    assert teacher_endpoint(hosted, LOCAL, {}).api_base is None


def test_a_wrong_host_in_the_list_is_a_fault_with_its_cure(tmp_path):
    hosts = ["http://gpu", "*.internal", "10.0.0.0/8", "gpu:8000", "127.1", ""]
    with pytest.raises(InputError) as caught:
        closed(tmp_path, *hosts)
    assert all(f"allowed_hosts[{n}]" in str(caught.value) for n in range(len(hosts)))
    with pytest.raises(InputError, match=r"privacy: 'private'"):
        make_task(tmp_path, privacy="private")


@pytest.mark.parametrize(
    ("model", "api_base", "said"),
    [
        ("openai/gpt-4o-mini", None, "has no api_base, so LiteLLM would ask its provider"),
        ("openai/big", "https://api.openai.com/v1", "the teacher is at 'api.openai.com'"),
        ("openai/big", "http://127.0.0.1@evil.example/v1", "no plain address"),
        ("openai/big", "http://gpu.internal.evil.example/v1", "the teacher is at 'gpu.internal.evil.example'"),
        ("huggingface/big", "http://127.0.0.1:1/v1", "LiteLLM may call other hosts"),
        ("anthropic/claude", "http://127.0.0.1:1/v1", "LiteLLM may call other hosts"),
    ],
)
def test_a_teacher_elsewhere_is_refused_where_its_endpoint_is_made(tmp_path, model, api_base, said):
    task = closed(tmp_path, "gpu.internal", teacher={"model": model, "api_base": api_base})
    with pytest.raises(InputError, match=said):
        teacher_endpoint(task, LOCAL, {})


def test_own_hosts_are_allowed_for_teacher_and_student(tmp_path):
    own = "http://gpu.internal:8000/v1"
    task = closed(tmp_path, "gpu.internal", teacher={"api_base": own}, student={"api_base": own})
    assert teacher_endpoint(task, LOCAL, {}).api_base == student_endpoint(task, "s", LOCAL).api_base == own
    assert teacher_endpoint(closed(tmp_path), LOCAL, {}).api_base == LOCAL


def test_a_student_or_a_model_server_elsewhere_is_refused(tmp_path):
    task = closed(tmp_path, student={"api_base": "http://10.0.0.5:8000/v1"})
    with pytest.raises(InputError, match=r"the student is at '10\.0\.0\.5'"):
        student_endpoint(task, "s", LOCAL)
    with pytest.raises(InputError, match=r"the teacher is at 'models\.example'"):
        teacher_endpoint(task, "http://models.example:8081/v1", {})


def test_a_proxy_in_between_is_refused_unless_it_is_bypassed(tmp_path):
    task = closed(tmp_path, "gpu.internal")
    proxied = {"HTTP_PROXY": "http://me:s3cret@proxy.example:3128"}
    with pytest.raises(InputError, match=r"by the proxy 'proxy\.example'.*NO_PROXY") as caught:
        check_url(task, "http://gpu.internal/v1", "teacher", proxied)
    assert "s3cret" not in str(caught.value)
    check_url(task, "http://gpu.internal/v1", "teacher", {**proxied, "no_proxy": "gpu.internal"})
    check_url(task, "http://gpu.internal/v1", "teacher", {"HTTPS_PROXY": "http://proxy.example"})
    check_url(task, "http://gpu.internal/v1", "teacher", {"ALL_PROXY": "127.0.0.1:3128"})


@contextlib.asynccontextmanager
async def redirecting(status):
    """A server that sends every request on to another one; its URL, and the paths that the other was asked for."""
    reached, runners = [], []

    async def elsewhere(request):
        reached.append(request.path)
        return web.json_response({})

    async def away(request):
        return web.Response(status=status, headers={"Location": f"{other}{request.path}"})

    async def serve(handler):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

    other = await serve(elsewhere)
    try:
        yield await serve(away), reached
    finally:
        await close()
        for runner in runners:
            await runner.cleanup()


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirect_is_not_followed_so_an_allowed_host_cannot_pass_a_document_on(tmp_path, status):
    task = closed(tmp_path)
    async with redirecting(status) as (url, reached):
        own = replace(teacher_endpoint(task, url, {}), retries=0)
        generated = await ask(replace(own, mode="generate"), task, "the landlord", True)
        scored = await ask(own, task, "the landlord", True)  # asks the server's tokeniser first
    assert (generated.outcome, scored.outcome, reached) == ("failed", "failed", [])


# --- the places of the machine, the hub, the trainer


def test_a_desk_a_store_or_a_prefect_elsewhere_is_refused(tmp_path, monkeypatch):
    context = context_at(tmp_path / "home")
    folder = str(write_task(tmp_path / "mail", privacy="self_hosted"))
    find_task(context, folder)
    desk = context.settings.model_copy(update={"argilla_url": "https://desk.example"})
    with pytest.raises(InputError, match=r"the review desk is at 'desk\.example'"):
        find_task(replace(context, settings=desk), folder)
    store = context.settings.model_copy(update={"store_url": "postgresql+psycopg://me:s3cret@db.example/retort"})
    with pytest.raises(InputError, match=r"the store is at 'db\.example'") as caught:
        find_task(replace(context, settings=store), folder)
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api")
    with pytest.raises(InputError, match="the Prefect server"):
        find_task(context, folder)
    context.store.close()


def test_nothing_is_fetched_from_a_hub_unless_it_is_allowed(tmp_path):
    context = context_at(tmp_path / "home")
    task = closed(tmp_path / "mail", student={"base_model": "org/model"})
    with pytest.raises(InputError, match=r"the data set 'org/set' would be fetched from huggingface\.co"):
        read_source(context, task, "org/set")
    with pytest.raises(InputError, match=r"the base model 'org/model' would be fetched from huggingface\.co"):
        train_student(context, str(task.folder))
    mirror = {"HF_ENDPOINT": "https://hub.internal"}
    with pytest.raises(InputError, match=r"hub\.internal"):
        check_hub(task, "the base model", mirror)
    check_hub(closed(tmp_path / "mirrored", "hub.internal"), "the base model", mirror)
    context.store.close()


TELLING = {
    "wandb_project": "p",
    "mlflow_tracking_uri": "http://x",
    "use_comet": True,
    "use_trackio": True,
    "otel_metrics_host": "h",
    "report_to": ["wandb"],
    "deepspeed": "https://x/zero3.json",
    "hub_strategy": "end",
}


@pytest.mark.parametrize("key", TELLING)
def test_a_recipe_that_tells_others_of_the_training_is_refused_in_one_sentence(tmp_path, key):
    context = context_at(tmp_path / "home")
    folder = write_task(tmp_path / "mail", privacy="self_hosted", student={"recipe": "mine.yaml"})
    (folder / "mine.yaml").write_text(yaml.safe_dump({"adapter": "lora", key: TELLING[key]}))
    with pytest.raises(InputError, match=rf"mine\.yaml sets {key}, which speaks to other hosts"):
        train_student(context, str(folder))
    context.store.close()


def test_shipped_recipes_tell_nobody_and_several_machines_are_refused():
    names = {file.stem for file in recipe.FOLDER.glob("*.yaml")}
    for name in sorted(names - {"machines-ray"}):
        recipe.check_sealed(recipe.load(name))
    with pytest.raises(InputError, match="use_ray, which speaks to other hosts"):
        recipe.check_sealed(recipe.load("machines-ray"))


# --- every vendor's switch, and the guard


def test_every_switch_is_in_the_environment_of_every_process(tmp_path):
    settings = Settings(home=tmp_path, _env_file=None)
    for name in ("prefect", "worker", "argilla", "models", "gateway"):
        assert telemetry.OFF.items() <= services.environment(settings, name, {"DO_NOT_TRACK": "0"}).items()
    assert telemetry.OFF.items() <= child_environment(1, offline=False).items()
    assert telemetry.OFFLINE.items() <= child_environment(1, offline=True).items()


HEARD = {
    "app": [
        ("prefect._internal.analytics.enabled", "is_telemetry_enabled()", "False"),
        ("prefect.settings", "get_current_settings().server.analytics_enabled", "False"),
        ("prefect.settings", "get_current_settings().telemetry.enable_resource_metrics", "False"),
        ("datasets.config", "HF_UPDATE_DOWNLOAD_COUNTS", "False"),
        ("huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", "True"),
    ],
    "argilla": [
        ("huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", "True"),
        ("argilla_server.settings", "settings.enable_telemetry", "False"),
    ],
    "training": [
        ("huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", "True"),
        ("huggingface_hub.constants", "HF_HUB_DISABLE_UPDATE_CHECK", "True"),
        ("huggingface_hub.constants", "HF_HUB_OFFLINE", "True"),
        ("gradio.analytics", "analytics_enabled()", "False"),
        ("axolotl.telemetry.manager", "TelemetryManager()._check_telemetry_enabled()", "False"),
    ],
}
LISTEN = """
import importlib, json, sys
for place, what, wanted in json.loads(sys.argv[1]):
    found = str(eval(what, vars(importlib.import_module(place))))
    assert found == wanted, (place, what, found)
"""


@pytest.mark.real
@pytest.mark.parametrize("name", HEARD)
def test_the_vendors_hear_the_switches(tmp_path, name):
    """Asked of the vendors themselves, so that a switch that they renamed shows."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ARGILLA_HOME_PATH": str(tmp_path)}
    environ |= telemetry.OFF | telemetry.OFFLINE
    command = [python(name), "-c", LISTEN, json.dumps(HEARD[name])]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


ATTEMPTS = """
import asyncio, socket, sys, urllib.request

def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("192.0.2.1", 9))

def coroutine():
    asyncio.run(asyncio.wait_for(asyncio.open_connection("192.0.2.1", 9), 3))

def address():
    socket.create_connection(("192.0.2.1", 9), timeout=3)

def name():
    urllib.request.urlopen("http://telemetry.example", timeout=3)

for attempt in (address, name, datagram, coroutine):
    try:
        attempt()
    except OSError as fault:
        if "allowed hosts" not in str(fault):
            raise
    else:
        sys.exit(f"{attempt.__name__} was let through")
with socket.create_server(("127.0.0.1", 0)) as here:
    socket.create_connection(here.getsockname(), timeout=3).close()
    socket.create_connection(("localhost", here.getsockname()[1]), timeout=3).close()
"""


def python(name: str) -> str:
    path = ROOT / ".venv" / name / "bin" / "python"
    if not path.exists():
        pytest.skip(f"the environment {name} is not installed: make setup")
    return str(path)


@pytest.mark.parametrize("name", ["app", "argilla", "training"])
def test_the_guard_refuses_and_notes_every_attempt_in_each_environments_interpreter(tmp_path, name):
    guard = cutoff.environment([], tmp_path / "refused.jsonl")
    environ = {"PATH": os.environ["PATH"], **guard, "PYTHONPATH": cutoff.python_path(ROOT, guard)}
    done = subprocess.run([python(name), "-c", ATTEMPTS], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    noted = [json.loads(line) for line in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert [one["host"] for one in noted] == [BLACK_HOLE, "telemetry.example", BLACK_HOLE, BLACK_HOLE]


def test_a_process_that_cannot_be_guarded_does_not_run(tmp_path):
    environ = {"PATH": os.environ["PATH"], cutoff.HOSTS: "http://*", "PYTHONPATH": str(cutoff.GUARD)}
    command = [python("app"), "-c", "print('ran')"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "not a host" in done.stderr


def test_the_trainer_of_a_self_hosted_task_is_guarded_and_a_limit_from_outside_holds_for_it(monkeypatch):
    assert cutoff.HOSTS not in child_environment(1, offline=True)
    alone = child_environment(1, offline=True, only_hosts=[])
    assert alone[cutoff.HOSTS] == "localhost" and alone["PYTHONPATH"].split(":")[0] == str(cutoff.GUARD)
    assert telemetry.SEALED.items() <= alone.items()
    assert child_environment(1, offline=True, only_hosts=["10.0.0.5"])[cutoff.HOSTS] == "10.0.0.5"
    monkeypatch.setenv(cutoff.HOSTS, "10.0.0.6")
    assert child_environment(1, offline=True, only_hosts=["10.0.0.5"])[cutoff.HOSTS] == "localhost"
    assert child_environment(1, offline=True)["PYTHONPATH"].split(":")[0] == str(cutoff.GUARD)


def test_the_setting_guards_every_service(tmp_path):
    settings = Settings(home=tmp_path, allowed_hosts="10.0.0.5, gpu.internal", _env_file=None)
    for name in ("prefect", "worker", "argilla", "models", "gateway"):
        seen = services.environment(settings, name, {})
        assert seen[cutoff.HOSTS] == "10.0.0.5,gpu.internal" and seen["PYTHONPATH"].split(":")[0] == str(cutoff.GUARD)
    assert services.guard_environment(Settings(home=tmp_path, _env_file=None)) == {}
    with pytest.raises(EnvironmentFault, match=r"'gpu:80': not a host"):
        services.guard_environment(Settings(home=tmp_path, allowed_hosts="gpu:80", _env_file=None))


NATIVE = """
import ctypes, socket, struct
one = ctypes.CDLL(None, use_errno=True)
handle = one.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
address = struct.pack("=HHB3B8x", socket.AF_INET, socket.htons(9), 192, 0, 2, 1)
assert one.connect(handle, address, 16) != 0
print([name for _, name in socket.if_nameindex()], ctypes.get_errno())
with socket.create_server(("127.0.0.1", 0)) as here:
    socket.create_connection(here.getsockname(), timeout=3).close()
"""


def test_the_tests_run_without_a_network_where_the_kernel_allows_that():
    """Native code too, which the guard does not see; else the runner says that it could not."""
    command = [python("app"), str(ROOT / "tests/without_network.py"), python("app"), "-c", NATIVE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "not cut off by the kernel" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout.strip() == f"['lo'] {errno.ENETUNREACH}", done.stderr
