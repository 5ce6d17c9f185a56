"""What does routing save? Label errors left and a student's accuracy by reviews spent: routed against random order.

Data sets with labels that people gave, in JSON lines `{"text", "label"}`: `FOLDER/banking77` and `FOLDER/cuad_clauses`,
each with `train.jsonl` and `test.jsonl`. Nothing is downloaded; a set that is not there is skipped, and said.
For each seed: a weak teacher (TF-IDF and logistic regression, 8 examples a label) answers the other documents through
the labelling engine, from an OpenAI-compatible server with log-probabilities on the loopback, into a store in a
temporary folder. The reviewer is gold. Rounds of 5 % of the documents are chosen by the pipeline's own `Shortlist`, by
the rules that a task has by default, random checks and records without a suggestion included and paid for; or in random
order. After each round a student (TF-IDF and a linear model) learns from all labels as they stand, and in the routed
arm says what it makes of the teacher's (in this process, not through a server: 240 students are trained).

    .venv/app/bin/python benchmarks/review_savings.py --data FOLDER [--only banking77] [--seeds 5] [--documents 2000]

Wanted: at half of the teacher's errors left, at most 60 % of the reviews of random order. And the stop rule: 200
campaigns check accepted labels of these stores in random order, 20 at a time, and look after each time; the bound must
hold at all looks in at least 95 % of them. Intervals: Student's t over seeds. Last line: the figures as JSON.
"""

import argparse
import asyncio
import json
import math
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

import numpy as np
import yaml
from aiohttp import web
from scipy.stats import t as student_t
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline

from evaluation.audit import Accepted, audit
from evaluation.risk import accept_from
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.review_rules import Review
from prompts.task import Task, load_task
from records import ledger, library
from records.store import Store
from records.types import Document, Label, Role, Split
from review.routing import Known, Rules, Shortlist, accepted
from review.worth import Opinion, draw_of

SETS = ("banking77", "cuad_clauses")
EXAMPLES, TESTED, ROUNDS, STEP = 8, 1_000, 16, 0.05
LEFT = (0.75, 0.5, 0.25)
"""Shares of the teacher's errors that are still there: where the two orders are compared."""
WANTED_RATIO, WANTED_HELD, ALLOWED, AT_ONCE = 0.6, 0.95, 0.1, 20
Rows = list[tuple[str, str]]


@dataclass
class Labelled:
    """One seed's documents with gold, the teacher's labels, and the texts that a student is tested on."""

    documents: list[Document]
    gold: dict[str, str]
    labels: dict[str, Label]
    test: Rows

    @property
    def pool(self) -> list[Document]:
        """What is trained on."""
        return [d for d in self.documents if d.split in (Split.train, Split.validation)]


def rows(file: Path) -> Rows:
    """(text, label) of a file, each text once; one that has two labels is left out."""
    found: dict[str, set[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["text"].strip(), set()).add(re.sub(r"[^\w.\- ]", "-", row["label"]))
    return [(text, min(said)) for text, said in found.items() if len(said) == 1]


# --- the teacher, served


class Teacher:
    """A classifier behind the chat protocol: one token a label, with the log-probabilities of all of them."""

    def __init__(self, examples: Rows) -> None:
        """Learns from these."""
        model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=200))
        self._model = model.fit(*map(list, zip(*examples, strict=True)))
        self.codes = {str(label): f"L{n:02d}" for n, label in enumerate(self._model.classes_)}
        self.url = ""

    async def __aenter__(self) -> "Teacher":
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        logs = self._model.predict_log_proba([body["messages"][-1]["content"]])[0]
        best = np.argsort(-logs)[: body.get("top_logprobs") or 1]
        top = [{"token": list(self.codes.values())[n], "logprob": float(logs[n]), "bytes": None} for n in best]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": top[0]["token"]},
            "finish_reason": "stop",
            "logprobs": {"content": [{**top[0], "top_logprobs": top}]},
        }
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "weak", "object": "chat.completion", "created": 0, "model": "weak"}
        return web.json_response({**head, "choices": [choice], "usage": usage})


def written(folder: Path, teacher: Teacher) -> Task:
    """The task, through its file as everybody writes it."""
    task = {
        "name": "savings",
        "title": "Savings",
        "instructions": "Sort the text.",
        "answer": {"kind": "choice", "labels": [{"name": n, "answer": said} for n, said in teacher.codes.items()]},
        "teacher": {"model": "openai/weak", "api_base": teacher.url, "mode": "score", "top_logprobs": 100}
        | {"list_labels": False, "input_price": 0.0, "output_price": 0.0, "max_in_flight": 32},
    }
    folder.mkdir()
    (folder / "task.yaml").write_text(yaml.safe_dump(task), "utf-8")
    (folder / "guidelines.md").write_text("Choose one.", "utf-8")
    return load_task(folder)


