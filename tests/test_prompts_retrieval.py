"""Examples chosen for each document: which ones, from where, and that the choice is a part of the prompt."""

import asyncio

import pytest
from fixtures_flows import ANSWERS, NOWHERE, arrive, people_say, student_of, texts
from hypothesis import given
from hypothesis import strategies as st
from task_folders import CHOICE, FIELDS, make_task, write_task

from flows.examples import examples_of, freeze_examples, shown_with
from flows.label import ask_teacher
from flows.teacher import preview
from flows.train import freeze
from flows.trial import measure, verdict_of
from prompts.document_rules import Retrieval
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.estimate import estimate, highest_cost
from prompts.litellm_door import count_tokens
from prompts.pool import chooser, drafted, teacher_prompt
from prompts.render import prompt_fingerprint, render
from prompts.retrieval import Neighbours, Solved, WordIndex
from prompts.standin import Standin
from prompts.standin_embeddings import EmbeddingStandin
from prompts.task import load_task
from records import ledger, pools, tables, taskbook
from records.errors import InputError, ServiceError, StoreError
from records.split import cluster_of, document_id, split_of
from records.types import Outcome, Role, Split
from serving.answering import Answering
from serving.journal import Journal

pytestmark = [
    pytest.mark.usefixtures("litellm_closed"),
    # LiteLLM silences this one as it is imported: for the test that imports it, and for no later one.
    pytest.mark.filterwarnings("ignore:Item .* is using the `ReadOnly` qualifier:UserWarning"),
]
RULES = {"count": 2}


def task_at(folder, url=NOWHERE, retrieval=RULES, definition=CHOICE, student_url=NOWHERE, **teacher):
    spec = {"api_base": url, "mode": "generate", "input_price": 1.0, "output_price": 2.0, "retries": 0, **teacher}
    more = {} if retrieval is None else {"retrieval": retrieval}
    return make_task(folder, definition, teacher=spec, student={"api_base": student_url}, **more)


def corrected(context, task, *many, answer="lease"):
    """Documents on which people agree."""
    documents = arrive(context, task, *many)
    people_say(context, task, {d.id: answer for d in documents})
    return documents


def solved(said):
    """{text: label} as a pool."""
    found = [Solved(document_id(text), cluster_of(text), text, label) for text, label in said.items()]
    return sorted(found, key=lambda one: one.id)


def chosen(said, text, **rules):
    pool = solved(said)
    scores = WordIndex([one.text for one in pool]).scores(text)
    return [one.text for one in Neighbours(pool, Retrieval(**rules)).nearest(scores, text)]


def long_texts(count, tail):
    """Different texts of the train split that end with `tail`."""
    every = [f"{text} {tail}" for split in (Split.train, Split.test) for text in texts(split, 8)]
    return [text for text in every if split_of(cluster_of(text)) is Split.train][:count]


# --- which ones


def test_the_nearest_stands_last_next_to_the_document():
    said = {"red fox jumps": "a", "red fox": "b", "blue whale": "c", "red car": "d"}
    assert chosen(said, "a red fox runs", count=3) == ["red car", "red fox jumps", "red fox"]


def test_no_label_has_more_than_its_due_while_other_labels_are_left():
    said = {f"red fox {n}": "a" for n in "uvwxyz"} | {"red car": "b", "blue whale": "c"}
    labels = [said[text] for text in chosen(said, "red fox jumps", count=3, per_label=1)]
    assert sorted(labels) == ["a", "b", "c"]
    assert [said[text] for text in chosen(said, "red fox jumps", count=4, per_label=2)].count("a") == 2
    assert [said[text] for text in chosen(said, "red fox jumps", count=5, per_label=1)].count("a") == 3  # none is left


def test_objects_are_not_balanced():
    said = {"red fox": {"party": "x"}, "red car": {"party": "x"}, "blue whale": {"party": "y"}}
    assert set(chosen(said, "red", count=2, per_label=1)) == {"red fox", "red car"}


@pytest.mark.parametrize("text", ["Pay 300 to Anna by May.", "  pay 41 to ANNA by may!! "])
def test_a_document_is_never_shown_itself_nor_one_with_the_same_letters(text):
    said = {"Pay 300 to Anna by May.": "a", "pay 9 to anna by MAY": "b", "Send it.": "c"}
    assert chosen(said, text, count=3, per_label=3) == ["Send it."]


def test_a_document_is_never_shown_one_that_shares_most_of_its_words():
    story = " ".join(f"word{'abcdefghij'[n % 10] * (1 + n // 10)}" for n in range(40))
    said = {f"{story} signed by Anna": "a", "worda wordb something else": "b"}
    assert chosen(said, f"{story} signed by Otto", count=2) == ["worda wordb something else"]


