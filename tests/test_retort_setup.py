"""The machine is looked at before anything is half done; environments come from locks, and set-up can be resumed."""

import ast
import base64
import hashlib
import re
import shutil
import socket
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest

from flows.settings import Settings
from retort import environments, installer, ports, preflight

PROJECT = Path(__file__).resolve().parents[1]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())


def pins(file: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (PROJECT / "locks" / file).read_text(), re.MULTILINE)
    return {re.sub(r"[._]", "-", name.lower()): version for name, version in found}


# --- the locks


@pytest.mark.parametrize("extra", ["app", "training", "argilla", "test"])
def test_every_dependency_is_pinned_exactly_and_its_lock_says_the_same(extra):
    locked = pins(f"{extra}.txt")
    for line in DECLARED["project"]["optional-dependencies"][extra]:
        name, _, version = line.partition("==")
        assert version, f"{line} is not pinned"
        assert locked[re.sub(r"\[.*|", "", name.lower()).replace("_", "-")] == version


@pytest.mark.parametrize("extra", ["app", "argilla", "test"])
def test_every_package_of_a_hashed_lock_has_a_hash(extra):
    blocks = re.split(r"\n(?=\S)", (PROJECT / "locks" / f"{extra}.txt").read_text().strip())
    assert len(blocks) > 50
    assert [block.split("\n")[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_tests_run_on_the_packages_that_users_get():
    app, test = pins("app.txt"), pins("test.txt")
    assert app.items() <= test.items()


def test_no_lock_names_an_index_and_none_holds_what_is_left_out():
    for file in (PROJECT / "locks").glob("*.txt"):
        assert not re.search(r"https?://|file:|/opt|index-url", file.read_text())
    left_out = set(re.findall(r"(?m)^[a-z].*$", (PROJECT / "locks" / "left-out.txt").read_text()))
    assert "litellm-enterprise" in left_out
    assert not left_out & (pins("app.txt").keys() | pins("test.txt").keys())


# --- the preflight


@pytest.mark.parametrize("version", [(3, 8, 1), (3, 10, 9), (3, 14, 0)])
def test_a_python_without_locked_packages_is_refused_in_one_sentence(version):
    said = preflight.python_fault(version, "/usr/bin/python3")
    assert said and "/usr/bin/python3 is Python " + ".".join(map(str, version)) in said and "PYTHON=" in said


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 9)])
def test_a_python_with_locked_packages_is_taken(version):
    assert preflight.python_fault(version) is None


