"""A scripted reviewer: answers what waits on a board as one user, through Argilla's own API, from known right answers.

For the demo and the tests. It errs like a person: in `error_rate` of its answers it gives another document's answer
instead. Which ones follows from the seed, the reviewer and the document, not from the order of work, so a run that was
killed goes on where it stopped and ends the same. It answers only what still waits for this user, and it leaves
documents whose right answer it does not know.

Run as:

    RETORT_REVIEWER_PASSWORD=... python -m review.scripted --url http://127.0.0.1:6900 --task legal_intake \\
        --reviewer reviewer-1 --answers gold.jsonl --error-rate 0.02

where a line of gold.jsonl is {"document_id": "41d0...", "answer": "lease"} or has the document's {"text": ...} in place
of the id. `--schema schema.json` for a task whose answers are objects.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from records.errors import InputError, RetortError, ServiceError
from records.progress import Progress, silent
from records.split import document_id
from records.types import Answer
from review import sdk
from review.form import Form, choice_form, json_form
from review.people import Account, sign_in

_BATCH = 100  # Argilla's limit for responses in one request


class Reviewed(NamedTuple):
    """How many answers were given, how many of them wrong on purpose, how many documents had no known answer."""

    answered: int
    wrong: int
    unknown: int


def review(
    url: str,
    reviewer: Account,
    task: str,
    form: Form,
    answers: Mapping[str, Answer],
    error_rate: float = 0.02,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress = silent,
) -> Reviewed:
    """Answer all that waits for this reviewer (`limit` at most). `answers`: document id -> the right answer.

    Raises ServiceError when the desk fails or refuses any single answer; what was taken stays, and a new run goes on.
    """
    opinion = _Opinion(answers, error_rate, f"{seed}/{reviewer.username}")
    with sign_in(url, reviewer) as client, sdk.speaking_to(url):
        board = _board_of(client, task)
        done, unknown = Reviewed(0, 0, 0), 0
        while limit is None or done.answered < limit:
            total, waiting = _waiting(
                client, board, unknown, _BATCH if limit is None else min(_BATCH, limit - done.answered)
            )
            if not waiting:
                break
            known = [r for r in waiting if r["external_id"] in answers]
            unknown += len(waiting) - len(known)
            _submit(client, [_response(r, form, opinion.on(r["external_id"])) for r in known])
            wrong = sum(opinion.errs_on(r["external_id"]) for r in known)
            done = Reviewed(done.answered + len(known), done.wrong + wrong, unknown)
            progress("reviewing", done.answered, done.answered + total - len(waiting), reviewer.username)
    return done


class _Opinion:
    """What the reviewer says of a document: the right answer, or now and then another one."""

    def __init__(self, answers: Mapping[str, Answer], error_rate: float, seed: str) -> None:
        self._answers, self._error_rate, self._seed = answers, error_rate, seed
        distinct = {json.dumps(a, sort_keys=True): a for a in answers.values()}
        self._others = [distinct[key] for key in sorted(distinct)]

    def errs_on(self, document: str) -> bool:
        return len(self._others) > 1 and self._chance(document, "error") < self._error_rate

    def on(self, document: str) -> Answer:
        right = self._answers[document]
        if not self.errs_on(document):
            return right
        wrong = [a for a in self._others if a != right]
        return wrong[int(self._chance(document, "which") * len(wrong))]

    def _chance(self, document: str, purpose: str) -> float:
        """A number in 0..1 that is the same at each run."""
        digest = hashlib.blake2b(f"{self._seed}/{purpose}/{document}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def _board_of(client: httpx.Client, task: str) -> str:
    boards = {d["name"]: d["id"] for d in _call(client, "GET", "/me/datasets")["items"]}
    if task not in boards:
        names = ", ".join(sorted(boards)) or "none"
        raise InputError(
            f"this reviewer sees no board {task!r} on the desk (boards: {names}); `retort label` makes it."
        )
    return str(boards[task])


def _waiting(client: httpx.Client, board: str, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """What needs an answer and has none of this user, in the order of arrival, and how much there is in all."""
    scopes = [{"entity": "response", "property": "status"}, {"entity": "record", "property": "status"}]
    query = {
        "filters": {"and": [{"type": "terms", "scope": scope, "values": ["pending"]} for scope in scopes]},
        "sort": [{"scope": {"entity": "record", "property": "inserted_at"}, "order": "asc"}],
    }
    params = {"limit": limit, "offset": offset}
    found = _call(client, "POST", f"/me/datasets/{board}/records/search", query, params)
    return max(found["total"] - offset, 0), [item["record"] for item in found["items"]]


def _response(record: Mapping[str, Any], form: Form, answer: Answer) -> dict[str, Any]:
    values = {name: {"value": value} for name, value in form.write(answer).items()}
    return {"record_id": record["id"], "values": values, "status": "submitted"}


def _submit(client: httpx.Client, responses: list[dict[str, Any]]) -> None:
    """Argilla answers 200 also when it refuses single items: each item is looked at."""
    if not responses:
        return
    items = _call(client, "POST", "/me/responses/bulk", {"items": responses})["items"]
    errors = [item["error"]["detail"] for item in items if item["error"]]
    if errors:
        raise ServiceError(f"the review desk refused {len(errors)} of {len(items)} answers; the first: {errors[0]}")


def _call(
    client: httpx.Client, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None
) -> Any:
    response = client.request(method, f"/api/v1{path}", json=body, params=params)
    response.raise_for_status()
    return response.json()


def read_answers(file: Path) -> dict[str, Answer]:
    """Right answers from a JSONL file (see above). Raises InputError that names the line."""
    return dict(_lines(file))


def _lines(file: Path) -> Iterator[tuple[str, Answer]]:
    for number, line in enumerate(file.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
            yield row.get("document_id") or document_id(row["text"]), row["answer"]
        except (ValueError, KeyError, AttributeError):
            raise InputError(
                f"{file}, line {number}: needs document_id (or text) and answer, got {line[:80]!r}."
            ) from None


def main(arguments: list[str] | None = None) -> int:
    """Answer, print what was done as JSON; the exit code."""
    parser = argparse.ArgumentParser(
        prog="review.scripted", description="Answers a board as a user, from known answers."
    )
    parser.add_argument("--url", required=True, help="address of the review desk")
    parser.add_argument("--task", required=True, help="the task, which is the board's name")
    parser.add_argument("--reviewer", required=True, help="username; the password is in RETORT_REVIEWER_PASSWORD")
    parser.add_argument("--answers", type=Path, required=True, help="JSONL of document_id (or text) and answer")
    parser.add_argument("--schema", type=Path, help="JSON Schema of the answers, where they are objects")
    parser.add_argument("--error-rate", type=float, default=0.02, help="share of answers that are wrong (default 0.02)")
    parser.add_argument("--seed", type=int, default=0, help="which answers are wrong (default 0)")
    parser.add_argument("--limit", type=int, help="answer this many at most")
    given = parser.parse_args(arguments)
    try:
        answers = read_answers(given.answers)
        form = json_form(json.loads(given.schema.read_text())) if given.schema else _choice(answers)
        person = Account(username=given.reviewer, password=os.environ.get("RETORT_REVIEWER_PASSWORD", ""))
        done = review(given.url, person, given.task, form, answers, given.error_rate, given.seed, given.limit)
    except (RetortError, OSError, ValueError) as error:
        print(f"scripted reviewer: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, RetortError) else InputError.exit_code
    print(json.dumps(done._asdict()))
    return 0


def _choice(answers: Mapping[str, Answer]) -> Form:
    return choice_form({str(a): "" for a in answers.values()})


if __name__ == "__main__":
    sys.exit(main())
