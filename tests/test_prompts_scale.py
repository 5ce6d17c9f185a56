"""Labelling at scale: several processes, killed at random, under faults; the ledger agrees with the server's counts."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from task_folders import make_task, write_task

from flows.workers import label_in_processes
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.standin import Standin
from prompts.supply import Terms
from prompts.throttle import WINDOW_S, Throttle
from records import claims, ledger, library, runs
from records.claims import Bounds
from records.errors import ServiceError
from records.progress import silent
from records.store import Store
from records.types import Outcome, Role

ANSWERS = ["lease", "debt", "data"]
ROOT = Path(__file__).parents[1]
FAULTS = {"429": 0.1, "500": 0.1, "400": 0.05, "reset": 0.05, "garbage": 0.05, "content_filter": 0.05, "refusal": 0.05}


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


def add_documents(store, count):
    texts = [f"Letter {n} about a {ANSWERS[n % 3]}" for n in range(count)]
    library.add(store, [library.document("mail", text, source="test") for text in texts])
    return library.Stream(store, "mail")


class Server:
    """A stand-in in a process of its own, which outlives those that ask it."""

    def __init__(self, *options):
        command = [sys.executable, "-m", "prompts.standin", "--answers", ",".join(ANSWERS), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    @property
    def counts(self):
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/counts") as response:
            return json.load(response)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server():
    started = Server("--latency-s", "0.05")
    yield started
    started.stop()


def endpoint_at(task, url, **changes):
    return replace(teacher_endpoint(task, url, {}), mode="generate", **changes)


def assert_sums_agree(store, counts):
    """Runs are labels and charges, and both are what the server counted, to the token."""
    labels, paid = ledger.labels(store, "mail"), runs.charges(store, "mail")
    for name in ("prompt_tokens", "completion_tokens"):
        kept = sum(getattr(row, name) for row in [*labels, *paid])
        assert kept == counts[name]
    cost = counts["prompt_tokens"] * 2e-6 + counts["completion_tokens"] * 1e-5
    assert ledger.spent(store, "mail") == pytest.approx(cost)


@pytest.mark.parametrize("mode", ["generate", "score"])
async def test_the_ledger_is_what_the_server_counted_to_the_token(tmp_path, store, mode):
    task = make_task(tmp_path / "mail", teacher={"calibrate": True})
    documents = add_documents(store, 60)
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url, input_price=2.0, output_price=10.0, retries=6)
        own = replace(own, mode=mode, calibrate=mode == "score")
        await label_many(store, task, list(documents)[:3], own, Role.teacher)
        standin.faults = dict(FAULTS)
        for again in ((Outcome.failed,), (Outcome.failed, Outcome.unreadable, Outcome.refused)):
            await label_many(store, task, documents, own, Role.teacher, terms=Terms(again=again))
        assert_sums_agree(store, standin.counts)
    purposes = Counter(charge.purpose for charge in runs.charges(store, "mail"))
    assert purposes["footing"] == (1 if mode == "score" else 0) and purposes["replaced"] > 0


async def test_the_prices_of_a_run_are_kept_with_it(tmp_path, store):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url, input_price=2.0, output_price=10.0)
        await label_many(store, task, add_documents(store, 4), own, Role.teacher)
    (run,) = {label.run for label in ledger.labels(store, "mail")}
    kept = runs.get(store, run)
    assert (kept.input_price, kept.output_price, kept.answered, kept.claimed) == (2.0, 10.0, 4, 4)
    assert kept.ended_at is not None and kept.stopped is None


def test_two_processes_ask_nothing_twice_and_share_one_budget(tmp_path, store, server):
    task = make_task(tmp_path / "mail")
    documents = add_documents(store, 400)
    own = endpoint_at(task, server.url, input_price=1_000.0, output_price=0.0, max_in_flight=16, repair=False)
    url = f"sqlite:///{tmp_path / 'retort.db'}"
    bounded = Terms(Bounds(run_usd=2.0))
    few = label_in_processes(store, url, task, documents.ids, own, silent, bounded, workers=2)
    assert few.stopped == "budget of $2 for this run used up" and 1.5 < few.cost_usd <= 2.0
    seen = []
    rest = label_in_processes(store, url, task, documents.ids, own, lambda *told: seen.append(told), Terms(), workers=2)
    assert (rest.known, rest.asked, rest.left, rest.stopped) == (few.answered, 400 - few.answered, 0, None)
    assert set(server.counts["answered"].values()) == {1} and len(server.counts["answered"]) == 400
    assert seen[-1][1:3] == (400, 400) and "/s" in seen[-1][3]
    assert ledger.spent(store, "mail") == pytest.approx(server.counts["prompt_tokens"] * 1e-3)
    with store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM claims").scalar_one() == 0


def test_a_worker_that_is_killed_is_one_error_and_what_it_had_in_flight_is_asked_again(tmp_path, store, server):
    task = make_task(tmp_path / "mail")
    documents = add_documents(store, 200)
    own = endpoint_at(task, server.url, max_in_flight=8)
    url = f"sqlite:///{tmp_path / 'retort.db'}"

    killed = []

    def kill_one(stage, done, total, note):
        with store.read() as db:
            owners = db.exec_driver_sql("SELECT DISTINCT owner FROM claims").scalars().all()
        if done > 40 and owners and not killed:
            killed.append(int(owners[0].split("/")[1]))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(ServiceError, match=r"ended by itself \(exit code -9\).*Start again"):
        label_in_processes(store, url, task, documents.ids, own, kill_one, Terms(), workers=2)
    rest = label_in_processes(store, url, task, documents.ids, own, silent, Terms(), workers=2)
    assert rest.left == 0 and len(ledger.labels(store, "mail")) == 200
    times = Counter(server.counts["answered"].values())
    assert set(times) <= {1, 2} and times[2] <= 4  # its share of what may be in flight


RUNNER = """
import asyncio, sys
from pathlib import Path
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.task import load_task
from records import library
from records.store import Store
from records.types import Role