def test_a_document_is_never_shown_one_of_its_own_cluster_however_that_was_found():
    twin = Solved("2", cluster_of("the first"), "quite another text", "a")
    pool = [Solved("1", cluster_of("the first"), "the first", "a"), twin, Solved("3", "x", "the third", "b")]
    scores = WordIndex([one.text for one in pool]).scores("The first!")
    assert [one.id for one in Neighbours(pool, Retrieval(count=3)).nearest(scores, "The first!")] == ["3"]


@given(
    st.dictionaries(st.text(min_size=1).filter(str.strip), st.sampled_from("abc"), min_size=1, max_size=12),
    st.text(),
    st.integers(1, 8),
    st.integers(1, 3),
)
def test_whatever_the_texts_the_choice_is_bounded_distinct_and_the_same_each_time(said, text, count, per_label):
    found = chosen(said, text, count=count, per_label=per_label)
    assert len(found) == len(set(found)) <= count and set(found) <= set(said)
    assert all(document_id(one) != document_id(text) for one in found)
    assert found == chosen(dict(reversed(said.items())), text, count=count, per_label=per_label)


# --- from where


def test_the_pool_is_what_people_agree_on_in_the_train_split_and_nothing_else(tmp_path, context):
    task = task_at(tmp_path / "mail")
    train = corrected(context, task, *texts(Split.train, 4))
    corrected(context, task, *texts(Split.test, 3), *texts(Split.validation, 3))
    people_say(context, task, {train[0].id: "debt"}, who="bob")  # now disputed
    arrive(context, task, *texts(Split.train, 6, about="debt"))  # nobody said anything
    pool = freeze_examples(context, task)
    assert dict(pool.pairs) == {d.id: "lease" for d in train[1:]}
    choose = examples_of(context, task)
    for text in texts(Split.test, 3):
        assert {e.document for e in choose.by_words(text)} <= {d.text for d in train[1:]}


def test_a_pool_needs_as_many_documents_as_are_shown(tmp_path, context):
    task = task_at(tmp_path / "mail", retrieval={"count": 3})
    corrected(context, task, *texts(Split.train, 2), *texts(Split.test, 9))
    with pytest.raises(InputError, match=r"2 documents of the train split are corrected, retrieval\.count is 3"):
        freeze_examples(context, task)
    with pytest.raises(InputError, match="add a section `retrieval:`"):
        freeze_examples(context, task_at(tmp_path / "off", retrieval=None))


def test_an_answer_that_the_task_does_not_take_any_more_is_not_shown(tmp_path, context):
    task = task_at(tmp_path / "mail")
    one, two, three = texts(Split.train, 3)
    corrected(context, task, one, answer="privacy")
    corrected(context, task, two, three)
    freeze_examples(context, task)
    labels = [label for label in CHOICE["answer"]["labels"] if label["name"] != "privacy"]
    less = make_task(
        tmp_path / "less", answer={"labels": labels}, examples=CHOICE["examples"][:2], retrieval={"count": 3}
    )
    assert {e.document for e in examples_of(context, less).by_words("x")} == {two, three}


def test_two_pools_of_one_version_cannot_be(tmp_path, context):
    task = task_at(tmp_path / "mail")
    corrected(context, task, *texts(Split.train, 3))
    early = drafted(context.store, task)
    corrected(context, task, *texts(Split.train, 5))
    freeze_examples(context, task)
    with pytest.raises(StoreError, match="froze pool 1 of mail at the same time"):
        pools.add(context.store, early)


def test_the_same_answers_are_the_same_pool_and_more_are_the_next(tmp_path, context):
    task = task_at(tmp_path / "mail")
    corrected(context, task, *texts(Split.train, 3))
    first, again = freeze_examples(context, task), freeze_examples(context, task)
    corrected(context, task, *texts(Split.train, 5))
    second = freeze_examples(context, task)
    assert first == again and (first.version, second.version) == (1, 2) and first.hash != second.hash
    pinned = task_at(tmp_path / "pinned", retrieval={"count": 2, "pool": 1})
    assert (examples_of(context, task).version, examples_of(context, pinned).version) == (2, 1)
    for wrong in (
        lambda: freeze_examples(context, pinned),
        lambda: examples_of(context, task_at(tmp_path / "none", retrieval={"pool": 9})),
    ):
        with pytest.raises(InputError, match=r"retrieval\.pool"):
            wrong()


# --- a part of the prompt


