"""What do examples chosen for each document bring? The packaged teacher, asked with fixed and with chosen examples.

Two data sets with labels that people gave, in JSON lines `{"text", "label"}`: `FOLDER/snips/*.jsonl` (7 intents) and
`FOLDER/banking77/*.jsonl` (20 of its 77 intents). Nothing is downloaded; a set that is not there is skipped, and said.
Documents, people's answers, splits, pool, prompt and scoring are the pipeline's own: a store in a temporary folder,
`retrieval` in a task file, the local model server. Examples come from the train split, questions from the test split.

    .venv/app/bin/python benchmarks/examples.py --data FOLDER [--documents 150] [--pool 700] [--only snips]

About a second a question on 2 cores. Last line: the same figures as one JSON object.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from evaluation.interval import mcnemar_exact, paired_difference, wilson
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.pool import chooser, drafted
from prompts.retrieval import WordIndex
from prompts.task import Task, load_task
from records import corrections, ledger, library, pools
from records.store import Store
from records.types import Correction, Document, Role, Split, now

ROOT = Path(__file__).resolve().parents[1]
SNIPS = {
    "AddToPlaylist": "add",
    "BookRestaurant": "restaurant",
    "GetWeather": "weather",
    "PlayMusic": "music",
    "RateBook": "rating",
    "SearchCreativeWork": "search",
    "SearchScreeningEvent": "movie",
}
BANKING = {
    "card_arrival": "delivery",
    "exchange_rate": "exchange",
    "age_limit": "age",
    "apple_pay_or_google_pay": "mobile",
    "atm_support": "machine",
    "automatic_top_up": "automatic",
    "change_pin": "code",
    "country_support": "country",
    "edit_personal_details": "personal",
    "lost_or_stolen_phone": "phone",
    "terminate_account": "account",
    "Refund_not_showing_up": "refund",
    "passcode_forgotten": "password",
    "getting_virtual_card": "virtual",
    "verify_my_identity": "identity",
    "pending_transfer": "transfer",
    "cash_withdrawal_charge": "cash",
    "card_swallowed": "lost",
    "pin_blocked": "block",
    "disposable_card_limits": "limit",
}
SETS = {"snips": ("Sort requests to an assistant.", SNIPS), "banking77": ("Sort questions to a bank.", BANKING)}
"""What the model says for a label is a common word that is one token of the packaged model, each another one."""
ARMS: dict[str, dict[str, Any]] = {
    "fixed, one a label in turn": {},
    "the same, calibrated": {"calibrate": True},
    "nearest by words, one a label": {"per_label": 1},
    "nearest by words, as they come": {"per_label": 100},
    "nearest by words, two a label": {"per_label": 2},
}


def rows(folder: Path, labels: dict[str, str]) -> dict[str, str]:
    """{text: label} of a data set, in the order of its files; a text that has two labels is left out."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            found.setdefault(row["text"].strip(), set()).add(row["label"])
    return {text: min(said) for text, said in found.items() if len(said) == 1 and min(said) in labels}


def drawn(answers: dict[str, str], task: str, split: Split, count: int) -> list[Document]:
    """Documents of one split, by their ids: as good as at random, and the same each time."""
    every = [library.document(task, text, source="benchmark") for text in answers]
    return sorted((d for d in every if d.split is split), key=lambda d: d.id)[:count]


def fixed(pool: Sequence[Document], answers: dict[str, str], labels: Sequence[str], count: int) -> list[dict[str, str]]:
    """`count` examples, one of each label in turn: what a person would write down once."""
    by_label = {label: [d for d in pool if answers[d.text] == label] for label in labels}
    turns = [(turn, label) for turn in range(count) for label in labels if len(by_label[label]) > turn]
    return [{"document": by_label[label][turn].text, "answer": label} for turn, label in turns[:count]]


def written(folder: Path, name: str, examples: list[dict[str, str]], arm: dict[str, Any], count: int) -> Task:
    """The task of one arm, through its file as everybody writes it."""
    instructions, labels = SETS[name]
    shown = [{"name": label, "answer": said, "description": label.replace("_", " ")} for label, said in labels.items()]
    teacher = {"model": "openai/smollm2-135m-instruct", "api_base": "local", "max_in_flight": 1}
    task: dict[str, Any] = {
        "name": name,
        "title": name,
        "instructions": f"{instructions} Answer with one word.",
        "answer": {"kind": "choice", "labels": shown},
        "examples": examples,
        "teacher": {**teacher, "calibrate": arm.get("calibrate", False)},
    }
    if "per_label" in arm:
        task["retrieval"] = {"count": count, "per_label": arm["per_label"]}
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(task, sort_keys=False), "utf-8")
    (folder / "guidelines.md").write_text("Choose the intent.", "utf-8")
    return load_task(folder)


