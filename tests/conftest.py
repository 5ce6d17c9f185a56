"""The fixtures of real services live in files of their own, named after the room."""

import os
import signal
import tempfile
from collections.abc import Iterator

import pytest

# Homes and ports that somebody chose for a stack of their own are not the tests': those say what they need.
_CHOSEN = ("RETORT_HOME", "RETORT_STORE_URL", "RETORT_MODEL_URL", "RETORT_ARGILLA_URL", "RETORT_ARGILLA_API_KEY")
_PORTS = ("RETORT_PREFECT_PORT", "RETORT_ARGILLA_PORT", "RETORT_MODEL_PORT", "RETORT_GATEWAY_PORT")
for _name in (*_CHOSEN, *_PORTS, "RETORT_GATEWAY_KEY"):
    os.environ.pop(_name, None)

# Prefect makes its home at import, which happens while tests are collected: not in the home of whoever runs them.
_PREFECT_HOME = tempfile.TemporaryDirectory(prefix="retort-tests-prefect-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _PREFECT_HOME.name

# What a shell starts in its background ignores SIGINT, and so do its children: tests of ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["fixtures_serving", "fixtures_argilla", "fixtures_training", "fixtures_flows", "fixtures_circle"]


@pytest.fixture(autouse=True)
def _an_environment_of_its_own() -> Iterator[None]:
    """A command run in this process sets what Prefect needs (session.prepared): no test after it may see that."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
