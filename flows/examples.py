"""The way from a step to the examples that the teacher is shown: which pool they are chosen from, and a new one."""

import os

from flows.context import Context
from prompts.pool import Chooser, chooser, drafted
from prompts.task import Task
from records import pools
from records.pools import Pool


def examples_of(context: Context, task: Task, pool: Pool | None = None) -> Chooser | None:
    """What chooses the examples of each document; None: the task's own are shown. `pool`: in place of the present."""
    return chooser(context.store, task, os.environ, pool)


def freeze_examples(context: Context, task: Task) -> Pool:
    """Freeze what people corrected until now as the pool that examples are chosen from.

    What was labelled with another pool is asked again. The same answers again are the same pool. Raises InputError
    as `prompts.pool.drafted` does.
    """
    pool = drafted(context.store, task)
    pools.add(context.store, pool)
    context.progress("examples", len(pool.pairs), len(pool.pairs), f"pool {pool.version}")
    return pool


def shown_with(context: Context, task: Task) -> str:
    """Where the examples come from, in a sentence; empty for a task that shows the same to all."""
    if task.retrieval is None:
        return ""
    pool = pools.get(context.store, task.name, task.retrieval.pool)
    if pool is None:
        return "the task's own; --refresh-examples chooses from what people corrected, and asks anew what was answered"
    return f"nearest of {len(pool.pairs)} corrected documents (pool {pool.version})"
