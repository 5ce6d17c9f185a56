"""Is the embedded review desk quick enough with 100,000 records? The real server, asked over HTTP as the UI asks.

The records are written into Argilla's database by SQL, in one transaction: logged through its API they would take half
an hour, and be the same rows (the word index is kept by the same triggers). A record has 120 words (or the texts of
--texts), three metadata, a suggestion; one in five is answered. Each request is timed from outside, the median of 5 is
shown, with its ratio to a reference measured in the same run: one pass of bare sqlite3 (`instr`) over all texts. Beside
it stands the CPU time that the server took, which other work on the machine does not move; the limits hold for that.

    .venv/app/bin/python benchmarks/review_desk.py                       100,000 records, 2 minutes, no network
    .venv/app/bin/python benchmarks/review_desk.py --records 5000        a first look, half a minute
    .venv/app/bin/python benchmarks/review_desk.py --texts FILE.jsonl    words of your own: `text` of each line

Last line: the same figures as one JSON object. Exit code 1 when a limit is not kept.
"""

import argparse
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from review import people

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv/argilla/bin/python"
WORKSPACE = "retort"
LABELS = [f"label-{n}" for n in range(12)]
REASONS = ["model unsure", "test set", "audit"]
TIMES = 5
QUEUE_S, SEARCH_S = 0.5, 1.0
"""What the two things that reviewers do all day may take."""


class Row(NamedTuple):
    """One request: what it is, what it took, how many records it found. `cpu`: the server's seconds of CPU."""

    name: str
    seconds: float
    cpu: float
    found: int
    limit: float | None