async def labelled(folder: Path, seed: int, count: int) -> Labelled:
    """Documents and the teacher's labels of one seed, through engine and store."""
    every, test = rows(folder / "train.jsonl"), rows(folder / "test.jsonl")
    Random(seed).shuffle(every)
    Random(seed).shuffle(test)
    seen, examples, rest = Counter[str](), [], []
    for text, label in every:
        seen[label] += 1
        (examples if seen[label] <= EXAMPLES else rest).append((text, label))
    with tempfile.TemporaryDirectory() as home:
        async with Teacher(examples) as teacher:
            task, store = written(Path(home) / "savings", teacher), Store.open(f"sqlite:///{home}/retort.db")
            library.add(store, [library.document(task.name, text, source="benchmark") for text, _ in rest[:count]])
            documents, by_text = library.documents(store, task.name), dict(rest)
            await label_many(store, task, documents, teacher_endpoint(task, teacher.url, {}), Role.teacher)
            labels = ledger.newest(store, task.name, Role.teacher)
            store.close()
    return Labelled(documents, {d.id: by_text[d.text] for d in documents}, labels, test[:TESTED])


# --- reviewing, round by round


class Student:
    """Learns from labels as they stand; says how likely it finds each label, and how often it is right on the test."""

    def __init__(self, pool: Sequence[Document], test: Rows) -> None:
        """The words are counted once."""
        words = TfidfVectorizer(sublinear_tf=True, min_df=2)
        self._pool, self._ids = words.fit_transform([d.text for d in pool]), [d.id for d in pool]
        self._test, self._said = words.transform([text for text, _ in test]), np.array([label for _, label in test])

    def learn(self, now: dict[str, str]) -> tuple[dict[str, dict[str, float]], float]:
        """Its probabilities of each label by document, and its accuracy."""
        model = SGDClassifier(loss="log_loss", alpha=1e-4, max_iter=8, tol=None, random_state=0)
        model.fit(self._pool, [now[i] for i in self._ids])
        shares = model.predict_proba(self._pool)
        likely = {i: dict(zip(model.classes_, row, strict=True)) for i, row in zip(self._ids, shares, strict=True)}
        return likely, float((model.predict(self._test) == self._said).mean())


def reviewed(found: Labelled, routed: bool, seed: int) -> list[tuple[float, float, float]]:
    """One arm: (share reviewed, share of labels wrong, student's accuracy) before the first and after each round."""
    pool, student = found.pool, Student(found.pool, found.test)
    now = {d.id: str(found.labels[d.id].value) for d in pool}
    order, sent, places = Random(seed).sample(pool, len(pool)), set[str](), round(len(pool) * STEP)
    curve, opinions = [], dict[str, Opinion]()
    for number in range(ROUNDS + 1):
        likely, right = student.learn(now)
        wrong = sum(now[d.id] != found.gold[d.id] for d in pool) / len(pool)
        curve.append((len(sent) / len(pool), wrong, right))
        if routed:
            opinions = _opinions(found.labels, likely) if number else opinions  # the first round has no student yet
            ids = _routed(found, sent, places, opinions, number)
        else:
            ids = [d.id for d in order[len(sent) : len(sent) + places]]
        sent.update(ids)
        now |= {i: found.gold[i] for i in ids}
    return curve


def _opinions(labels: dict[str, Label], likely: dict[str, dict[str, float]]) -> dict[str, Opinion]:
    return {
        i: Opinion(max(row, key=lambda name: row[name]) == labels[i].value, float(row.get(str(labels[i].value), 0.0)))
        for i, row in likely.items()
    }


def _routed(found: Labelled, sent: set[str], places: int, opinions: dict[str, Opinion], number: int) -> list[str]:
    """One round by the rules that a task has by default."""
    review = Review()
    rules = Rules(**{name: getattr(review, name) for name in Rules._fields if name in Review.model_fields})
    clusters = {d.cluster for d in found.pool if d.id in sent}
    known = Known(sent, clusters, Counter(found.gold[i] for i in sent))
    chosen = Shortlist(rules, number + 1, places, known)
    chosen.add(found.pool, found.labels, opinions)
    return [record.document_id for record in chosen.records]


def spent_until(curve: list[tuple[float, float, float]], left: float) -> float:
    """The share of documents reviewed when this share of the first errors is left; a straight line between rounds."""
    goal = left * curve[0][1]
    for (before, above, _), (after, below, _) in pairwise(curve):
        if below <= goal:
            return before + (after - before) * (above - goal) / (above - below)
    return math.nan


# --- the stop rule


def campaigns(found: Labelled, count: int, seed: int) -> list[dict[str, Any]]:
    """Accepted labels checked in another random order each time, until the rule says stop.

    By turns accepted from the threshold that test documents say keeps what is allowed, and from half of it, where more
    are wrong.
    """
    test = [d for d in found.documents if d.split is Split.test]
    pairs = [(float(found.labels[d.id].confidence or 0), found.labels[d.id].value == found.gold[d.id]) for d in test]
    threshold = accept_from(pairs, [], 1.0, ALLOWED)
    trust = threshold.value if threshold else 0.8
    return [_campaign(found, trust if n % 2 else trust / 2, f"{seed} {n}") for n in range(count)]