def test_the_fingerprint_covers_pool_and_rules_and_nothing_where_it_is_off(tmp_path):
    plain = task_at(tmp_path / "plain", retrieval=None)
    rules = [{"count": 2}, {"count": 3}, {"per_label": 3}, {"max_characters": 80}, {"by": "openai/embed"}]
    tasks = [task_at(tmp_path / str(n), retrieval=rule) for n, rule in enumerate(rules)]
    before = {prompt_fingerprint(task, True) for task in (plain, *tasks)}
    assert len(before) == 1  # no pool yet: the same bytes as without retrieval
    with_pool = {prompt_fingerprint(task, True, pool) for task in tasks for pool in ("p", "q")}
    assert len(with_pool | before) == 2 * len(tasks) + 1
    assert prompt_fingerprint(plain, True, "p") in before
    assert len({prompt_fingerprint(task, False, "p") for task in (plain, *tasks)}) == 1  # the student's has none
    same = [{"count": 2, "pool": 7}, {"count": 2, "by": "tfidf"}]
    kept = {prompt_fingerprint(task_at(tmp_path / f"s{n}", retrieval=r), True, "p") for n, r in enumerate(same)}
    assert kept == {prompt_fingerprint(tasks[0], True, "p")}


def test_what_varies_stands_after_what_does_not(tmp_path, context):
    task = task_at(tmp_path / "mail", retrieval={"count": 2, "max_characters": 50})
    corrected(context, task, *long_texts(2, "It goes on. " * 9), answer="privacy")
    freeze_examples(context, task)
    found = examples_of(context, task).by_words("roof")
    taught, plain = render(task, "roof", True, found), render(task, "roof", True)
    assert taught[:3] == plain[:3] and taught[-1] == plain[-1]
    assert [m["role"] for m in taught[3:-1]] == ["user", "assistant"] * 2
    assert [len(m["content"]) for m in taught[3:-1]] == [50, 4, 50, 4] and taught[-2]["content"] == "data"


def test_the_estimate_counts_the_examples_and_asks_nothing(tmp_path, context):
    task = task_at(tmp_path / "mail", retrieval={"count": 3, "per_label": 3, "max_characters": 4_000})
    corrected(context, task, *long_texts(3, "It goes on. " * 99))
    documents = arrive(context, task, *texts(Split.train, 20, about="debt"))
    before = preview(context, str(task.folder))
    told = preview(context, str(task.folder), refresh_examples=True)
    assert pools.get(context.store, task.name) is None  # nothing was frozen by looking
    freeze_examples(context, task)
    choose = examples_of(context, task)
    messages = [render(task, d.text, True, choose.by_words(d.text)) for d in documents]
    exact = sum(count_tokens(m["content"]) + 4 for turns in messages for m in turns)
    found = estimate(task, documents, teacher_of(task), examples=choose.by_words)
    assert found.prompt_tokens == pytest.approx(exact, abs=len(documents))
    assert told.prompt_tokens > before.prompt_tokens + 200 * told.documents
    assert preview(context, str(task.folder)).prompt_tokens == told.prompt_tokens


def teacher_of(task):
    return teacher_endpoint(task, NOWHERE, {})


# --- asked with it


async def test_nothing_is_asked_twice_when_people_answer_more_until_somebody_asks_for_it(tmp_path, context):
    async with Standin(ANSWERS) as teacher:
        task = task_at(tmp_path / "mail", teacher.url)
        arrive(context, task, *texts(Split.train, 5, about="debt"))
        asked = []
        for step in ("no pool yet", "answers", "frozen", "more answers", "frozen anew"):
            if step == "answers":
                corrected(context, task, *texts(Split.train, 4))
            if step == "more answers":
                corrected(context, task, *texts(Split.train, 7)[4:])
            if step.startswith("frozen"):
                freeze_examples(context, task)
            done = await asyncio.to_thread(ask_teacher, context, task)
            asked.append((done.known, done.answered, shown_with(context, task).split(" ")[0]))
    assert asked == [(0, 5, "the"), (5, 4, "the"), (0, 9, "nearest"), (9, 3, "nearest"), (0, 12, "nearest")]
    assert len(ledger.newest(context.store, task.name, Role.teacher, prompt=teacher_prompt(context.store, task))) == 12


