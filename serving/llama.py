"""One GGUF file served by llama.cpp in this process: the only module that knows xllamacpp.

`load` blocks for seconds: call it in a thread. Each engine is an OpenAI-compatible HTTP server on a free loopback
port of its own; `serving.model_server` puts one address in front of all of them.

Why these settings. A request is a long prompt that it shares with all others of its task, a short document, and one
token of answer: so what counts is the prefix cache (`cache_prompt`; a slot keeps the prompt it answered last, and a
request goes to the slot whose prompt it shares most of) and not the number of slots. Two slots keep two prompts warm
(the teacher's and the student's, or two tasks') and let a short request past a long one. More slots cost memory
(23 MB per 1,000 tokens of context for a 135M model) and answer no faster on a few cores.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.errors import ServiceError


@dataclass(frozen=True)
class EngineSettings:
    """How a model is run. `context` is in tokens and for each of the `slots` (requests at the same time)."""

    threads: int
    slots: int = 2
    context: int = 4096


class Engine:
    """A running llama.cpp server. Not copied, not reused after `close`."""

    def __init__(self, name: str, server: Any) -> None:
        """Use `load`."""
        self.name = name
        self.address = str(server.listening_address)
        self._server: Any = server

    def close(self) -> None:
        """Stop serving and free the memory; blocks until requests in flight have ended."""
        self._server = None


def load(name: str, file: Path, settings: EngineSettings) -> Engine:
    """Serve `file` as `name`; returns when it answers.

    Raises ServiceError when llama.cpp cannot load the file.
    """
    import xllamacpp

    _check_magic(name, file)
    try:
        return Engine(name, xllamacpp.Server(_parameters(xllamacpp.CommonParams(), name, file, settings)))
    except Exception as fault:
        raise ServiceError(
            f"llama.cpp cannot load {file.name}: {fault}. Export the student again, or free some memory."
        ) from fault


def _check_magic(name: str, file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ServiceError(f"model {name!r}: {file.name} is not a GGUF file. Export the student again.")


def _parameters(parameters: Any, name: str, file: Path, settings: EngineSettings) -> Any:
    parameters.model.path = str(file)
    parameters.model_alias = {name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.n_parallel = settings.slots
    parameters.n_ctx = settings.context * settings.slots
    parameters.cpuparams.n_threads = settings.threads
    parameters.cpuparams_batch.n_threads = settings.threads
    parameters.use_jinja = True
    parameters.cache_prompt = True
    # Prompts of answered requests parked in RAM (8 GB by default): the slots keep what is worth keeping.
    parameters.cache_ram_mib = 0
    parameters.verbosity = 1
    return parameters
