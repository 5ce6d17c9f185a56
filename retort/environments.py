"""The environments of Retort: what is installed where, from which lock, and whether that is done.

The vendors' pins exclude one another, so there are three virtual environments, `.venv/{app,training,argilla}`;
`test` is a second layer in `app`. A layer is done when its stamp, written last, names the lock and the Python as they
are now; so a second set-up does nothing and an interrupted one goes on. Standard library only.
"""

import hashlib
import json
import os
import platform
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from retort import ports

PROJECT = Path(__file__).resolve().parents[1]
TORCH_INDEX = "RETORT_TORCH_INDEX"


@dataclass(frozen=True)
class Step:
    """One call of pip: its arguments after `install`, its name on screen, and about how many packages it brings."""

    arguments: tuple[str, ...]
    note: str
    packages: int


@dataclass(frozen=True)
class Layer:
    """One lock and the environment that it is installed in."""

    name: str
    venv: Path
    lock: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def scratch(self) -> Path:
        """Where pip unpacks, on the disk that was checked: /tmp can be too small for torch."""
        return self.venv.parent / "tmp"

    @property
    def stamp(self) -> Path:
        """The file that says that this layer is complete."""
        return self.venv / f".retort-{self.name}.json"


def layer(name: str, project: Path = PROJECT) -> Layer:
    """The layer called app, training, argilla or test."""
    if name not in ("app", "training", "argilla", "test"):
        raise ValueError(f"No environment is called {name!r}: there are app, training, argilla and test.")
    venv = project / ".venv" / ("app" if name == "test" else name)
    return Layer(name, venv, project / "locks" / f"{name}.txt")


def wanted(chosen: Layer) -> dict[str, str]:
    """What the stamp of a complete layer says."""
    return {"lock": hashlib.sha256(chosen.lock.read_bytes()).hexdigest(), "python": platform.python_version()}


def is_installed(name: str, project: Path = PROJECT) -> bool:
    """Whether this layer is complete and of the present lock."""
    chosen = layer(name, project)
    try:
        said = json.loads(chosen.stamp.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(said == wanted(chosen)) and chosen.python.exists()


def write_stamp(chosen: Layer) -> None:
    """Note that this layer is complete; at once or not at all."""
    half = chosen.stamp.with_suffix(".new")
    half.write_text(json.dumps(wanted(chosen), indent=1) + "\n", "utf-8")
    os.replace(half, chosen.stamp)


def steps(chosen: Layer, project: Path = PROJECT) -> list[Step]:
    """What pip is asked for, in order.

    A lock with hashes is complete, so nothing is resolved. The training environment has constraints instead: torch
    comes first and alone, as the file that suits this machine (from RETORT_TORCH_INDEX, or as pip is configured).
    """
    lines = chosen.lock.read_text("utf-8").splitlines()
    pins = [line for line in lines if re.match(r"[A-Za-z0-9][^\s=]*==", line)]
    if chosen.name != "training":
        asked = ("--require-hashes", "--no-deps", "-r", str(chosen.lock))
        return [Step(asked, "packages", len(pins))]
    declared = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    extra = declared["optional-dependencies"]["training"]
    torch = [name for name in extra if name.startswith("torch==")]
    rest = [name for name in extra if name not in torch]
    index = os.environ.get(TORCH_INDEX) or ports.dotenv(project / ".env").get(TORCH_INDEX, "")
    source = ("--index-url", index) if index else ()
    first = Step(("--no-deps", *source, *torch), " ".join(torch), 1)
    sure = sum(1 for pin in pins if ";" not in pin)  # the others depend on the machine, most of them on CUDA
    return [first, Step(("-c", str(chosen.lock), *torch, *rest), "packages", sure)]


def make_importable(project: Path = PROJECT) -> None:
    """Make the project importable in the app environment and give it `bin/retort`.

    A .pth line and a script do what an editable install does, without a build, the network or setuptools at run time.
    """
    venv = layer("app", project).venv
    site = next((venv / "lib").glob("python3.*/site-packages"))
    (site / "retort-project.pth").write_text(f"{project}\n", "utf-8")
    script = venv / "bin" / "retort"
    script.write_text(f"#!{venv}/bin/python\nimport sys\n\nfrom retort.cli import main\n\nsys.exit(main())\n", "utf-8")
    script.chmod(0o755)
