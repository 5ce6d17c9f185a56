"""The store of a team: Postgres, where this machine has it (Debian: `apt install postgresql`); else these are skipped.

A server of the tests' own, in a temporary folder, as a user that is not root.
"""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from task_folders import make_task

from flows.workers import label_in_processes
from prompts.endpoint import teacher_endpoint
from prompts.standin import Standin
from prompts.supply import Terms
from records import library
from records.claims import Bounds
from records.progress import silent
from records.store import Store

FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = pytest.mark.skipif(not FOUND, reason="no Postgres on this machine (Debian: apt install postgresql)")


def as_server(*command: str) -> None:
    """Postgres refuses to run as root: Debian's package made a user for it."""
    user = "postgres" if os.getuid() == 0 else None
    subprocess.run(command, check=True, capture_output=True, user=user, cwd="/")


@pytest.fixture(scope="module")
def postgres():
    initdb, pg_ctl = (str(FOUND[-1].parent / name) for name in ("initdb", "pg_ctl"))
    folder = Path(tempfile.mkdtemp(prefix="retort-postgres-"))
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    data = str(folder / "data")
    as_server(initdb, "-D", data, "-U", "retort", "-A", "trust", "-E", "UTF8")
    as_server(pg_ctl, "-D", data, "-o", options, "-w", "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg://retort@127.0.0.1:{port}/postgres"
    as_server(pg_ctl, "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


async def test_workers_share_a_task_and_its_budget_on_postgres_and_ask_nothing_twice(tmp_path, postgres):
    task = make_task(tmp_path / "mail")
    store = Store.open(postgres)
    library.add(store, [library.document("mail", f"Letter {n} about a debt", source="test") for n in range(150)])
    ids = library.Stream(store, "mail").ids
    async with Standin(["lease", "debt", "data"], latency_s=0.02) as standin:
        own = replace(teacher_endpoint(task, standin.url, {}), mode="generate", repair=False)
        own = replace(own, input_price=1_000.0, output_price=0.0)

        def label(terms):
            return label_in_processes(store, postgres, task, ids, own, silent, terms, workers=2)

        few = await asyncio.to_thread(label, Terms(Bounds(run_usd=1.0)))
        rest = await asyncio.to_thread(label, Terms())
        assert Counter(standin.answered.values()) == {1: 150}
        assert standin.prompt_tokens * 1e-3 == pytest.approx(few.cost_usd + rest.cost_usd)
    assert few.stopped == "budget of $1 for this run used up" and 0.5 < few.cost_usd <= 1.0
    assert (rest.known, rest.answered, rest.left) == (few.answered, 150 - few.answered, 0)
    store.close()
