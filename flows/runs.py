"""Start a deployment and follow its run: what a person does in Prefect's UI, for the demo and the tests.

run = start("label/label", task="legal_intake"); follow(run, progress)
run = next_run("train/train", since=then); follow(run, progress)         # one that an event started
"""

import re
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterType,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from records.errors import ServiceError
from records.progress import Progress, silent

_EVERY_SECONDS = 2.0
_TOLD = re.compile(r"(?P<stage>.+?): (?P<done>\d+) of (?P<total>\d+|\?) ?(?P<note>.*)", re.DOTALL)


def start(deployment: str, **parameters: Any) -> UUID:
    """Start a deployment (`flow/name`) with these parameters; the flow run's id."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=parameters).id


def next_run(deployment: str, since: datetime, timeout: float = 180) -> UUID:
    """The first run of a deployment that was to start after `since`. Raises ServiceError when none comes in time."""
    until = time.monotonic() + timeout
    with get_client(sync_client=True) as client:
        wanted = DeploymentFilter(id=DeploymentFilterId(any_=[client.read_deployment_by_name(deployment).id]))
        after = FlowRunFilterExpectedStartTime(after_=since)  # type: ignore[arg-type]  # its own subclass of datetime
        later = FlowRunFilter(expected_start_time=after)
        while time.monotonic() < until:
            runs = client.read_flow_runs(
                deployment_filter=wanted,
                flow_run_filter=later,
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            )
            if runs:
                return runs[0].id
            time.sleep(_EVERY_SECONDS)
    raise ServiceError(f"no run of {deployment} was started by its event within {timeout:.0f} s: see Prefect's UI.")


def follow(run: UUID, progress: Progress = silent) -> FlowRun:
    """Wait until a run has ended, passing its progress on. Raises ServiceError unless it completed."""
    with get_client(sync_client=True) as client:
        while True:
            now = client.read_flow_run(run)
            _tell(client, run, progress)
            if now.state and now.state.is_final():
                break
            time.sleep(_EVERY_SECONDS)
    if not now.state.is_completed():
        raise ServiceError(f"the run {now.name} ended as {now.state.name}: {now.state.message}")
    return now


def _tell(client: SyncPrefectClient, run: UUID, progress: Progress) -> None:
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    moving = ArtifactFilter(type=ArtifactFilterType(any_=["progress"]))
    for artifact in sorted(
        client.read_artifacts(flow_run_filter=mine, artifact_filter=moving), key=lambda a: str(a.created)
    ):
        told = _TOLD.fullmatch(artifact.description or "")
        if told:
            total = int(told["total"]) if told["total"] != "?" else 0
            progress(told["stage"], int(told["done"]), total, told["note"])
