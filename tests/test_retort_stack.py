"""The services of the local stack: private, on loopback, supervised; a crash is reported with the end of its log."""

import os
import re
import signal
import socket
import stat
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flows.settings import Settings
from records.errors import EnvironmentFault, InputError, ServiceError
from records.telemetry import OFF
from retort import credentials, ports, services, stack
from retort.launch import held
from retort.services import Program
from retort.supervision import config

NAMES = ["prefect", "worker", "argilla", "models", "gateway"]
STEADY = """
import http.server, pathlib, sys
from retort.launch import hold
hold(pathlib.Path(sys.argv[1]), "steady")
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
CRASHING = "import sys; print('the reason of the crash', flush=True); sys.exit(3)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path):
    chosen = Settings(home=tmp_path / "home", _env_file=None)
    yield chosen
    stack.stop(chosen)


@pytest.fixture
def steady(settings):
    port = free_port()
    script = settings.home.parent / "50 % steady.py"  # a name that is awkward in a config
    script.write_text(STEADY)
    argv = (sys.executable, str(script), str(settings.home), str(port))
    url = f"http://127.0.0.1:{port}"
    return Program("steady", "the steady one", argv, url, port, "STEADY_PORT", lambda: services.answers(url))


# --- credentials


def test_credentials_are_made_once_and_only_their_owner_can_read_them(tmp_path):
    made = credentials.load_or_create(tmp_path)
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    assert credentials.load_or_create(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "gateway.key").stat().st_mode) == 0o600
    assert len(made.reviewers) == 2 and len(made.owner.password) >= 12 and len(made.gateway_key) >= 32


def test_credentials_do_not_show_in_a_log(tmp_path):
    made = credentials.load_or_create(tmp_path)
    shown = repr(made)
    assert not any(secret in shown for secret in (made.owner.password, made.owner.api_key, made.gateway_key))


def test_processes_that_meet_make_one_set_of_credentials(tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(credentials.load_or_create(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(one == found[0] for one in found)


def test_an_open_credentials_file_is_closed_to_others(tmp_path):
    credentials.load_or_create(tmp_path)
    (tmp_path / "credentials.json").chmod(0o644)
    credentials.load_or_create(tmp_path)
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600


def test_a_broken_credentials_file_is_named_with_its_cure(tmp_path):
    (tmp_path / "credentials.json").write_text("{}")
    with pytest.raises(InputError, match=r"credentials\.json is not a credentials file; delete it"):
        credentials.load_or_create(tmp_path)
    (tmp_path / "credentials.json").unlink()
    (tmp_path / "gateway.key").write_text("")
    with pytest.raises(EnvironmentFault, match=r"gateway\.key holds no key"):
        credentials.load_or_create(tmp_path)


# --- what is started, and with what


def test_all_services_are_known_and_their_ports_come_from_the_settings(settings):
    moved = settings.model_copy(update={"prefect_port": 4777, "gateway_port": 4778})
    known = {one.name: one for one in services.programs(moved)}
    assert list(known) == NAMES
    assert known["prefect"].port == 4777 and "4777" in services.command(moved, "prefect")
    assert known["gateway"].url == "http://127.0.0.1:4778"
    for one in known.values():
        assert one.port is None or any(one.variable == variable for _, variable, _, _ in ports.PORTS)


def test_a_service_that_is_elsewhere_is_not_started_here(settings):
    team = settings.model_copy(update={"argilla_url": "http://desk.example", "model_url": "http://gpu.example/v1"})
    assert [one.name for one in services.programs(team)] == ["prefect", "worker", "gateway"]


def test_the_supervisors_config_holds_no_secret_and_no_network_door(settings):
    made = credentials.load_or_create(settings.home)
    text = config(services.programs(settings), settings.home)
    secrets = [made.owner.password, made.owner.api_key, made.gateway_key, *(one.password for one in made.reviewers)]
    assert not any(secret in text for secret in secrets)
    assert "inet_http_server" not in text and "chmod=0600" in text and "environment=" not in text
    assert len(re.findall(r"(?m)^killasgroup=true$", text)) == len(NAMES)


def test_every_service_listens_on_loopback_and_no_command_line_holds_a_secret(settings):
    made = credentials.load_or_create(settings.home)
    for one in services.programs(settings):
        assert one.url.startswith("http://127.0.0.1:") or one.port is None
        line = " ".join(services.command(settings, one.name))
        assert "0.0.0.0" not in line and made.gateway_key not in line and made.owner.password not in line
    assert "--host 127.0.0.1" in " ".join(services.command(settings, "prefect"))


def test_a_service_sees_its_own_secrets_only(settings):
    machine = {"PATH": "/bin", "ANTHROPIC_API_KEY": "teacher-key", "LC_ALL": "C"}
    seen = {name: services.environment(settings, name, machine) for name in NAMES}
    assert {name for name in NAMES if "ANTHROPIC_API_KEY" in seen[name]} == {"worker", "gateway"}
    assert {name for name in NAMES if "RETORT_DESK_PASSWORD" in seen[name]} == {"argilla"}
    assert {name for name in NAMES if "RETORT_GATEWAY_KEY" in seen[name]} == {"gateway"}
    assert all(seen[name]["LC_ALL"] == "C" for name in NAMES)


def test_telemetry_is_off_everywhere_and_proxies_are_bypassed_for_loopback(settings):
    for name in NAMES:
        seen = services.environment(settings, name, {"HTTP_PROXY": "http://proxy.example"})
        assert OFF.items() <= seen.items() and "127.0.0.1" in seen["NO_PROXY"]


def test_no_other_website_may_ask_prefect(settings):
    seen = services.prefect_environment(settings)
    assert seen["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200,http://localhost:4200"


def test_settings_travel_to_child_processes_unchanged(settings, monkeypatch):
    relative = settings.model_copy(update={"training_python": Path("other/python")})
    assert services.as_environment(relative)["RETORT_TRAINING_PYTHON"] == str(Path.cwd() / "other/python")
    sent = services.as_environment(settings.model_copy(update={"prefect_port": 4555, "threads": 1}))
    for name, value in sent.items():
        monkeypatch.setenv(name, value)
    read = Settings(_env_file=None)
    assert (read.home, read.prefect_port, read.threads) == (settings.home, 4555, 1)


def test_the_control_socket_fits_even_a_very_deep_home(tmp_path):
    deep = tmp_path.joinpath(*["a-long-folder-name"] * 8)
    assert len(str(ports.control_socket(deep))) < 104
    assert ports.control_socket(deep) != ports.control_socket(deep / "other")


def test_a_plain_env_file_is_read(tmp_path):
    (tmp_path / ".env").write_text("# a note\nexport A=1\nB='two words'\n\n")
    assert ports.dotenv(tmp_path / ".env") == {"A": "1", "B": "two words"}


# --- the real supervisor, with two tiny services


def test_services_start_once_become_ready_and_stop(settings, steady):
    assert stack.start(settings, services=[steady]) == ["steady"]
    (ready,) = stack.wait_ready(settings, timeout=20, services=[steady])
    assert (ready.name, ready.state, ready.ready, ready.url) == ("steady", "running", True, steady.url)
    assert stack.start(settings, services=[steady]) == []
    with pytest.raises(EnvironmentFault, match=r"other settings: RETORT_PREFECT_PORT \(4200, now 4999\)"):
        stack.start(settings.model_copy(update={"prefect_port": 4999}), services=[steady])
    assert stack.stop(settings) == ["steady"]
    assert stack.stop(settings) == []
    assert ports.is_free(steady.port)
    assert stack.status(settings, services=[steady])[0].state == "stopped"


def test_a_crashed_service_is_reported_with_the_end_of_its_log(settings, steady):
    crashing = Program("crashing", "The other one", (sys.executable, "-c", CRASHING), ready=lambda: False)
    both = [steady, crashing]
    stack.start(settings, services=both)
    with pytest.raises(ServiceError, match=r"The other one crashed(.|\n)*the reason of the crash"):
        stack.wait_ready(settings, timeout=30, services=both)
    assert {one.name: one.ready for one in stack.status(settings, services=both)} == {"steady": True, "crashing": False}


def test_a_service_that_is_never_ready_is_named_after_the_time_limit(settings):
    slow = Program("slow", "The slow one", (sys.executable, "-c", "import time; time.sleep(60)"), ready=lambda: False)
    stack.start(settings, services=[slow])
    with pytest.raises(ServiceError, match=r"The slow one was not ready within 1 s"):
        stack.wait_ready(settings, timeout=1, services=[slow])


def test_a_port_in_use_is_told_before_anything_starts(settings, steady):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", steady.port))
        taken.listen()
        with pytest.raises(EnvironmentFault, match=f"Port {steady.port}.*STEADY_PORT"):
            stack.start(settings, services=[steady])
    assert not ports.stack_is_up(settings.home)


def test_two_services_on_one_port_are_told_before_anything_starts(settings, steady):
    other = replace(steady, name="other", title="the other one", variable="OTHER_PORT")
    with pytest.raises(EnvironmentFault, match=f"Port {steady.port}.*the steady one and the other one.*OTHER_PORT="):
        stack.start(settings, services=[steady, other])
    assert not ports.stack_is_up(settings.home)


def test_an_unknown_service_is_refused(settings):
    with pytest.raises(InputError, match="No service here is called argila"):
        stack.start(settings, ["argila"])


def test_a_supervisor_killed_from_outside_leaves_nothing_in_the_way(settings, steady):
    stack.start(settings, services=[steady])
    (first,) = stack.wait_ready(settings, timeout=20, services=[steady])
    os.kill(int((settings.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    until = time.monotonic() + 10
    while ports.stack_is_up(settings.home) and time.monotonic() < until:
        time.sleep(0.1)
    assert held(settings.home) == {"steady": first.pid}
    assert stack.start(settings, services=[steady]) == ["steady"]
    (second,) = stack.wait_ready(settings, timeout=20, services=[steady])
    assert second.pid != first.pid
