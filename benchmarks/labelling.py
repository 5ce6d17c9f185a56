"""How fast is labelling? The whole engine against bare aiohttp and against LiteLLM in a plain loop, in one run.

All three ask the same short texts of the stand-in model server, which is a process of its own and takes 200 ms an
answer. `aiohttp` posts and reads JSON: what the machine allows. `litellm` is what one writes by hand: `acompletion` of
an `openai/` model under a semaphore, with its own retries. `retort` is `prompts.engine.label_many` with everything on:
prompt, answer key, claims, parsing, retries, every answer in an SQLite store, in a temporary folder. Each is measured
in a process of its own, from the first call to the last answer; imports, one warm-up call and
adding the documents to the store are not in it.
With two workers there are two processes: the references take half of the texts each, Retort's share one store and all
of the texts, as the processes of `retort label --workers 2` do. All are warm and start together.

    .venv/app/bin/python benchmarks/labelling.py                     everything: some 20 minutes
    .venv/app/bin/python benchmarks/labelling.py --quick             128 in flight, one worker, no faults
    .venv/app/bin/python benchmarks/labelling.py --rows 2000 --in-flight 32,128 --workers 1,2 --faults 0,0.2

The columns: rows a second, CPU of the client's processes in milliseconds a row, their peak memory (the largest), and
the ratio of rows a second to both references of the same setting. `store`: what writing one answer costs, with the
16 answers in a commit and with one. Last line: the same figures as one JSON object.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from prompts.booking import label_of
from prompts.endpoint import teacher_endpoint
from prompts.task import Task, load_task
from records import ledger, library
from records.store import Store
from records.types import Outcome, Role

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("aiohttp", "litellm", "retort")
LATENCY_S = 0.2
ANSWERS = ["lease", "debt", "privacy"]
TASK: dict[str, Any] = {
    "name": "bench",
    "title": "Benchmark",
    "instructions": "Sort the mail. Answer with one word: lease, debt or privacy.",
    "answer": {"kind": "choice", "labels": [{"name": name} for name in ANSWERS]},
    "teacher": {"model": "openai/tiny", "api_base": "local", "mode": "generate", "retries": 8},
}
_FAULTS = {"429": 0.5, "500": 0.3, "reset": 0.2}
"""How the injected faults divide: pushed back, failed, cut off."""


@dataclass(frozen=True)
class Setting:
    """What is measured: one row of the table."""

    way: str
    rows: int
    in_flight: int
    workers: int
    faults: float


@dataclass(frozen=True)
class Measured:
    """What came of it. `answered`: rows with an answer."""

    rows_per_s: float
    cpu_ms: float
    peak_mb: float
    answered: int


def text_of(number: int) -> str:
    """One of the short texts."""
    return f"Letter {number}: about our {ANSWERS[number % 3]} of last spring, and what is to be done with it by Friday."


@contextmanager
def standin(faults: float) -> Iterator[str]:
    """A stand-in in a process of its own, and its address."""
    line = [sys.executable, "-m", "prompts.standin", "--answers", ",".join(ANSWERS), "--latency-s", str(LATENCY_S)]
    if faults:
        line += [part for kind, share in _FAULTS.items() for part in ("--fault", f"{kind}={faults * share}")]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


# --- one process: python labelling.py --process '{...}' prints one JSON object


def process(work: dict[str, Any]) -> dict[str, float]:
    """Measure one way in this process: when it began and ended, CPU seconds, peak memory in MB."""
    ask = {"aiohttp": _aiohttp, "litellm": _litellm, "retort": _retort}[work["way"]]
    texts = [text_of(n) for n in range(work["first"], work["first"] + work["rows"])]
    began, ended, cpu, answered = asyncio.run(ask(work, texts))
    return {"began": began, "ended": ended, "cpu": cpu, "peak": _peak_mb(), "answered": answered}


def _peak_mb() -> float:
    """This process's own peak; getrusage's begins, on Linux, with that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _wait_for_the_others() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _messages(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": TASK["instructions"]}, {"role": "user", "content": text}]


async def _bounded(
    work: dict[str, Any], texts: list[str], ask: Callable[[str], Awaitable[str | None]]
) -> tuple[float, float, float, int]:
    """Ask about all texts under a semaphore, as one writes it by hand."""
    gate = asyncio.Semaphore(work["in_flight"])

    async def one(text: str) -> str | None:
        async with gate:
            return await ask(text)

    await ask("warm up: lease")
    _wait_for_the_others()
    began, cpu = time.time(), time.process_time()
    said = await asyncio.gather(*(one(text) for text in texts))
    return began, time.time(), time.process_time() - cpu, sum(answer is not None for answer in said)


async def _aiohttp(work: dict[str, Any], texts: list[str]) -> tuple[float, float, float, int]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(text: str) -> str | None:
            body = {"model": "tiny", "messages": _messages(text), "temperature": 0, "max_tokens": 16}
            for _ in range(9):
                try:
                    async with session.post(f"{work['url']}/chat/completions", json=body) as response:
                        if response.status == 200:
                            return str((await response.json())["choices"][0]["message"]["content"])
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
            return None

        return await _bounded(work, texts, ask)


async def _litellm(work: dict[str, Any], texts: list[str]) -> tuple[float, float, float, int]:
    from prompts.litellm_door import vendor

    litellm = vendor()

    async def ask(text: str) -> str | None:
        try:
            response = await litellm.acompletion(
                model="openai/tiny", api_base=work["url"], api_key="none", messages=_messages(text),
                temperature=0, max_tokens=16, num_retries=8,
            )  # fmt: skip
        except litellm.exceptions.APIError:
            return None
        return str(response.choices[0].message.content)

    try:
        return await _bounded(work, texts, ask)
    finally:
        await litellm.close_litellm_async_clients()


def _task(folder: Path) -> Task:
    (folder / "bench").mkdir()
    (folder / "bench" / "task.yaml").write_text(yaml.safe_dump(TASK), encoding="utf-8")
    (folder / "bench" / "guidelines.md").write_text("Read, then decide.", encoding="utf-8")
    return load_task(folder / "bench")


async def _retort(work: dict[str, Any], texts: list[str]) -> tuple[float, float, float, int]:
    from prompts.call import call
    from prompts.engine import label_many
    from prompts.supply import Terms

    task, store = load_task(Path(work["folder"]) / "bench"), _store(work["folder"])
    own = replace(teacher_endpoint(task, work["url"], {}), max_in_flight=work["in_flight"] * work["workers"])
    documents = [library.document(task.name, text, source="bench") for text in texts]
    await call(own, _messages("warm up: lease"), {})
    _wait_for_the_others()
    began, cpu = time.time(), time.process_time()
    terms = Terms(share=1 / work["workers"])
    summary = await label_many(store, task, documents, own, Role.teacher, terms=terms)
    ended, cpu = time.time(), time.process_time() - cpu
    store.close()
    return began, ended, cpu, summary.answered


def _store(folder: str) -> Store:
    return Store.open(f"sqlite:///{folder}/retort.db")


def _prepared(folder: str, rows: int) -> None:
    """A task, and a store that knows its documents."""
    task, store = _task(Path(folder)), _store(folder)
    library.add(store, [library.document(task.name, text_of(n), source="bench") for n in range(rows)])
    store.close()


# --- the whole: a process a way and worker, a table


def measure(setting: Setting) -> Measured:
    """One row of the table."""
    count = setting.workers
    part = 1 if setting.way == "retort" else count  # Retort's processes share all of the texts
    with standin(setting.faults) as url, tempfile.TemporaryDirectory() as folder:
        _prepared(folder, setting.rows)
        each = max(1, setting.in_flight // count)
        work = {**asdict(setting), "url": url, "folder": folder, "rows": setting.rows // part, "in_flight": each}
        began = [_start({**work, "first": n * work["rows"] if part > 1 else 0}) for n in range(count)]
        found = _together(began)
    seconds = max(one["ended"] for one in found) - min(one["began"] for one in found)
    rows, answered = work["rows"] * part, int(sum(one["answered"] for one in found))
    cpu = 1e3 * sum(one["cpu"] for one in found) / rows
    return Measured(rows / seconds, cpu, max(one["peak"] for one in found), answered)


def _start(work: dict[str, Any]) -> "subprocess.Popen[str]":
    line = [sys.executable, __file__, "--process", json.dumps(work)]
    return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _together(processes: list["subprocess.Popen[str]"]) -> list[dict[str, float]]:
    """Let all go when all are ready; what each found."""
    for one in processes:
        assert one.stdout is not None and one.stdout.readline() == "ready\n", "a process did not get ready"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return [json.loads(one.communicate()[0].splitlines()[-1]) for one in processes]


def store_cost(count: int = 512) -> dict[str, float]:
    """Milliseconds to write one answer: `alone`, a commit each; `grouped`, 16 to a commit; wall clock and CPU."""
    with tempfile.TemporaryDirectory() as folder:
        task, store = _task(Path(folder)), Store.open(f"sqlite:///{folder}/retort.db")
        figures: dict[str, float] = {}
        for name, size in (("alone", 1), ("grouped", 16)):
            labels = [_label(task, f"{name} {n}") for n in range(count)]
            began, cpu = time.perf_counter(), time.process_time()
            for start in range(0, count, size):
                ledger.save(store, labels[start : start + size])
            figures[f"{name}_ms"] = 1e3 * (time.perf_counter() - began) / count
            figures[f"{name}_cpu_ms"] = 1e3 * (time.process_time() - cpu) / count
        store.close()
    return figures


def _label(task: Task, name: str) -> Any:
    from prompts.reply import Reply

    reply = Reply(Outcome.answered, "lease", 0.9, {"lease": -0.1, "debt": -3.0}, raw="lease", prompt_tokens=60)
    return label_of(
        task.name, teacher_endpoint(task, "http://127.0.0.1:1", {}), Role.teacher, "0" * 16, "run", name, reply
    )


def _arguments() -> argparse.Namespace:
    def numbers(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
        return lambda text: [kind(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_200, help="texts a measurement")
    parser.add_argument("--in-flight", type=numbers(int), default=[1, 32, 128, 512], help="requests at once, in all")
    parser.add_argument("--workers", type=numbers(int), default=[1, 2], help="processes")
    parser.add_argument("--faults", type=numbers(float), default=[0.0, 0.2], help="share of faulty attempts, 0..1")
    parser.add_argument("--quick", action="store_true", help="128 in flight, one worker, no faults, 600 rows")
    parser.add_argument("--process", type=json.loads, default=None, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.quick:
        found.rows, found.in_flight, found.workers, found.faults = 600, [128], [1], [0.0]
    return found


def _settings(chosen: argparse.Namespace) -> Iterator[list[Setting]]:
    """The ways of one setting, together. At few in flight only the latency is measured: fewer rows do."""
    for faults in chosen.faults:
        for workers in chosen.workers:
            for in_flight in chosen.in_flight:
                rows = max(workers, min(chosen.rows, 25 * in_flight))
                yield [Setting(way, rows, in_flight, workers, faults) for way in WAYS]


def _line(setting: Setting, found: Measured, by: dict[str, Measured]) -> str:
    left = f"{setting.way:<9}{setting.in_flight:>9}{setting.workers:>8}{setting.faults:>7.0%}{setting.rows:>6}"
    figures = f"{found.rows_per_s:>9.1f}{found.cpu_ms:>8.2f}{found.peak_mb:>7.0f}{found.answered:>9}"
    ratios = "".join(f"{found.rows_per_s / by[one].rows_per_s:>11.2f}" for one in WAYS[:2])
    return left + figures + ratios


def main() -> int:
    """Print the table; exit code 1 when Retort with one worker is slower than LiteLLM in a plain loop."""
    chosen = _arguments()
    if chosen.process is not None:
        print(json.dumps(process(chosen.process)))
        return 0
    print("way      in flight workers faults  rows   rows/s  CPU ms     MB answered x aiohttp  x litellm")
    told: list[dict[str, Any]] = []
    for group in _settings(chosen):
        by: dict[str, Measured] = {}
        for setting in group:
            by[setting.way] = measure(setting)
        for setting in group:
            print(_line(setting, by[setting.way], by), flush=True)
            told.append({**asdict(setting), **{k: round(v, 3) for k, v in asdict(by[setting.way]).items()}})
    store = {name: round(value, 3) for name, value in store_cost().items()}
    print("store    " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in store.items()))
    print(json.dumps({"latency_s": LATENCY_S, "rows": told, "store": store}))
    alone = [r for r in told if r["workers"] == 1 and r["way"] != "aiohttp"]
    return int(any(r["rows_per_s"] < o["rows_per_s"] for o, r in zip(alone[::2], alone[1::2], strict=True)))


if __name__ == "__main__":
    sys.exit(main())