@contextmanager
def model_server(folder: Path, threads: int) -> Iterator[str]:
    """The local model server in a process of its own; its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    argv = [sys.executable, "-m", "serving.model_server", "--port", str(port), "--models", str(folder / "models")]
    argv += ["--threads", str(threads)] if threads else []
    with (folder / "models.log").open("wb") as log:
        run = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(240):
            try:
                opener.open(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        run.terminate()
        run.wait(30)


def asked(store: Store, task: Task, documents: list[Document], gold: dict[str, str], url: str) -> dict[str, Any]:
    """One arm: which documents it got right, the median latency, the tokens of a prompt."""
    choose = chooser(store, task, {})
    endpoint = teacher_endpoint(task, url, {})
    before = {label.key for label in ledger.labels(store, task.name)}
    done = asyncio.run(label_many(store, task, documents, endpoint, Role.teacher, examples=choose))
    labels = [label for label in ledger.labels(store, task.name) if label.key not in before]
    right = {label.document_id for label in labels if label.value == gold[label.document_id]}
    tokens = sum(label.prompt_tokens for label in labels) / max(1, len(labels))
    return {"right": right, "n": len(documents), "p50_ms": done.latency_ms(0.5), "tokens": tokens}


def by_neighbour(pool: list[Document], documents: list[Document], gold: dict[str, str]) -> set[str]:
    """Documents whose nearest of the pool has their label: what the examples give away without any model."""
    index = WordIndex([d.text for d in pool])
    return {d.id for d in documents if gold[pool[int(index.scores(d.text).argmax())].id] == gold[d.id]}


def measured(name: str, data: Path, url: str, folder: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """All arms of one data set, on the same documents."""
    labels = SETS[name][1]
    answers = rows(data, labels)
    pool = drawn(answers, name, Split.train, given.pool)
    documents = drawn(answers, name, Split.test, given.documents)
    gold = {d.id: answers[d.text] for d in [*pool, *documents]}
    store = Store.open(f"sqlite:///{folder}/{name}.db")
    library.add(store, [*pool, *documents])
    people = [
        Correction(task=name, document_id=i, reviewer="data", value=said, answered_at=now()) for i, said in gold.items()
    ]
    corrections.save(store, people)
    shown = fixed(pool, answers, list(labels), given.count)
    found, first = [], set[str]()
    for number, (arm, rules) in enumerate(ARMS.items()):
        task = written(folder / f"{name}-{number}", name, shown, rules, given.count)
        if task.retrieval:
            pools.add(store, drafted(store, task))
        told = asked(store, task, documents, gold, url)
        first = first or told["right"]
        found.append(row(name, arm, told, first))
    neighbour = {"right": by_neighbour(pool, documents, gold), "n": len(documents), "p50_ms": None, "tokens": None}
    found.append(row(name, "no model: the nearest one's label", neighbour, first))
    store.close()
    return found


def row(name: str, arm: str, told: dict[str, Any], first: set[str]) -> dict[str, Any]:
    """The figures of one arm; the difference is to the first arm, on the same documents."""
    right, n = told["right"], told["n"]
    more, less = len(right - first), len(first - right)
    accuracy, difference = wilson(len(right), n), paired_difference(more, less, n)
    figures = {"data": name, "examples": arm, "n": n, "right": len(right), "p50_ms": told["p50_ms"]}
    intervals = {"accuracy": [accuracy.value, accuracy.low, accuracy.high]}
    paired = {"difference": [difference.value, difference.low, difference.high], "p": mcnemar_exact(more, less)}
    line = f"{name:<11}{arm:<36}{_percent(intervals['accuracy']):<26}{_percent(paired['difference'], '+'):<28}"
    rest = f"{told['p50_ms'] or 0:>6.0f} ms{told['tokens']:>8.0f}" if told["tokens"] else ""
    print(line + rest, flush=True)
    return {**figures, "tokens": told["tokens"], **intervals, **paired}


def _percent(values: Sequence[float | None], sign: str = "") -> str:
    value, low, high = (100 * (v or 0.0) for v in values)
    return f"{value:{sign}.1f} % ({low:{sign}.1f} to {high:{sign}.1f})"


def main() -> int:
    """Print a line an arm as it is done; exit code 0 also where the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=None, help="folder that holds snips/ and banking77/")
    parser.add_argument("--documents", type=int, default=150, help="questions a data set (150)")
    parser.add_argument("--pool", type=int, default=700, help="corrected documents to choose from (700)")
    parser.add_argument("--count", type=int, default=6, help="examples a question (6)")
    parser.add_argument("--threads", type=int, default=0, help="of the model server; 0: as `make up` has it")
    parser.add_argument("--only", choices=list(SETS), help="one data set")
    given = parser.parse_args()
    names = [name for name in SETS if given.only in (None, name)]
    here = [name for name in names if given.data and (given.data / name).is_dir()]
    for name in names:
        if name not in here:
            print(f"{name}: skipped, there is no {given.data or 'DATA'}/{name}; name the folder with --data")
    found: list[dict[str, Any]] = []
    if here:
        print(f"{'data':<11}{'examples':<36}{'accuracy (95 %)':<26}{'to the first (95 %)':<28}{'p50':>9}{'tokens':>8}")
        with tempfile.TemporaryDirectory() as made, model_server(Path(made), given.threads) as url:
            for name in here:
                found += measured(name, given.data / name, url, Path(made), given)
    print(json.dumps({"documents": given.documents, "pool": given.pool, "count": given.count, "rows": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