task, store = load_task(Path(sys.argv[1])), Store.open(sys.argv[3])
documents = library.Stream(store, "mail")
asyncio.run(label_many(store, task, documents, teacher_endpoint(task, sys.argv[2], {}), Role.teacher))
"""


def test_killed_at_random_again_and_again_nothing_answered_is_asked_twice_or_lost(tmp_path, store):
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    write_task(tmp_path / "mail", teacher={"mode": "generate", "max_in_flight": 8, "retries": 8})
    documents = add_documents(store, 300)
    server = Server(
        "--latency-s", "0.03", *(f"--fault={kind}={share}" for kind, share in (("429", 0.1), ("reset", 0.1)))
    )
    line = [sys.executable, "-c", RUNNER, str(tmp_path / "mail"), server.url, f"sqlite:///{tmp_path / 'retort.db'}"]
    in_flight, kills = 0, 0
    try:
        for _ in range(20):
            with subprocess.Popen(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as victim:
                waited = rng.uniform(4.0, 9.0) if kills < 3 else 120
                try:
                    victim.wait(waited)
                except subprocess.TimeoutExpired:
                    victim.kill()
                    kills += 1
            if victim.returncode == 0:
                break
            in_flight = sum(server.counts["answered"].values()) - len(ledger.labels(store, "mail"))
            assert 0 <= in_flight <= 8 * kills, f"seed {seed}"
        times = Counter(server.counts["answered"].values())
    finally:
        server.stop()
    kept = ledger.labels(store, "mail")
    assert {label.outcome for label in kept} == {Outcome.answered}, f"seed {seed}"
    assert len(kept) == len(documents) == 300, f"seed {seed}"
    assert sum((n - 1) * count for n, count in times.items()) <= 8 * kills, f"seed {seed}"


def test_a_stop_does_not_wait_for_ever_for_a_server_that_does_not_answer(tmp_path, store):
    write_task(tmp_path / "mail", teacher={"mode": "generate", "max_in_flight": 2})
    add_documents(store, 40)
    server = Server("--fault=slow=1.0")
    line = [sys.executable, "-c", RUNNER, str(tmp_path / "mail"), server.url, f"sqlite:///{tmp_path / 'retort.db'}"]
    try:
        with subprocess.Popen(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as asking:
            until = time.monotonic() + 60
            while server.counts["faults"].get("slow", 0) < 2:
                assert time.monotonic() < until
                time.sleep(0.1)
            asking.send_signal(signal.SIGTERM)
            assert asking.wait(45) == 0  # half a minute for what is in flight, then no longer
    finally:
        server.stop()
    with store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM claims").scalar_one() == 0


def claim(store, keys, owner, run="r", usd=0.0, **bounds):
    return claims.take(store, "mail", run, owner, dict.fromkeys(keys, usd), Bounds(**bounds))


def begun(store, task, endpoint):
    from prompts.booking import begin_run

    return begin_run(store, task, endpoint, Role.teacher, Terms()).id


@pytest.fixture
def run(tmp_path, store):
    task = make_task(tmp_path / "mail")
    return begun(store, task, endpoint_at(task, "http://127.0.0.1:9/v1"))


def test_a_claimed_document_is_another_process_s_until_it_gives_it_up(store, run):
    first = claim(store, ["a", "b"], "here/1/x", run)
    second = claim(store, ["b", "c"], "here/2/y", run)
    assert (first.mine, second.mine, second.elsewhere) == (["a", "b"], ["c"], {"b"})
    claims.release(store, "here/1/x")
    assert claim(store, ["b"], "here/2/y", run).mine == ["b"]


def test_claims_of_a_dead_process_of_this_machine_end_at_once_and_others_run_out(store, run, monkeypatch):
    machine = claims.owner().split("/")[0]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    claim(store, ["dead"], f"{machine}/{gone.pid}/x", run)
    claim(store, ["alive"], claims.owner(), run)
    claim(store, ["far"], "elsewhere/1/x", run)
    claims.forget_dead(store, "mail")
    assert claim(store, ["dead", "alive", "far"], "other/9/z", run).mine == ["dead"]
    with store.begin() as db:
        db.exec_driver_sql("UPDATE claims SET expires_at = '2020-01-01 00:00:00' WHERE key = 'far'")
    assert claim(store, ["alive", "far"], "other/9/z", run).mine == ["far"]


def test_what_is_reserved_counts_until_it_turns_out_cheaper(store, run):
    first = claim(store, ["a", "b", "c"], "here/1/x", run, usd=0.4, task_usd=1.0)
    assert (first.mine, first.left, first.blocked, first.final) == (["a", "b"], ["c"], "budget of $1 used up", False)
    claims.release(store, "here/1/x")
    assert claim(store, ["c"], "here/1/x", run, usd=0.4, task_usd=1.0).mine == ["c"]


async def test_a_throttle_backs_off_when_most_is_refused_and_recovers():
    throttle = Throttle(64)

    async def window(refused, served):
        for _ in range(refused):
            throttle.push_back(0.01)
        for _ in range(served):
            await throttle.acquire(1)
        for _ in range(served):
            throttle.release()
        await asyncio.sleep(WINDOW_S)

    await window(0, 1)
    for _ in range(4):
        await window(20, 1)
    await window(0, 1)
    low = throttle.limit
    assert low < 4
    for _ in range(3):
        takers = [asyncio.ensure_future(throttle.acquire(1)) for _ in range(80)]
        await asyncio.sleep(0)
        while not all(t.done() for t in takers):
            throttle.release()
            await asyncio.sleep(0)
        for _ in range(throttle._active):
            throttle.release()
        await asyncio.sleep(WINDOW_S)
    assert throttle.limit > 1.5 * low


async def test_no_request_starts_before_the_retry_after_when_everything_is_refused():
    throttle = Throttle(8)
    throttle.push_back(0.0)
    await asyncio.sleep(WINDOW_S)
    for _ in range(8):
        throttle.push_back(0.7)
    await asyncio.sleep(WINDOW_S)
    throttle.push_back(0.7)
    began = time.monotonic()
    await throttle.acquire(1)
    assert time.monotonic() - began >= 0.65


async def test_requests_a_minute_are_kept(tmp_path, store):
    task = make_task(tmp_path / "mail")
    documents = add_documents(store, 30)
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url, requests_per_minute=600.0, max_in_flight=16)
        summary = await label_many(store, task, documents, own, Role.teacher)
    assert summary.answered == 30 and summary.seconds > 0.9  # 20 at once, then ten a second


async def test_only_what_ended_so_is_asked_again_when_a_person_says_so(tmp_path, store):
    task = make_task(tmp_path / "mail")
    documents = add_documents(store, 30)
    async with Standin(ANSWERS, faults={"garbage": 0.5}) as standin:
        own = endpoint_at(task, standin.url)
        first = await label_many(store, task, documents, own, Role.teacher)
        standin.faults = {}
        quiet = await label_many(store, task, documents, own, Role.teacher)
        again = await label_many(store, task, documents, own, Role.teacher, terms=Terms(again=(Outcome.unreadable,)))
    assert first.unreadable > 0
    assert (quiet.asked, again.asked, again.answered) == (0, first.unreadable, first.unreadable)


MEMORY = r"""
import asyncio, re, sys
from pathlib import Path
from prompts.booking import label_of
from prompts.reply import Reply
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.render import prompt_fingerprint
from prompts.task import load_task
from records import ledger, library
from records.store import Store
from records.types import Outcome, Role

