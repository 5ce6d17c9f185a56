"""Argilla's background jobs inside the server's own process: no Redis, no worker.

Argilla queues a few things with RQ: webhooks, re-applying `min_submitted` after a change, hub import and export. Here
the queue's records live in an in-memory Redis (so that `GET /api/v1/jobs/{id}` works), and a job runs as a task of the
server's event loop. RQ's own `is_async=False` cannot be used: it calls `run_until_complete` inside the running loop.
Jobs that wait when the process dies are lost: a webhook is a hint, and whoever needs the answers polls.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import fakeredis
import redis
import rq
from rq.job import Job, JobStatus

_LOG = logging.getLogger("argilla.embedded.jobs")
_KEEP_S = 3600  # how long a finished job can be asked about
_LONGEST_PAUSE_S = 60
_running: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references to tasks


def install() -> None:
    """Put the in-memory Redis and the in-process queue in place; must be called before argilla_server is imported."""
    server = fakeredis.FakeServer()
    redis.from_url = lambda *args, **kwargs: fakeredis.FakeRedis(server=server)
    rq.Queue = InProcessQueue


class InProcessQueue(rq.Queue):
    """An RQ queue whose jobs start at once, in the loop that enqueued them."""

    def _enqueue_job(self, job: Job, pipeline: Any = None, at_front: bool = False, unique: bool = False) -> Job:
        job.redis_server_version = self.get_redis_server_version()
        job.origin = self.name
        job.enqueued_at = datetime.now(UTC)
        job.set_status(JobStatus.QUEUED)
        job.save()
        task = asyncio.get_running_loop().create_task(_perform(job))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return job


async def _perform(job: Job) -> None:
    pauses = [*(job.retry_intervals or [1])]
    attempts = 1 + (job.retries_left or 0)
    job.set_status(JobStatus.STARTED)
    for attempt in range(attempts):
        if await _succeeds(job, f"attempt {attempt + 1} of {attempts}"):
            job.set_status(JobStatus.FINISHED)
            break
        if attempt + 1 < attempts:
            await asyncio.sleep(min(pauses[min(attempt, len(pauses) - 1)], _LONGEST_PAUSE_S))
    else:
        job.set_status(JobStatus.FAILED)
    job.cleanup(ttl=_KEEP_S)


async def _succeeds(job: Job, attempt: str) -> bool:
    try:
        work = _notify if job.func.__name__ == "notify_event_job" else job.func
        await work(*job.args, **job.kwargs)
    except Exception:
        _LOG.exception("job %s failed (%s)", job.description, attempt)
        return False
    return True


async def _notify(webhook_id: UUID, event: str, timestamp: Any, data: dict[str, Any]) -> None:
    """Argilla's `notify_event_job` with its HTTP in a thread: a listener that calls back would block the server."""
    from argilla_server.database import AsyncSessionLocal
    from argilla_server.models import Webhook
    from argilla_server.webhooks.v1.commons import notify_event

    async with AsyncSessionLocal() as db:
        webhook = await Webhook.get_or_raise(db, webhook_id)
    (await asyncio.to_thread(notify_event, webhook, event, timestamp, data)).raise_for_status()