def main() -> int:
    """Print the table and the JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="how many (default 100,000)")
    parser.add_argument("--texts", type=Path, help="JSONL with a field `text`; else words are made up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="review-desk-") as folder, serving(Path(folder)) as (api, reviewer, pid):
        file = Path(folder) / "argilla" / "argilla.db"
        dataset = made(api)
        started = time.perf_counter()
        fill(file, dataset, texts(options.texts, options.records), reviewer.get("/me").json()["id"])
        filled = time.perf_counter() - started
        reference, scan = references(file)
        rows = measured(api, reviewer, dataset, pid)
        size = file.stat().st_size / 2**20
    show(options.records, rows, reference, scan, filled, size)
    return int(any(row.limit is not None and row.cpu > row.limit for row in rows))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[httpx.Client, httpx.Client, int]]:
    """An embedded Argilla in this folder: its API as the owner and as a reviewer sees it, and its process."""
    everyone = people.credentials(folder / "credentials.json", ["reviewer-1"])
    port = free_port()
    command = [str(PYTHON), "-m", "review.embedded.launch", "--home", str(folder / "argilla"), "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **people.owner_environment(everyone.owner, WORKSPACE)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, server)
        headers = {"X-Argilla-Api-Key": everyone.owner.api_key or ""}
        with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=300, trust_env=False) as api:
            [one] = everyone.reviewers
            asked = {"username": one.username, "password": one.password, "first_name": "r", "role": "annotator"}
            person = call(api, "POST", "/users", asked)
            [workspace] = call(api, "GET", "/me/workspaces")["items"]
            call(api, "POST", f"/workspaces/{workspace['id']}/users", {"user_id": person["id"]})
            with people.sign_in(url, one) as reviewer:
                reviewer.base_url = f"{url}/api/v1"
                yield api, reviewer, server.pid
    finally:
        server.terminate()
        server.wait(30)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until it answers; SystemExit when it does not within two minutes."""
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx.get(f"{url}/api/v1/status", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit("Argilla did not start: `make setup` makes its environment.")


def call(api: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    """One request; the JSON of its answer."""
    answer = api.request(method, path, json=body)
    if answer.status_code >= 300:
        raise SystemExit(f"{method} {path}: HTTP {answer.status_code}: {answer.text[:300]}")
    return answer.json() if answer.content else None


def made(api: httpx.Client) -> str:
    """A published dataset without records; its id."""
    [workspace] = call(api, "GET", "/me/workspaces")["items"]
    dataset = str(call(api, "POST", "/datasets", {"name": "many", "workspace_id": workspace["id"]})["id"])
    options = [{"value": label, "text": label} for label in LABELS]
    whole: list[tuple[str, dict[str, Any]]] = [
        ("fields", {"name": "document", "required": True, "settings": {"type": "text", "use_markdown": False}}),
        (
            "questions",
            {"name": "answer", "required": True, "settings": {"type": "label_selection", "options": options}},
        ),
        ("metadata-properties", {"name": "reason", "settings": {"type": "terms"}}),
        ("metadata-properties", {"name": "confidence", "settings": {"type": "float"}}),
        ("metadata-properties", {"name": "round", "settings": {"type": "integer"}}),
    ]
    for path, body in whole:
        seen = {"visible_for_annotators": True} if path == "metadata-properties" else {}
        call(api, "POST", f"/datasets/{dataset}/{path}", {"title": body["name"], **body, **seen})
    call(api, "PUT", f"/datasets/{dataset}/publish")
    return dataset


def texts(file: Path | None, count: int) -> Iterator[str]:
    """Texts of one's own, over and over; or 120 words each, drawn as words are in language (Zipf's law)."""
    draw = random.Random(7)
    if file:
        own = [json.loads(line)["text"] for line in file.read_text("utf-8").splitlines() if line.strip()]
        yield from (own[n % len(own)] for n in range(count))
        return
    words = [f"w{n}" for n in range(50_000)]
    weights = [1 / (n + 3) for n in range(len(words))]
    cumulative = [sum(weights[:1])]
    for weight in weights[1:]:
        cumulative.append(cumulative[-1] + weight)
    for _ in range(count):
        yield " ".join(draw.choices(words, cum_weights=cumulative, k=120))


def fill(file: Path, dataset: str, documents: Iterator[str], user: str) -> None:
    """Records with a suggestion each, and answers to every fifth, in one transaction."""
    draw = random.Random(11)
    db = sqlite3.connect(file, timeout=60)
    id_ = dataset.replace("-", "")
    [(question,)] = db.execute("SELECT id FROM questions WHERE dataset_id = ?", (id_,))
    stamp = "2026-11-25 10:00:00.{:06d}"
    for n, text in enumerate(documents):
        record, when, label = uuid.UUID(int=draw.getrandbits(128), version=4).hex, stamp.format(n), draw.choice(LABELS)
        metadata = {"reason": draw.choice(REASONS), "confidence": round(draw.random(), 3), "round": n % 4}
        done = n % 5 == 0
        db.execute(
            "INSERT INTO records (id, fields, metadata, status, external_id, dataset_id, inserted_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (record, json.dumps({"document": text}), json.dumps(metadata), "completed" if done else "pending",
             f"d{n}", id_, when, when),
        )  # fmt: skip
        db.execute(
            "INSERT INTO suggestions (id, value, score, agent, type, record_id, question_id, inserted_at, updated_at) "
            "VALUES (?, ?, ?, 'teacher', 'model', ?, ?, ?, ?)",
            (uuid.uuid4().hex, json.dumps(label), json.dumps(metadata["confidence"]), record, question, when, when),
        )
        if done:
            db.execute(
                'INSERT INTO responses (id, "values", status, record_id, user_id, inserted_at, updated_at) '
                "VALUES (?, ?, 'submitted', ?, ?, ?, ?)",
                (uuid.uuid4().hex, json.dumps({"answer": {"value": label}}), record, user.replace("-", ""), when, when),
            )
    db.commit()
    db.close()


def references(file: Path) -> tuple[float, float]:
    """Seconds of one pass over all texts: by bare sqlite3 (`instr`), and by a Python function, as without an index."""
    db = sqlite3.connect(file)
    db.create_function("has", 2, lambda text, word: word in json.loads(text)["document"].split())
    plain = timed(lambda: db.execute("SELECT count(*) FROM records WHERE instr(fields, 'nowhere')").fetchall())[0]
    scan = timed(lambda: db.execute("SELECT count(*) FROM records WHERE has(fields, 'nowhere')").fetchall(), 1)[0]
    db.close()
    return plain, scan


def timed(work: Callable[[], Any], times: int = TIMES) -> tuple[float, Any]:
    """The median of several runs in seconds, and what the last one gave."""
    seconds, result = [], None
    for _ in range(times):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measured(api: httpx.Client, reviewer: httpx.Client, dataset: str, pid: int) -> list[Row]:
    """All requests, timed."""
    rows = []
    for name, body, params, limit in requests():
        ask = f"/me/datasets/{dataset}/records/search"

        def search(ask: str = ask, body: Any = body, params: Any = params) -> Any:
            answer = reviewer.post(ask, json=body, params={"limit": 10, "include": ["suggestions"], **params})
            return answer.raise_for_status().json()

        before = cpu_of(pid)
        seconds, said = timed(search)
        rows.append(Row(name, seconds, (cpu_of(pid) - before) / TIMES, said["total"], limit))
    for name, client, path in (
        ("progress of all", api, f"/datasets/{dataset}/progress"),
        ("progress of one", reviewer, f"/me/datasets/{dataset}/metrics"),
    ):
        before = cpu_of(pid)
        seconds, said = timed(lambda client=client, path=path: call(client, "GET", path))  # type: ignore[misc]
        found = (said.get("responses") or said)["total"]
        rows.append(Row(name, seconds, (cpu_of(pid) - before) / TIMES, found, QUEUE_S))
    return rows


def requests() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], float | None]]:
    """(name, body, parameters, limit) of each search, as the UI sends it."""

    def where(**scope: Any) -> dict[str, Any]:
        how = {key: scope.pop(key) for key in ("values", "ge", "le") if key in scope}
        return {"type": "terms" if "values" in how else "range", "scope": scope, **how}

    def text(words: str) -> dict[str, Any]:
        return {"query": {"text": {"q": words}}, "filters": {"and": [pending]}}

    pending = where(entity="response", property="status", values=["pending"])
    unsure = {"scope": {"entity": "suggestion", "question": "answer", "property": "score"}, "order": "asc"}
    surest = {"scope": {"entity": "metadata", "metadata_property": "confidence"}, "order": "desc"}
    queue = {"filters": {"and": [pending]}}
    letter = where(entity="metadata", metadata_property="reason", values=["audit"])
    range_ = where(entity="metadata", metadata_property="confidence", ge=0.4, le=0.6)
    label = where(entity="suggestion", question="answer", property="value", values=["label-3"])
    yield "queue: pending", queue, {}, QUEUE_S
    yield "queue: pending, page 5,000", queue, {"offset": 49_990}, SEARCH_S
    yield "queue: least sure first", {**queue, "sort": [unsure]}, {}, QUEUE_S
    yield "queue: by metadata", {**queue, "sort": [surest]}, {}, QUEUE_S
    yield "text: a rare word", text("w20000"), {}, SEARCH_S
    yield "text: two words", text("w100 w200"), {}, SEARCH_S
    yield "text: a word of nearly all", text("w0"), {}, SEARCH_S
    yield "text: a phrase", text('"w0 w1"'), {}, SEARCH_S
    yield "text: a prefix", text("w19*"), {}, SEARCH_S
    yield "text: or, not", text("w50 | w60 -w0"), {}, SEARCH_S
    yield "text: Chinese, hence a scan", text("保密"), {}, None
    yield "filter: metadata terms", {"filters": {"and": [pending, letter]}}, {}, SEARCH_S
    yield "filter: metadata range, sorted", {"filters": {"and": [range_]}, "sort": [surest]}, {}, SEARCH_S
    yield "filter: suggested label", {"filters": {"and": [pending, label]}}, {}, SEARCH_S
    yield (
        "filter: own answer",
        {"filters": {"and": [where(entity="response", question="answer", values=["label-3"])]}},
        {},
        SEARCH_S,
    )


def show(records: int, rows: list[Row], reference: float, scan: float, filled: float, size: float) -> None:
    """The table, and the JSON object."""
    print(f"{records:,} records, {size:,.0f} MiB with their index, written by SQL in {filled:.0f} s")
    print(f"reference: one pass of bare sqlite3 over all texts {reference:.3f} s; by a Python function {scan:.2f} s\n")
    print(f"{'request':<32} {'found':>8} {'seconds':>8} {'x reference':>12} {'CPU s':>7} {'limit':>6}")
    for row in rows:
        over = "" if row.limit is None else f"{row.limit:.1f}" + ("" if row.cpu <= row.limit else " !")
        took = f"{row.seconds:>8.3f} {row.seconds / reference:>12.2f} {row.cpu:>7.3f}"
        print(f"{row.name:<32} {row.found:>8,} {took} {over:>6}")
    figures = {row.name: row._asdict() | {"ratio": row.seconds / reference} for row in rows}
    print(json.dumps({"records": records, "reference_s": reference, "python_scan_s": scan, "requests": figures}))


if __name__ == "__main__":
    sys.exit(main())