@pytest.mark.parametrize(
    ("definition", "answer"), [(CHOICE, "privacy"), (FIELDS, {"party": "Anna", "amount": 5})], ids=["choice", "json"]
)
async def test_the_gateway_sends_the_bytes_of_the_labelling_run(tmp_path, context, definition, answer):
    async with Standin(["x"]) as teacher:
        task = task_at(tmp_path / "t", teacher.url, definition=definition, repair=False)
        taskbook.remember(context.store, task.name, task.fingerprint, task.folder, task.definition)
        answering = Answering(context.store, NOWHERE, {}, journal := Journal(context.store))
        known = corrected(context, task, *texts(Split.train, 5), answer=answer)
        [new] = arrive(context, task, *texts(Split.test, 1, about="debt"))
        asked = []
        for more in (2, 4):  # the gateway is up while the first and the second pool are frozen
            corrected(context, task, *texts(Split.train, 5 + more)[5:], answer=answer)
            freeze_examples(context, task)
            await asyncio.to_thread(ask_teacher, context, task, [known[0].id, new.id])
            for document in (known[0], new):
                with pytest.raises(ServiceError, match="no usable answer"):  # "x" is none
                    await answering.answer(task, document.text)
            asked.append([body["messages"] for body in teacher.bodies])
            teacher.bodies.clear()
        journal.close()
    for messages in asked:
        assert len(messages) == 4 and sorted(map(str, messages[:2])) == sorted(map(str, messages[2:]))
        for one in messages:
            assert one[-1]["content"] not in [m["content"] for m in one[:-1]]
            assert len([m for m in one if m["role"] == "assistant"]) == 1 + 2  # the list is understood; two examples
    assert asked[0] != asked[1]


async def test_the_gate_asks_the_teacher_with_the_examples_of_the_labelling_run_and_not_twice(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher.url, student_url=student.url)
        corrected(context, task, *texts(Split.train, 4))
        freeze_examples(context, task)
        made = student_of(context, task, freeze(context, task))
        test = corrected(context, task, *texts(Split.test, 4))
        await asyncio.to_thread(ask_teacher, context, task, [d.id for d in test[:2]])
        verdict = await asyncio.to_thread(measure, context, task, made)
        before = verdict_of(context, task, made)
        corrected(context, task, *texts(Split.train, 6)[4:])
        freeze_examples(context, task)
        after = verdict_of(context, task, made)
    assert sorted(body["messages"][-1]["content"] for body in teacher.bodies) == sorted(d.text for d in test)
    assert {len(body["messages"]) for body in teacher.bodies} == {1 + 2 + 2 * 2 + 1}
    assert verdict.report["teacher"]["accuracy"]["value"] == 1.0
    assert (before, after) == (verdict, None)  # with another pool it is another teacher


async def test_the_student_never_sees_an_example(tmp_path, context):
    async with Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", student.url)
        documents = corrected(context, task, *texts(Split.train, 3))
        freeze_examples(context, task)
        choose, endpoint = examples_of(context, task), teacher_of(task)
        await label_many(context.store, task, documents, endpoint, Role.student, examples=choose)
    assert {len(body["messages"]) for body in student.bodies} == {2}
    prompts = {label.prompt for label in ledger.labels(context.store, task.name)}
    assert prompts == {prompt_fingerprint(task, teaching=False)}


# --- by an embedding model


async def test_an_embedding_is_paid_for_once_and_charged(tmp_path, context):
    async with Standin(ANSWERS) as teacher, EmbeddingStandin() as model:
        rules = {"count": 2, "by": "openai/embed-small", "api_base": model.url, "price": 2.0}
        task = task_at(tmp_path / "mail", teacher.url, rules)
        corrected(context, task, *texts(Split.train, 6))
        freeze_examples(context, task)
        await asyncio.to_thread(ask_teacher, context, task)
        first = model.tokens
        corrected(context, task, *texts(Split.train, 9)[6:])
        freeze_examples(context, task)
        done = await asyncio.to_thread(ask_teacher, context, task)
    assert (done.answered, teacher.requests) == (9, 15)
    assert len(model.embedded) == 9 and set(model.embedded.values()) == {1}
    assert 0 < first < model.tokens
    with context.store.read() as db:
        charges = list(db.execute(tables.charges.select()))
    assert {(row.task, row.purpose, row.model) for row in charges} == {("mail", "embedding", "openai/embed-small")}
    assert sum(row.prompt_tokens for row in charges) == model.tokens
    assert sum(row.cost_usd for row in charges) == pytest.approx(2e-6 * model.tokens)
    with context.store.read() as db:
        sums = {row.id: row.cost_usd for row in db.execute(tables.runs.select())}
    answers = {label.run: 0.0 for label in ledger.labels(context.store, task.name)}
    for paid in (*ledger.labels(context.store, task.name), *charges):
        answers[paid.run] += paid.cost_usd
    assert answers == pytest.approx(sums) and len(sums) == 2  # so the budget counts them


