"""The fixtures of real services live in files of their own, named after the room."""

import os
import tempfile

# Prefect makes its home at import, which happens while tests are collected: not in the home of whoever runs them.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="retort-tests-prefect-")

pytest_plugins = ["fixtures_serving", "fixtures_argilla", "fixtures_training", "fixtures_flows", "fixtures_circle"]
