"""The whole circle on the sample task, by itself: through Prefect, Argilla, Axolotl and the gateway, as in production.

    label -> (the scripted reviewer answers in Argilla) -> collect -> [event] train -> [event] release -> the gateway

Only the reviewer is a stand-in: people answer for days. Everything else is what `make up` runs. A second demo asks,
reviews and trains nothing anew: what is known is recognised, and shown again.
"""

from flows.settings import Settings
from records.progress import Progress


def run(settings: Settings, progress: Progress, documents: int = 0) -> None:
    """x."""
