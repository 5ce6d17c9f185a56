"""Documents become the lines of a batch's file, claimed as they are written, as many as a batch may hold."""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prompts.ask import messages_for
from prompts.batch_provider import Provider
from prompts.batch_summary import BatchSummary
from prompts.definition import Task
from prompts.endpoint import Endpoint
from prompts.fingerprint import answer_key
from prompts.redaction import MaskingFailed
from prompts.render import prompt_fingerprint
from prompts.reply import Reply
from prompts.supply import Terms
from records import batches, claims, ledger
from records.batches import Batch
from records.store import Store
from records.types import Document, Outcome, Role

_LOOKED_UP = 500

Keyed = tuple[str, Document]


@dataclass
class Part:
    """The file of one batch to be, a line for each of `documents` ({key: document id}), all claimed for `batch`."""

    batch: Batch
    path: Path
    documents: dict[str, str] = field(default_factory=dict)
    size: int = 0
    held: dict[str, tuple[Document, bytes]] = field(default_factory=dict)

    def is_full(self, line: bytes, provider: Provider) -> bool:
        """Whether this line does not fit in any more (a byte more for what stands between two lines)."""
        count = len(self.documents) + len(self.held)
        return count >= provider.most_requests or (bool(count) and self.size + len(line) + 1 > provider.most_bytes)


def open_documents(
    store: Store,
    task: Task,
    endpoint: Endpoint,
    role: Role,
    documents: Iterable[Document],
    terms: Terms,
    told: BatchSummary,
) -> Iterator[Keyed]:
    """The documents that have no answer and wait nowhere, each with its key; read and looked up some at a time."""
    prompt = prompt_fingerprint(task, role is Role.teacher)
    source = iter(documents)
    while chunk := {
        answer_key(task.name, prompt, endpoint, document.id): document
        for document in itertools.islice(source, _LOOKED_UP)
    }:
        told.seen += len(chunk)
        known = ledger.answered_keys(store, chunk, terms.again)
        elsewhere = batches.claimed(store, chunk.keys() - known)
        told.known += len(known)
        told.elsewhere += len(elsewhere)
        yield from ((key, document) for key, document in chunk.items() if key not in known | elsewhere)


@dataclass
class Parts:
    """The batches to be, one after the other. `new_batch`: a batch of this run, noted in the store."""

    store: Store
    task: Task
    endpoint: Endpoint
    role: Role
    provider: Provider
    terms: Terms
    told: BatchSummary
    new_batch: Callable[[], Batch]

    def of(self, documents: Iterable[Keyed]) -> Generator[Part, None, None]:
        """Each part's file is gone when the next one is asked for."""
        with TemporaryDirectory(prefix="retort-batch-") as folder:
            part = self._part(folder)
            for key, document in documents:
                line = self._line(key, document)
                if line is None:
                    continue
                if part.is_full(line, self.provider):
                    self._claim(part)
                    yield part
                    part.path.unlink(missing_ok=True)
                    part = self._part(folder)
                part.held[key] = (document, line)
                part.size += len(line) + 1
                if len(part.held) >= _LOOKED_UP:
                    self._claim(part)
                if self.told.bound:
                    break
            self._claim(part)
            yield part

    def _line(self, key: str, document: Document) -> bytes | None:
        """None for a document that may not leave, since it could not be masked."""
        try:
            messages, _ = messages_for(self.endpoint, self.task, document.text, self.role is Role.teacher)
        except MaskingFailed as failure:
            self.told.count(Reply(Outcome.failed, error=str(failure)))
            return None
        return self.provider.line(key, messages)

    def _part(self, folder: str) -> Part:
        batch = self.new_batch()
        return Part(batch, Path(folder) / f"{batch.id}.jsonl")

    def _claim(self, part: Part) -> None:
        """Claim what is held, within the bounds, and write the lines of what was free."""
        wanted = {key: self.highest_usd(line) for key, (_, line) in part.held.items()}
        if wanted and not self.told.bound:
            holder, again = batches.holder(part.batch.id), self.terms.again
            args = (self.store, self.task.name, part.batch.run, holder, wanted, self.terms.bounds, again)
            taken = claims.take(*args, lease_s=batches.LEASE_S)
            self.told.bound = taken.blocked
            self.told.known += len(taken.known)
            self.told.elsewhere += len(taken.elsewhere)
            with part.path.open("ab") as file:
                file.writelines(part.held[key][1] for key in taken.mine)
            part.documents |= {key: part.held[key][0].id for key in taken.mine}
        part.held.clear()

    def highest_usd(self, line: bytes) -> float:
        """What a request can cost at most: a token has two bytes or more, on the whole; the answer is bounded."""
        return self.endpoint.cost(len(line) // 2, self.endpoint.max_tokens)


def at_batch_price(endpoint: Endpoint, ratio: float) -> Endpoint:
    """The endpoint with the prices of its batch API: `ratio` of the live ones; an unknown price stays unknown."""
    prices = [None if price is None else price * ratio for price in (endpoint.input_price, endpoint.output_price)]
    return replace(endpoint, input_price=prices[0], output_price=prices[1])