task, store = load_task(Path(sys.argv[1])), Store.open(sys.argv[3])
endpoint, prompt = teacher_endpoint(task, sys.argv[2], {}), prompt_fingerprint(task, True)
filler = " and so on for a page" * 40
for start in range(0, 100_000, 5_000):
    texts = [f"Letter {n} about a debt{filler}" for n in range(start, start + 5_000)]
    page = [library.document("mail", text, source="test") for text in texts]
    library.add(store, page)
    done = Reply(Outcome.answered, "debt", 0.9, {"lease": -3.0, "debt": -0.1, "data": -4.0}, prompt_tokens=300)
    told = [label_of("mail", endpoint, Role.teacher, prompt, "before", d.id, done) for d in page if d.id > "05"]
    ledger.save(store, told)
summary = asyncio.run(label_many(store, task, library.Stream(store, "mail"), endpoint, Role.teacher))
# Not getrusage: its maximum begins with that of the process that started this one.
peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
print(summary.seen, summary.asked, summary.left, int(peak) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read from /proc")
def test_100_000_documents_take_less_than_400_mb(tmp_path, server):
    write_task(tmp_path / "mail", teacher={"mode": "generate", "max_in_flight": 32})
    line = [sys.executable, "-c", MEMORY, str(tmp_path / "mail"), server.url, f"sqlite:///{tmp_path / 'big.db'}"]
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    seen, asked, left, megabytes = map(int, done.stdout.split())
    assert seen == 100_000 and left == 0 and 1_000 < asked < 3_000
    assert megabytes < 400