async def test_what_may_be_paid_at_most_counts_the_longest_examples(tmp_path, context):
    task = task_at(tmp_path / "mail")
    plain = highest_cost(teacher_of(task), task, "x", True)
    corrected(context, task, *long_texts(3, "It goes on. " * 60))
    freeze_examples(context, task)
    choose = examples_of(context, task)
    most = highest_cost(teacher_of(task), task, "x", True, choose.longest)
    asked = [render(task, "x", True, choose.by_words(text)) for text in ("x", *texts(Split.test, 5))]
    assert most > plain + 2 * 300 * 1e-6
    assert all(count_tokens(str(messages)) * 1e-6 < most for messages in asked)


async def test_several_processes_show_the_same_examples(tmp_path, context):
    async with Standin(ANSWERS) as teacher:
        task = task_at(tmp_path / "mail", teacher.url)
        documents = corrected(context, task, *texts(Split.train, 6))
        freeze_examples(context, task)
        done = await asyncio.to_thread(ask_teacher, context, task, workers=2)
        choose = examples_of(context, task)
        again = await asyncio.to_thread(ask_teacher, context, task)
    assert (done.answered, again.known, again.answered) == (6, 6, 0)
    wanted = [render(task, d.text, True, choose.by_words(d.text)) for d in documents]
    assert sorted(str(body["messages"]) for body in teacher.bodies) == sorted(map(str, wanted))


async def test_the_nearest_by_vectors_is_the_one_with_the_same_words(tmp_path, context):
    async with EmbeddingStandin() as model:
        rules = {"count": 1, "by": "openai/embed-small", "api_base": model.url, "price": 0.0}
        task = task_at(tmp_path / "mail", retrieval=rules)
        documents = corrected(context, task, *texts(Split.train, 20))
        freeze_examples(context, task)
        [wanted] = [d.text for d in documents[:1]]
        [found] = await examples_of(context, task)(f"quick {wanted} please now today again")
    assert found.document == wanted


@pytest.mark.parametrize("status", [500, 401])
async def test_where_the_embedding_model_fails_the_teacher_is_not_asked(tmp_path, context, status):
    async with Standin(ANSWERS) as teacher, EmbeddingStandin(broken=status) as model:
        rules = {"count": 2, "by": "openai/embed-small", "api_base": model.url, "price": 0.0}
        task = task_at(tmp_path / "mail", teacher.url, rules)
        corrected(context, task, *texts(Split.train, 4))
        freeze_examples(context, task)
        if status == 401:
            with pytest.raises(ServiceError, match=r"`retrieval` in task\.yaml"):
                await asyncio.to_thread(ask_teacher, context, task)
        else:
            done = await asyncio.to_thread(ask_teacher, context, task)
            assert (done.failed, done.left) == (4, 4)
            assert {x.outcome for x in ledger.labels(context.store, task.name)} == {Outcome.failed}
        assert teacher.requests == 0


def test_an_unknown_price_and_a_key_that_is_not_set_are_said_before_anything_is_asked(tmp_path, context):
    task = task_at(tmp_path / "mail", retrieval={"count": 2, "by": "openai/nobody-knows", "api_base": NOWHERE})
    corrected(context, task, *texts(Split.train, 4))
    freeze_examples(context, task)
    with pytest.raises(InputError, match=r"retrieval\.price"):
        chooser(context.store, task, {})
    keyed = task_at(tmp_path / "keyed", retrieval={"by": "openai/text-embedding-3-small", "api_key_env": "NO_SUCH"})
    with pytest.raises(InputError, match=r"NO_SUCH \(retrieval\.api_key_env"):
        chooser(context.store, keyed, {})
    assert chooser(context.store, keyed, {"NO_SUCH": "k"}).size == 4  # its price is in LiteLLM's table


# --- the task file


def test_what_makes_no_sense_together_is_a_fault(tmp_path):
    write_task(tmp_path, teacher={"calibrate": True}, retrieval={"by": "tfidf", "price": 1.0, "api_key_env": "K"})
    with pytest.raises(InputError) as caught:
        load_task(tmp_path)
    for wanted in ("retrieval.price: tfidf asks no model", "retrieval.api_key_env: tfidf", "teacher.calibrate: each"):
        assert wanted in str(caught.value)
    write_task(tmp_path, retrieval={"by": "bm25", "cuont": 3})
    with pytest.raises(InputError, match=r"cuont: unknown key \(did you mean 'count'"):
        load_task(tmp_path)
