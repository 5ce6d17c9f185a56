"""From what people corrected to the examples of one document: the pool in the store, and the chooser over it.

    pool = drafted(store, task); pools.add(store, pool)     a new version: `retort label --refresh-examples`
    choose = chooser(store, task, os.environ)               None: the task's own examples are shown
    await choose(text)                                      the examples for this text

The pool holds documents of the train split alone. The test split measures, and the validation split is kept for
choosing between prompts and students: what the teacher was shown can do neither.

A pool changes only when a person asks for it, the first one too. It is a part of the prompt: whatever was labelled with
another is asked and paid for again. `teacher_prompt` is the fingerprint that says which answers are the present ones.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prompts.definition import Example, Task
from prompts.document_rules import Retrieval
from prompts.embedding import Embedder, embedder_of
from prompts.parse import parse
from prompts.redaction import outgoing
from prompts.render import answer_text, document_text, prompt_fingerprint
from prompts.retrieval import Neighbours, Solved, VectorIndex, WordIndex
from records import corrections, pools
from records.errors import InputError
from records.pools import Pool
from records.store import Store
from records.types import Answer, Outcome, Role, Split


class Chooser:
    """Chooses the examples of a text. `pool` is its hash, the part of the prompt's fingerprint that stands for it."""

    def __init__(
        self, task: Task, rules: Retrieval, pool: Pool, solved: list[Solved], embedder: Embedder | None
    ) -> None:
        """Use `chooser`. `solved`: the pool's documents, sorted by id, whose answers the task still takes."""
        self.pool, self.version, self.size = pool.hash, pool.version, len(solved)
        self._task, self._rules, self._solved, self._embedder = task, rules, solved, embedder
        self._neighbours = Neighbours(solved, rules)
        self._words = WordIndex([document_text(task, one.text) for one in solved]) if solved else None
        self._vectors: VectorIndex | None = None
        by_length = sorted(solved, key=lambda one: -len(one.text))
        self.longest = self._shown(by_length[: rules.count]) if solved else list(task.examples)
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, text: str) -> list[Example]:
        """The examples for this text, the nearest last. Raises CallFailed where the embedding model does not answer."""
        if self._embedder is None or not self._solved:
            return self.by_words(text)
        async with self._one_at_a_time:
            if self._vectors is None:
                known = [document_text(self._task, one.text) for one in self._solved]
                self._vectors = VectorIndex(await self._embedder.vectors(self._leaving(self._embedder, known)))
        [vector] = await self._embedder.vectors(self._leaving(self._embedder, [document_text(self._task, text)]))
        return self._shown(self._neighbours.nearest(self._vectors.scores(vector), text))

    def _leaving(self, embedder: Embedder, texts: Sequence[str]) -> list[str]:
        """Texts as they may be sent to the embedding model. Raises MaskingFailed."""
        return [outgoing(self._task, embedder.endpoint, text).text for text in texts]

    def of_run(self, run: str) -> "Chooser":
        """This chooser, with what its embedding model costs on that run's account."""
        self._embedder = replace(self._embedder, run=run) if self._embedder else None
        return self

    def by_words(self, text: str) -> list[Example]:
        """The examples that are nearest by words: what an estimate takes, which must cost nothing."""
        if self._words is None:
            return list(self._task.examples)
        scores = self._words.scores(document_text(self._task, text))
        return self._shown(self._neighbours.nearest(scores, text))

    def _shown(self, chosen: Sequence[Solved]) -> list[Example]:
        cut = self._rules.max_characters
        return [Example(document=document_text(self._task, one.text)[:cut], answer=one.answer) for one in chosen]


def chooser(store: Store, task: Task, environ: Mapping[str, str], pool: Pool | None = None) -> Chooser | None:
    """The chooser over the task's pool (or over `pool`); None without retrieval, or before the first pool.

    `environ`: where the embedding model's key is looked up. Raises InputError for a pool that is not there, a key
    that is not set, a price that is not known.
    """
    rules = task.retrieval
    if rules is None:
        return None
    chosen = pool or pools.get(store, task.name, rules.pool)
    if chosen is None:
        _check_pinned(rules, task)
        return None
    answers = dict(chosen.pairs)
    solved = [
        Solved(document.id, document.cluster, document.text, answers[document.id])
        for document in pools.documents(store, task.name, answers)
        if _fits(task, answers[document.id])
    ]
    return Chooser(task, rules, chosen, solved, embedder_of(store, task, environ))


def drafted(store: Store, task: Task) -> Pool:
    """The pool that people's answers make now, not kept yet: every document of the train split on which they agree.

    Raises InputError when the task has no `retrieval`, names a version, or too few documents are corrected.
    """
    rules = task.retrieval
    if rules is None:
        raise InputError(f"{task.name} shows the same examples to all: add a section `retrieval:` to its task.yaml.")
    if rules.pool is not None:
        raise InputError(f"{task.name} is held to pool {rules.pool}: take retrieval.pool out of its task.yaml first.")
    gold = {i: answer for i, answer in corrections.settled(store, task.name).gold.items() if _fits(task, answer)}
    known = pools.documents(store, task.name, gold)
    pairs = [(document.id, gold[document.id]) for document in known if document.split is Split.train]
    if len(pairs) < rules.count:
        raise InputError(
            f"{task.name}: {len(pairs)} documents of the train split are corrected, retrieval.count is {rules.count}: "
            "have more answered on the desk, and run `collect`."
        )
    return pools.draft(store, task.name, pairs)


def pool_hash(store: Store, task: Task) -> str | None:
    """The hash of the pool that the task's examples are chosen from; None: its own examples are shown."""
    rules = task.retrieval
    if rules is None:
        return None
    found = pools.hash_of(store, task.name, rules.pool)
    if found is None:
        _check_pinned(rules, task)
    return found


def teacher_prompt(store: Store, task: Task) -> str:
    """The fingerprint of what the teacher is asked now: the task's prompt, and the pool that its examples are from."""
    return prompt_fingerprint(task, teaching=True, pool=pool_hash(store, task))


def prompt_of(store: Store, task: Task, role: Role) -> str:
    """The fingerprint of what a model in this role is asked now. Only the teacher is shown examples."""
    return teacher_prompt(store, task) if role is Role.teacher else prompt_fingerprint(task, role.taught)


def _check_pinned(rules: Retrieval, task: Task) -> None:
    if rules.pool is not None:
        raise InputError(f"{task.name} has no pool {rules.pool} (retrieval.pool in task.yaml): take the key out.")


def _fits(task: Task, answer: Answer) -> bool:
    """Whether the task takes this answer still: labels and schemas change."""
    try:
        return parse(task, answer_text(task, answer)).outcome is Outcome.answered
    except KeyError:
        return False
