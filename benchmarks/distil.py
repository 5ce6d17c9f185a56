"""The whole circle on labelled data: what do so many reviewed documents buy? Student, teacher, baselines, by the gate.

    .venv/app/bin/python benchmarks/distil.py DATA                            600 reviewed to train, 300 to test
    .venv/app/bin/python benchmarks/distil.py DATA --train 60 --test 40       a minute or two: only to see it run
    .venv/app/bin/python benchmarks/distil.py DATA --home FOLDER              kept, and gone on with where it stopped
    ... --home FOLDER --until train                                           all but the measuring, for a busy machine
    ... --home FOLDER --remeasure "It was busy."                              its latency once more; both are told

DATA is a folder with train.jsonl and test.jsonl, a line a text: {"text": "...", "label": "..."}. Everything runs as in
production, by the steps of the flows and in a store of its own: the teacher labels (the packaged model with one example
a label, unless --teacher names another), the dataset is frozen, Axolotl trains, the gate measures at Retort's own
model server, and the report is written. Two things are other than in production. The reviewer is the data's own label,
written straight into the store: the desk would only cost time here (`make demo` goes through it). And every document is
reviewed, none trusted: `reviews` counts them.

The data's own split is not used: Retort splits by content, 70 / 10 / 20, and near-duplicates together. Documents are
taken in the order of a hash of their text. A label's answer is one token, a word of its name where that is one: so an
answer is a single forward pass. Last line: the same figures as one JSON object.
"""

import argparse
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flows.arrivals import read_source
from flows.asking import ask_teacher
from flows.context import Context, find_task, workplace
from flows.release import release_student
from flows.settings import Settings
from flows.train import train_student
from prompts.task import Task
from prompts.tokenizer import tokenizer_of
from records import corrections, ledger, library, registry
from records.progress import silent
from records.split import cluster_of, split_of
from records.types import Correction, Split, now
from training import recipe as recipes

ROOT = Path(__file__).resolve().parents[1]
BASE = "smollm2-135m-instruct"
RECIPE: dict[str, Any] = {"peft_layers_to_transform": None, "num_epochs": 2}
"""Beside recipe cpu-135m: all 30 layers, two passes."""
_START_S = 60
_NO_NAME = re.compile(r"[^A-Za-z0-9_.\- ]+")


@dataclass
class Circle:
    """One turn: where, on what, and how long each step took."""

    context: Context
    task: Task
    gold: dict[str, str]
    label_all: bool = True
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Go on with the times of the calls before."""
        if self._times.is_file():
            self.seconds.update(json.loads(self._times.read_text("utf-8")))

    @property
    def _times(self) -> Path:
        return self.context.settings.home / "seconds.json"

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, over all calls that it took (less those that ended by kill -9)."""
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 1)
            self._times.write_text(json.dumps(self.seconds), "utf-8")

    def train(self) -> None:
        """Label, review, train."""
        folder = str(self.task.folder)
        with self.step("documents"):
            read_source(self.context, self.task, str(self.task.folder / "documents.jsonl"), "text")
        with self.step("label"):
            ask_teacher(self.context, self.task, None if self.label_all else self._test_ids())
        with self.step("review"):
            self._review()
        with self.step("train"):
            train_student(self.context, folder)

    def release(self, remeasure: str) -> Any:
        """Measure and decide; the release's result. `remeasure`: why to measure the endpoint again; empty: not."""
        with self.step("release"):
            by = "benchmarks/distil.py" if remeasure else ""
            return release_student(self.context, str(self.task.folder), by=by, remeasure=remeasure)

    def _test_ids(self) -> list[str]:
        return [d.id for d in library.documents(self.context.store, self.task.name, Split.test)]

    def _review(self) -> None:
        """The data's own labels, as one reviewer's answers."""
        documents = library.documents(self.context.store, self.task.name)
        rows = [
            Correction(
                task=self.task.name, document_id=d.id, reviewer="gold", value=self.gold[d.text], answered_at=now()
            )
            for d in documents
            if d.split in (Split.train, Split.test)
        ]
        corrections.save(self.context.store, rows)


def read(data: Path) -> dict[str, str]:
    """Label by text, of both files, in the order of a hash of the text. A text with two labels is left out.

    What a label's name may not hold in a task (the `?` of banking77's `reverted_card_payment?`) is left out of it.
    """
    found: dict[str, set[str]] = {}
    for name in ("train.jsonl", "test.jsonl"):
        for line in (data / name).read_text("utf-8").splitlines():
            row = json.loads(line)
            found.setdefault(row["text"].strip(), set()).add(_NO_NAME.sub(" ", row["label"]).strip())
    plain = {text: labels.pop() for text, labels in found.items() if text and len(labels) == 1}
    order = sorted(plain, key=lambda text: hashlib.blake2b(text.encode(), digest_size=8).digest())
    return {text: plain[text] for text in order}


