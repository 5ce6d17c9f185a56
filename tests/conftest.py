"""The fixtures of real services live in files of their own, named after the room."""

pytest_plugins = ["fixtures_serving", "fixtures_argilla", "fixtures_training", "fixtures_flows"]
