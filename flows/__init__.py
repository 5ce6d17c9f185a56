"""The verbs of the circle as Prefect flows; the only room that knows Prefect."""