def chosen(rows: dict[str, str], train: int, test: int) -> tuple[dict[str, str], dict[str, str]]:
    """The documents of the trial, and an example a label that is none of them."""
    splits: dict[Split, list[str]] = {split: [] for split in Split}
    for text in rows:
        splits[split_of(cluster_of(text))].append(text)
    taken = [*splits[Split.train][:train], *splits[Split.test][:test]]
    examples: dict[str, str] = {}
    for text in splits[Split.train][train:]:
        examples.setdefault(rows[text], text)
    return {text: rows[text] for text in taken}, examples


def codes(labels: Iterable[str]) -> dict[str, str]:
    """One token a label: the longest word of its name that is one token and no other label's, else a letter."""
    vendor = tokenizer_of(BASE).vendor

    def single(word: str) -> bool:
        return len(vendor.encode(word, add_special_tokens=False).ids) == 1

    found: dict[str, str] = {}
    letters = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"bcdefghjklmnopqrstuvwxyz"]
    for label in sorted(labels):
        words = sorted({w.lower() for w in _words(label) if len(w) > 2}, key=lambda w: (-len(w), w))
        free = (word for word in [*words, *letters] if single(word) and word not in found.values())
        found[label] = next(free)
    return found


def _words(label: str) -> list[str]:
    spaced = "".join(f" {c}" if c.isupper() else c if c.isalpha() else " " for c in label)
    return spaced.split()


def write_task(folder: Path, rows: dict[str, str], examples: dict[str, str], given: argparse.Namespace) -> None:
    """task.yaml, guidelines.md, the recipe and the documents."""
    folder.mkdir(parents=True, exist_ok=True)
    said = codes({*rows.values(), *examples})
    task = {
        "name": "distil",
        "title": f"{given.data.name}, {given.train} reviewed documents",
        "instructions": given.instructions,
        "answer": {"kind": "choice", "labels": [{"name": name, "answer": word} for name, word in said.items()]},
        "examples": [{"document": text, "answer": label} for label, text in sorted(examples.items())],
        "document": {"max_characters": given.characters},
        "teacher": teacher(given),
        "student": {"recipe": "distil.yaml", "price_per_hour": given.price},
        "gate": {"p95_latency_ms": 100, "embeddings": str(given.embeddings.absolute()) if given.embeddings else None},
    }
    settings = {**recipes.load("cpu-135m").settings, **RECIPE, **dict(given.set)}
    kept = {key: value for key, value in settings.items() if value is not None}
    (folder / "task.yaml").write_text(yaml.safe_dump(task, sort_keys=False, allow_unicode=True), "utf-8")
    (folder / "guidelines.md").write_text("The data's own labels are the reviewer.\n", "utf-8")
    (folder / "distil.yaml").write_text(yaml.safe_dump(kept, sort_keys=False), "utf-8")
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in rows)
    (folder / "documents.jsonl").write_text(lines, "utf-8")


def teacher(given: argparse.Namespace) -> dict[str, Any]:
    """The packaged model on the local server, or what was named."""
    if given.teacher:
        return {"model": given.teacher, "api_key_env": given.key_env}
    local = {"model": f"openai/{BASE}", "api_base": "local", "calibrate": True, "list_labels": False}
    return {**local, "max_in_flight": 1}


@contextmanager
def models(home: Path, threads: int) -> Iterator[str]:
    """Retort's own model server on a free port, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "serving.model_server", "--port", str(port), "--models", str(home / "models")]
    line += ["--threads", str(threads)] if threads else []
    with (home / "model_server.log").open("ab") as log, subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log) as one:
        try:
            _wait(port, one)
            yield f"http://127.0.0.1:{port}"
        finally:
            one.terminate()


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the model server did not start: see model_server.log in the home folder.")


# --- what is told


def figures(circle: Circle, result: Any) -> dict[str, Any]:
    """All that the table says, as plain data."""
    store, name = circle.context.store, circle.task.name
    report = next(v.report for v in registry.task_verdicts(store, name) if v.id == result.verdict)
    student = registry.student(store, result.student)
    labels = ledger.labels(store, name)
    return {
        "decision": result.decision.value,
        "headline": report["headline"],
        "documents": library.counts(store, name),
        "reviews": len(corrections.all(store, name)),
        "label_cost_usd": round(sum(label.cost_usd for label in labels), 6),
        "rows": registry.dataset_versions(store, name)[-1].rows,
        "training_s": student.training.get("seconds"),
        "seconds": circle.seconds,
        "models": [_kept(m) for m in (report["student"], report["teacher"], *report["others"])],
        "absent": report["absent"],
        "against": report["against"],
        "load": [{k: v for k, v in one.items() if k != "latencies_s"} for one in report["load"]],
        "load_runs": report["load_runs"],
        "student_cost": report["student_cost"],
        "report": result.report,
    }


def _kept(measured: dict[str, Any]) -> dict[str, Any]:
    """A model's figures without those by label."""
    return {name: value for name, value in measured.items() if name not in ("labels", "confusion", "fields", "set_f1")}