@pytest.mark.parametrize("module", ["ports", "preflight", "setup"])
def test_an_old_python_can_read_what_it_must_run_to_be_told(module):
    tree = ast.parse((PROJECT / "retort" / f"{module}.py").read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert "annotations" in imported


def test_a_missing_compiler_and_a_missing_make_are_named_with_their_cure(tmp_path):
    compiler, make = preflight.tool_faults({"PATH": str(tmp_path)})
    assert compiler.startswith("No C compiler") and "build-essential" in compiler
    assert make.startswith("make was not found")


def test_too_little_disk_says_how_much_there_is_and_how_much_is_needed(tmp_path):
    said = preflight.disk_fault(tmp_path, 10**9)
    assert said and "GB free" in said and f"{10**9} GB" in said
    assert preflight.disk_fault(tmp_path, 0) is None


def test_no_network_is_told_before_anything_is_made(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    said = preflight.network_fault()
    assert said and "could not fetch" in said and "connect to the network" in said


def test_a_port_in_use_is_named_with_the_variable_that_moves_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        faults = preflight.port_faults({"RETORT_PREFECT_PORT": str(number)}, tmp_path)
    assert any(f"Port {number}, where Prefect" in said and "RETORT_PREFECT_PORT=" in said for said in faults)


def test_a_port_that_is_no_number_is_refused(tmp_path):
    assert "'abc'" in " ".join(preflight.port_faults({"RETORT_GATEWAY_PORT": "abc"}, tmp_path))


def test_two_services_on_one_port_are_refused(tmp_path):
    said = " ".join(preflight.port_faults({"RETORT_PREFECT_PORT": "47113", "RETORT_MODEL_PORT": "47113"}, tmp_path))
    assert "Port 47113 is where both Prefect and the model server should listen" in said


def test_a_service_that_is_elsewhere_needs_no_port_here(tmp_path):
    elsewhere = {"RETORT_ARGILLA_URL": "http://desk.example", "RETORT_ARGILLA_PORT": "abc"}
    assert not any("ARGILLA" in said for said in preflight.port_faults(elsewhere, tmp_path))


def test_the_preflight_and_the_settings_agree_on_every_port():
    for _, variable, default, elsewhere in ports.PORTS:
        assert Settings.model_fields[variable.removeprefix("RETORT_").lower()].default == default
        assert not elsewhere or elsewhere.removeprefix("RETORT_").lower() in Settings.model_fields


# --- stamps


@pytest.fixture
def project(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "argilla.txt").write_text("tiny==1.0\n")
    return tmp_path


def test_an_environment_is_installed_once_its_stamp_names_the_lock(project):
    layer = environments.layer("argilla", project)
    assert not environments.is_installed("argilla", project)
    layer.python.parent.mkdir(parents=True)
    layer.python.touch()
    environments.write_stamp(layer)
    assert environments.is_installed("argilla", project)
    layer.lock.write_text("tiny==2.0\n")
    assert not environments.is_installed("argilla", project)


def test_a_damaged_stamp_counts_as_none(project):
    layer = environments.layer("argilla", project)
    layer.venv.mkdir(parents=True)
    layer.stamp.write_text("{")
    assert not environments.is_installed("argilla", project)


def test_torch_comes_first_and_from_the_index_that_one_variable_names(monkeypatch):
    training = environments.layer("training")
    monkeypatch.setenv(environments.TORCH_INDEX, "https://wheels.example/cpu")
    torch, rest = environments.steps(training)
    assert torch.arguments[-3:] == ("--index-url", "https://wheels.example/cpu", "torch==2.13.0")
    assert "axolotl==0.19.0" in rest.arguments and "--index-url" not in rest.arguments
    monkeypatch.delenv(environments.TORCH_INDEX)
    assert "--index-url" not in environments.steps(training)[0].arguments


def test_the_app_environment_is_installed_with_hashes():
    (step,) = environments.steps(environments.layer("app"))
    assert "--require-hashes" in step.arguments


# --- pip's output


def test_progress_is_read_from_what_pip_writes():
    fetching = (
        "Ignoring c: markers\nCollecting a==1\n  Downloading a-1-py3-none-any.whl (2.5 MB)\nProcessing /x/b-1.whl\n"
    )
    assert installer.how_far(fetching, 4, 0) == "fetching 2 of 3"
    assert (
        installer.how_far("\nCollecting a==1\n  Downloading a-1.whl (2.5 MB)\n", 4, 0) == "fetching 1 of 4 (a, 2.5 MB)"
    )
    assert installer.how_far(fetching + "Installing collected packages: a, b\n", 4, 1) == "unpacking 1 of 2"


@pytest.mark.parametrize(
    ("wrote", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one that the lock names"),
        ("NewConnectionError: Temporary failure in name resolution", "network"),
        ("ERROR: Failed building wheel for x", "compiled"),
        ("Something new", "see the log"),
    ],
)
def test_a_failure_of_pip_is_told_in_words(wrote, cause):
    assert cause in installer.fault(wrote)


# --- pip itself, on one small package of our own


def wheel(folder: Path) -> str:
    """Write tiny-1.0; its sha256."""
    meta = {"METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"}
    meta["WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"tiny.py": "WHOLE = True\n"} | {f"tiny-1.0.dist-info/{name}": text for name, text in meta.items()}
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "tiny-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_interrupted_installation_goes_on_and_a_foreign_package_is_refused(project, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(project))
    digest = wheel(project)
    layer, log, told = environments.layer("argilla", project), project / "logs" / "setup.log", []

    def install(stop: threading.Event | None = None) -> None:
        installer.install(layer, log, lambda name, note: told.append(note), stop or threading.Event())

    stopped = threading.Event()
    stopped.set()
    with pytest.raises(installer.Stopped):  # interrupted while the environment is being made
        install(stopped)

    layer.lock.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(installer.InstallFault, match="not the one that the lock names") as refused:
        install()
    assert str(log) in str(refused.value) and not layer.stamp.exists()

    site = next((layer.venv / "lib").glob("python3.*/site-packages"))
    layer.lock.write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    half = site / "tiny-1.0.dist-info"  # what a pip killed half-way leaves: metadata, but no package and no INSTALLER
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    install()
    assert (site / "tiny.py").read_text() == "WHOLE = True\n"
    assert environments.is_installed("argilla", project) and told[-1] == "done"
    shutil.rmtree(layer.venv)