def _campaign(found: Labelled, trust: float, name: str) -> dict[str, Any]:
    labels = [found.labels[d.id] for d in found.pool if accepted(found.labels[d.id], Rules(trust))]
    right = {label.document_id: label.value == found.gold[label.document_id] for label in labels}
    drawn = [
        Accepted(x.document_id, str(x.value), draw_of(x.document_id, name), 0, x.confidence or 0.0, None)
        for x in labels
    ]
    drawn.sort(key=lambda one: one.draw)
    held, checked, told, left = True, 0, audit(drawn, ALLOWED), 0
    while not told.enough and checked < len(drawn):
        for n in range(checked, min(len(drawn), checked + AT_ONCE)):
            drawn[n] = drawn[n]._replace(right=right[drawn[n].document_id])
        checked = min(len(drawn), checked + AT_ONCE)
        told = audit(drawn, ALLOWED)
        left = sum(not right[one.document_id] for one in drawn[checked:])
        held = held and left <= told.at_most * len(drawn) + 1e-9
    wrong, stopped = sum(not ok for ok in right.values()), checked < len(drawn)
    return {
        "held": held,
        "stopped": stopped,
        "wrongly": stopped and left > ALLOWED * len(drawn),
        "checked": checked,
        "of": len(drawn),
        "wrong": wrong / max(1, len(drawn)),
    }


def summed(stops: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all campaigns: how many bounds held, how many stopped, how many of these too early, after how many checks."""
    ended = [one for one in stops if one["stopped"]]
    stop = {"campaigns": len(stops), "held": fmean(one["held"] for one in stops), "stopped": len(ended)}
    stop |= {"wrongly": sum(one["wrongly"] for one in stops), "allowed": ALLOWED}
    stop |= {name: fmean(one[name] for one in ended) if ended else None for name in ("checked", "of", "wrong")}
    print(
        f"stop rule: the bound held at every look in {stop['held']:.1%} of {len(stops)} campaigns. {len(ended)} said "
        f"stop before all were checked, {stop['wrongly']} of them too early; on their mean after "
        f"{stop['checked'] or 0:.0f} checks of {stop['of'] or 0:.0f} accepted labels ({stop['wrong'] or 0:.1%} wrong, "
        f"{ALLOWED:.0%} allowed)"
    )
    return stop


# --- the table


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, lower and upper bound at 95 %, over seeds."""
    mean = fmean(values)
    half = student_t.ppf(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return mean, mean - half, mean + half


def _told(name: str, arms: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """Print and return the rows of one data set."""
    told = []
    for left in LEFT:
        spent = [(spent_until(routed, left), spent_until(chance, left)) for routed, chance in arms]
        ratio = interval([a / b for a, b in spent])
        # the student's accuracy where the routed arm has spent what it takes, and the random arm as much
        at = [round(a / STEP) for a, _ in spent]
        right = [fmean(curves[k][n][2] for curves, n in zip(arms, at, strict=True)) for k in (0, 1)]
        row = {
            "set": name,
            "errors_left": left,
            "routed": fmean(a for a, _ in spent),
            "random": fmean(b for _, b in spent),
        }
        row |= {"ratio": ratio[0], "low": ratio[1], "high": ratio[2], "accuracy": right[0], "accuracy_random": right[1]}
        told.append(row)
        print(
            f"{name:<14}{left:>7.0%}{row['routed']:>9.1%}{row['random']:>9.1%}{ratio[0]:>8.2f} ({ratio[1]:.2f} to "
            f"{ratio[2]:.2f}){right[0]:>10.1%}{right[1]:>9.1%}",
            flush=True,
        )
    return told


def main() -> int:
    """Print the table; exit code 1 when what is wanted was not reached, 2 without data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each data set")
    parser.add_argument("--only", choices=SETS, default=None, help="one data set")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=2_000, help="labelled by the teacher, a seed")
    parser.add_argument("--campaigns", type=int, default=200)
    chosen = parser.parse_args()
    names = [n for n in SETS if chosen.only in (None, n)]
    there = [n for n in names if (chosen.data / n / "train.jsonl").is_file()]
    for name in set(names) - set(there):
        print(f"{name}: not in {chosen.data}, left out")
    if not there:
        return 2
    print("data set      errors   routed   random   routed/random       accuracy   random\n" + " " * 16 + "left")
    told, stops, teachers = [], [], {}
    for name in there:
        seeds = [asyncio.run(labelled(chosen.data / name, seed, chosen.documents)) for seed in range(chosen.seeds)]
        arms = [(reviewed(one, True, n), reviewed(one, False, n)) for n, one in enumerate(seeds)]
        teachers[name] = round(1 - fmean(routed[0][1] for routed, _ in arms), 4)
        told += _told(name, arms)
        each = chosen.campaigns // (len(there) * chosen.seeds)
        stops += [one for n, labels in enumerate(seeds) for one in campaigns(labels, each, n)]
    print(f"teachers right: {', '.join(f'{name} {share:.1%}' for name, share in teachers.items())}")
    stop = summed(stops)
    reached = (
        all(row["ratio"] <= WANTED_RATIO for row in told if row["errors_left"] == 0.5) and stop["held"] >= WANTED_HELD
    )
    print(json.dumps({"rows": told, "teachers": teachers, "stop": stop, "reached": reached}))
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