def table(found: dict[str, Any]) -> Iterator[str]:
    """The table: a line a model, then what it took."""
    yield f"{'':<46}{'accuracy':<24}{'macro-F1':<24}{'p95 ms':<26}unreadable"
    for m in found["models"]:
        cells = [_interval(m["accuracy"], 100), _interval(m["macro_f1"], 100), _interval(m["latency_p95_s"], 1000)]
        called = f"{m['role']}: {m['name']}"[:45]
        yield f"{called:<46}{cells[0]:<24}{cells[1]:<24}{cells[2]:<26}{_interval(m['no_answer'], 100)}"
    for one in found["load"]:
        p95, rate = _interval(one["latency_p95_s"], 1000), _interval(one["throughput_per_s"], 1)
        yield f"load      {one['in_flight']} in flight: p95 {p95} ms, {rate} answers a second"
    for name, pair in found["against"].items():
        yield f"student minus {name}: {_interval(pair['difference'], 100)} points, McNemar p = {pair['mcnemar_p']:.3g}"
    yield f"reviews   {found['reviews']}, label cost ${found['label_cost_usd']:.4f}"
    yield "seconds   " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in found["seconds"].items())
    for run in found["load_runs"]:
        yield f"measured  {run['made_at']}: p95 {_interval(run['latency_p95_s'], 1000)} ms {run['reason']}".rstrip()
    yield f"verdict   {found['headline']}"
    yield f"report    {found['report']}"


def _interval(estimate: dict[str, Any] | None, factor: float) -> str:
    if not estimate or estimate["value"] is None:
        return "-"
    low, high = (None if estimate[k] is None else estimate[k] * factor for k in ("low", "high"))
    bounds = f" ({low:.1f} to {high:.1f})" if low is not None and high is not None else ""
    return f"{estimate['value'] * factor:.1f}{bounds}"


def setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE of a recipe, the value as YAML."""
    key, _, value = text.partition("=")
    return key, yaml.safe_load(value)


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--train", type=int, default=600, help="reviewed documents of the train split (600)")
    parser.add_argument("--test", type=int, default=300, help="reviewed documents of the test split (300)")
    parser.add_argument("--home", type=Path, default=None, help="where all is kept; default: a folder that is removed")
    parser.add_argument("--remeasure", default="", metavar="REASON", help="measure the endpoint again, for this reason")
    parser.add_argument("--until", choices=("train", "release"), default="release", help="the last step (release)")
    parser.add_argument("--instructions", default="Name the intent.", help="what is asked; short trains faster")
    parser.add_argument("--characters", type=int, default=2000, help="documents are cut to so many (2000)")
    parser.add_argument("--teacher", default="", help="a LiteLLM string in place of the packaged model")
    parser.add_argument("--key-env", default=None, help="the environment variable with the teacher's key")
    parser.add_argument("--price", type=float, default=0.0, help="US dollars an hour of the student's machine (0)")
    parser.add_argument("--embeddings", type=Path, default=None, help="folder of a model2vec model: one more baseline")
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="of the recipe")
    parser.add_argument("--test-only", action="store_true", help="the teacher labels what the gate needs, no more")
    parser.add_argument("--threads", type=int, default=0, help="of the model server and of training; default: theirs")
    return parser.parse_args(given)


def main() -> int:
    """Turn the circle, print the table."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        home = (given.home or Path(scratch)).absolute()
        (home / "models").mkdir(parents=True, exist_ok=True)
        _share_base(home)
        rows, examples = chosen(read(given.data), given.train, given.test)
        write_task(home / "task", rows, examples, given)
        with models(home, given.threads) as url:
            settings = Settings(home=home, model_url=url, threads=given.threads, _env_file=None)
            with workplace(silent, settings) as context:
                circle = Circle(context, find_task(context, str(home / "task")), rows, not given.test_only)
                circle.train()
                if given.until == "train":
                    return 0
                found = figures(circle, circle.release(given.remeasure))
        for line in table(found):
            print(line)
        print(json.dumps({"data": given.data.name, "cores": os.cpu_count(), **found}))
    return 0


def _share_base(home: Path) -> None:
    """The unpacked base model of the checkout, where it is there: a minute and half a gigabyte less."""
    ours, known = home / "models" / "base", ROOT / ".retort" / "models" / "base"
    if known.is_dir() and not ours.exists():
        ours.symlink_to(known)


if __name__ == "__main__":
    sys.exit(main())
