"""Several samples vote, an unreadable answer is mended once, constrained answers, and confidences had again."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from task_folders import FIELDS, make_task, write_task

from prompts.ask import ask
from prompts.calibration import batch_baseline, fit_temperature, logits
from prompts.consistency import vote
from prompts.constrain import generate_options, said_plainly, strict
from prompts.endpoint import student_endpoint, teacher_endpoint
from prompts.engine import label_many
from prompts.estimate import estimate
from prompts.fingerprint import answer_key
from prompts.litellm_door import close
from prompts.parse import parse
from prompts.scoring import choose
from prompts.standin import Standin
from prompts.supply import Terms
from prompts.task import load_task
from records import ledger, library
from records.claims import Bounds
from records.errors import InputError
from records.store import Store
from records.types import Label, Outcome, Role

ANSWERS = ["lease", "debt", "data"]
ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path)


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    await close()


def endpoint_of(task, standin, **changes):
    return replace(teacher_endpoint(task, standin.url, {}), mode="generate", **changes)


# --- samples


async def test_the_share_of_the_samples_that_agree_is_the_confidence(task):
    async with Standin(ANSWERS, wavers=["lease", "debt", "lease", "lease", "hm"]) as standin:
        own = endpoint_of(task, standin, samples=5, input_price=1.0, output_price=2.0)
        reply = await ask(own, task, "a letter", True)
    assert (reply.value, reply.confidence) == ("lease", 0.6)
    assert reply.scores == {"lease": 0.6, "debt": 0.2, "privacy": 0.0}  # "hm" is a vote for nothing
    assert sorted(reply.samples) == ["debt", "hm", "lease", "lease", "lease"]
    assert {body["temperature"] for body in standin.bodies} == {0.7}
    assert (reply.prompt_tokens, reply.completion_tokens) == (standin.prompt_tokens, standin.completion_tokens)
    assert reply.cost_usd == pytest.approx(standin.prompt_tokens * 1e-6 + standin.completion_tokens * 2e-6)


async def test_samples_are_the_teachers_alone_and_are_not_taken_where_labels_are_scored(task):
    async with Standin(ANSWERS) as standin:
        scored = await ask(replace(endpoint_of(task, standin, samples=5), mode="score"), task, "a debt", True)
        student = replace(student_endpoint(task, "student-1", standin.url), mode="generate", samples=5)
        alone = await ask(student, task, "a debt", False)
    assert (scored.samples, alone.samples, alone.confidence) == (None, None, None)
    assert standin.requests == 3  # two and the probe for log-probabilities


async def test_samples_that_did_not_come_are_votes_for_nothing_and_what_came_is_kept(task):
    async with Standin(ANSWERS, faults={"400": 0.5}) as standin:
        reply = await ask(endpoint_of(task, standin, samples=8, retries=0), task, "a debt", True)
    came = len(reply.samples)
    assert 0 < came < 8 and reply.confidence == came / 8
    assert reply.prompt_tokens == standin.prompt_tokens


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("400", Outcome.failed), ("garbage", Outcome.unreadable), ("refusal", Outcome.refused)],
)
async def test_samples_of_which_none_can_be_read_are_one_outcome_that_counts_them_all(task, fault, outcome):
    async with Standin(ANSWERS, faults={fault: 1.0}) as standin:
        reply = await ask(endpoint_of(task, standin, samples=3, retries=0, repair=True), task, "a debt", True)
    assert (reply.outcome, reply.value, reply.confidence) == (outcome, None, None)
    assert standin.requests == 3  # several samples need no repair
    assert reply.prompt_tokens == standin.prompt_tokens


async def test_samples_stay_within_the_requests_in_flight_and_are_stored(task, store):
    documents = [library.document("mail", f"Letter {n}", source="test") for n in range(6)]
    async with Standin(ANSWERS, latency_s=0.02, wavers=["lease", "debt", "lease"]) as standin:
        own = endpoint_of(task, standin, samples=3, max_in_flight=6)
        summary = await label_many(store, task, documents, own, Role.teacher)
    assert 3 <= standin.most_in_flight <= 6
    labels = ledger.labels(store, "mail")
    assert [len(x.samples) for x in labels] == [3] * 6
    assert summary.prompt_tokens == sum(x.prompt_tokens for x in labels) == standin.prompt_tokens


@ON_A_BUSY_MACHINE
@given(st.lists(st.sampled_from(["lease", "debt", "privacy"]), min_size=1, max_size=9), st.integers(0, 4))
def test_a_vote_is_won_by_the_most_and_a_tie_by_who_was_first(shared_task, values, lost):
    won = vote(shared_task, values, len(values) + lost)
    assert values.count(won.value) == max(values.count(v) for v in values)
    assert all(values.count(v) < values.count(won.value) for v in values[: values.index(won.value)])
    assert won.confidence == won.scores[won.value] == values.count(won.value) / (len(values) + lost)
    assert math.isclose(sum(won.scores.values()), len(values) / (len(values) + lost))


@pytest.fixture(scope="module")
def shared_task(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("shared"))


parties = st.sampled_from(["Anna", "Ben", "Cleo"])
objects = st.fixed_dictionaries({"party": parties}, optional={"amount": st.sampled_from([1, 1.0, 2.5])})


@ON_A_BUSY_MACHINE
@given(st.lists(objects, min_size=1, max_size=7))
def test_an_object_is_voted_field_by_field_and_is_as_sure_as_its_weakest_field(shared_fields, values):
    won = vote(shared_fields, values, len(values))
    for name, share in won.scores.items():
        same = [v for v in values if (name in v) == (name in won.value) and v.get(name) == won.value.get(name)]
        assert share == len(same) / len(values)
        assert not any(sum(v.get(name) == other.get(name) for v in values) > len(same) for other in values)
    assert won.confidence == min(won.scores.values())


@pytest.fixture(scope="module")
def shared_fields(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("fields"), FIELDS)


def test_fields_that_exclude_each_other_give_a_whole_answer_and_not_a_mixture(tmp_path):
    one = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "minProperties": 1}
    task = make_task(tmp_path, FIELDS, answer={"schema": {**one, "maxProperties": 1}}, examples=[])
    won = vote(task, [{"a": 1}, {"b": 1}, {"a": 2}, {"b": 2}, {"a": 1}], 5)
    assert won.value == {"a": 1}
    empty = make_task(tmp_path, FIELDS, answer={"schema": {"type": "object"}}, examples=[])
    assert vote(empty, [{}, {}], 3)[:2] == ({}, pytest.approx(2 / 3))


def test_keys_are_unchanged_while_the_options_are_off_and_where_labels_are_scored(task):
    own = teacher_endpoint(task, "http://127.0.0.1:1", {})
    assert (own.samples, own.repair) == (1, True)
    plain = answer_key("mail", "p", own, "d")
    assert plain == "6010f8a92766a1733b6c1abfd1f9e8b4"
    assert answer_key("mail", "p", replace(own, repair=False, sample_temperature=0.2), "d") == plain
    assert answer_key("mail", "p", replace(own, samples=5), "d") == plain  # the local server scores: one call
    often = replace(own, mode="generate", samples=5)
    keys = [replace(often, samples=1), often, replace(often, samples=3), replace(often, sample_temperature=0.2)]
    assert len({answer_key("mail", "p", one, "d") for one in keys}) == 4


def test_samples_that_would_never_be_taken_are_a_fault(tmp_path):
    with pytest.raises(InputError, match=r"teacher\.samples: 5: with mode: score labels are scored in one call"):
        load_task(write_task(tmp_path, teacher={"samples": 5, "mode": "score"}))
    with pytest.raises(InputError, match=r"teacher\.samples: 5: with api_base: local"):
        load_task(write_task(tmp_path, teacher={"samples": 5}))
    assert make_task(tmp_path, teacher={"samples": 5, "mode": "generate"}).teacher.samples == 5
    assert make_task(tmp_path, FIELDS, teacher={"samples": 5}).teacher.samples == 5


async def test_an_estimate_and_a_budget_count_every_sample_and_the_repair(task, store):
    documents = [library.document("mail", f"Letter {n}", source="test") for n in range(30)]
    async with Standin(ANSWERS, wavers=["lease"]) as standin:
        once = endpoint_of(task, standin, input_price=1_000.0, output_price=0.0, repair=False)
        often = replace(once, samples=4)
        assert estimate(task, documents, often).prompt_tokens == 4 * estimate(task, documents, once).prompt_tokens
        assert often.highest_cost(100) == 4 * once.highest_cost(100)
        assert replace(once, repair=True).highest_cost(100) > 2 * once.highest_cost(100)
        await label_many(store, task, documents, often, Role.teacher, terms=Terms(bounds=Bounds(task_usd=3.0)))
    assert 1.0 < ledger.spent(store, "mail") <= 3.0


# --- repair


async def test_an_unreadable_answer_goes_back_with_its_reason_and_is_mended_once(task):
    async with Standin(ANSWERS, faults={"garbage": 1.0}, mends=True) as standin:
        reply = await ask(endpoint_of(task, standin), task, "a debt", True)
    last = standin.bodies[-1]["messages"]
    assert (reply.outcome, reply.value, reply.error) == (Outcome.answered, "debt", None)
    assert reply.samples == ["Well, that depends!", "debt"]
    assert last[-2] == {"role": "assistant", "content": "Well, that depends!"}
    assert "not a label: 'Well, that depends!'" in last[-1]["content"] and "lease, debt, data" in last[-1]["content"]
    assert last[:-2] == standin.bodies[0]["messages"]
    assert (reply.prompt_tokens, reply.completion_tokens) == (standin.prompt_tokens, standin.completion_tokens)
    assert reply.latency_s > 0


async def test_a_repair_that_is_unreadable_too_is_the_end_of_it(tmp_path):
    task = make_task(tmp_path, FIELDS)
    async with Standin(ANSWERS, faults={"not_json": 1.0}) as standin:
        reply = await ask(endpoint_of(task, standin), task, "Pay Anna", True)
    assert (reply.outcome, standin.requests) == (Outcome.unreadable, 2)
    assert reply.error.startswith("not JSON") and reply.samples == ['{"a": ', '{"a": ']
    assert reply.prompt_tokens == standin.prompt_tokens
    assert "fits this schema" in standin.bodies[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(("fault", "changes"), [("refusal", {}), ("garbage", {"repair": False})])
async def test_a_refusal_is_respected_and_repair_can_be_switched_off(task, fault, changes):
    async with Standin(ANSWERS, faults={fault: 1.0}, mends=True) as standin:
        reply = await ask(endpoint_of(task, standin, **changes), task, "a debt", True)
    assert reply.value is None and standin.requests == 1


async def test_a_students_answer_is_never_sent_back(task):
    async with Standin(ANSWERS, faults={"garbage": 1.0}, mends=True) as standin:
        student = replace(student_endpoint(task, "student-1", standin.url), mode="generate", repair=True)
        assert (await ask(student, task, "a debt", False)).outcome is Outcome.unreadable
    assert standin.requests == 1


async def test_a_mended_answer_is_stored_with_both_texts_and_what_both_cost(task, store):
    documents = [library.document("mail", f"Letter {n} about a debt", source="test") for n in range(12)]
    async with Standin(ANSWERS, faults={"garbage": 0.5}, mends=True) as standin:
        own = endpoint_of(task, standin, input_price=1.0, output_price=1.0)
        summary = await label_many(store, task, documents, own, Role.teacher)
    labels = ledger.labels(store, "mail")
    mended = [x for x in labels if x.samples]
    assert 0 < len(mended) < 12 and len(mended) == standin.repaired.total()
    assert {x.outcome for x in labels} == {Outcome.answered}
    assert sum(x.prompt_tokens for x in labels) == standin.prompt_tokens == summary.prompt_tokens


# --- held answers


def hosted(tmp_path, definition, model, **answer):
    spec = {"model": model, "api_base": None, "mode": "auto", "input_price": 1.0, "output_price": 1.0}
    task = make_task(tmp_path, definition, teacher=spec, **({"answer": answer, "examples": []} if answer else {}))
    return task, generate_options(teacher_endpoint(task, "http://127.0.0.1:1", {}), task)


def test_labels_are_an_enum_where_openai_holds_to_a_schema_and_nothing_elsewhere(tmp_path):
    task, options = hosted(tmp_path, {**make_definition()}, "openai/gpt-4o-mini")
    held = options["response_format"]["json_schema"]
    assert held["strict"] and held["schema"]["properties"]["answer"]["enum"] == ANSWERS
    assert said_plainly(task, '{"answer": "debt"}') == "debt"
    for other in ("debt", '{"answer": "debt", "why": 1}', '{"label": "debt"}', '{"answer": '):
        assert said_plainly(task, other) == other
    for model in ("openai/tiny", "anthropic/claude-sonnet-4-5"):
        assert set(hosted(tmp_path, {**make_definition()}, model)[1]) == {"max_tokens"}


def test_an_object_is_held_to_its_schema_and_strictly_where_openai_can(tmp_path):
    open_ended = hosted(tmp_path, FIELDS, "openai/gpt-4o-mini")[1]["response_format"]["json_schema"]
    assert "strict" not in open_ended  # `amount` is not required
    closed = {"required": ["party", "amount"]}
    schema = {**FIELDS["answer"]["schema"], **closed}
    held = hosted(tmp_path, FIELDS, "openai/gpt-4o-mini", schema=schema)[1]["response_format"]["json_schema"]
    assert held["strict"] is True
    claude = hosted(tmp_path, FIELDS, "anthropic/claude-sonnet-4-5", schema=schema)[1]
    assert claude["response_format"]["json_schema"]["schema"] == schema
    assert "response_format" not in hosted(tmp_path, FIELDS, "openai/tiny")[1]


def test_only_schemas_without_loose_ends_are_strict():
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert strict(closed)
    assert strict({**closed, "properties": {"a": {"type": "array", "items": closed}}})
    assert not strict({**closed, "required": []})
    assert not strict({**closed, "properties": {"a": {"type": "array", "items": {**closed, "required": []}}}})
    assert not strict({**closed, "properties": {"a": {"oneOf": [{"type": "null"}]}}})
    assert not strict({"type": "object"})


def make_definition():
    from task_folders import CHOICE

    return CHOICE


@pytest.mark.parametrize(("said", "outcome"), [("2024-02-29", "answered"), ("2023-02-29", "unreadable")])
def test_a_date_in_an_object_is_held_to_its_format(tmp_path, said, outcome):
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
    task = make_task(tmp_path, FIELDS, answer={"schema": schema}, examples=[])
    assert parse(task, json.dumps({"day": said})).outcome == outcome
    with pytest.raises(InputError, match=r"examples\[0\]\.answer\.day: '29\.2\.2024' is not a 'date'"):
        make_task(
            tmp_path, FIELDS, answer={"schema": schema}, examples=[{"document": "x", "answer": {"day": "29.2.2024"}}]
        )


# --- confidences again


def label_of(scores, value="lease", samples=None):
    return Label(
        key="k", task="mail", document_id="d", role=Role.teacher, model="m", prompt="p", outcome=Outcome.answered,
        value=value, scores=scores, samples=samples,
    )  # fmt: skip


def test_stored_scores_give_the_confidence_again_and_another_with_another_baseline():
    scores = {"lease": -0.5, "debt": -1.0, "privacy": -4.0}
    row = logits(label_of(scores))
    assert choose(row, None) == choose(scores, None)
    baseline = batch_baseline([scores, {"lease": -0.1, "debt": -3.0, "privacy": -4.0}])
    assert baseline == {"lease": pytest.approx(-0.3), "debt": pytest.approx(-2.0), "privacy": pytest.approx(-4.0)}
    assert choose(row, baseline)[0] == "debt"
    assert choose(row, None, temperature=5.0)[0] == "lease"
    assert choose(row, None, temperature=5.0)[1] < choose(row, None)[1] < choose(row, None, temperature=0.5)[1]


def test_votes_have_logarithms_too_and_objects_and_unscored_answers_have_none():
    voted = logits(label_of({"lease": 0.8, "debt": 0.2, "privacy": 0.0}, samples=["x"] * 5))
    assert voted["lease"] > voted["debt"] > voted["privacy"] > -math.inf
    assert math.isclose(sum(math.exp(s) for s in voted.values()), 1)
    assert logits(label_of({"party": 0.8}, value={"party": "x"}, samples=["x"] * 5)) is None
    assert logits(label_of({})) is None


@ON_A_BUSY_MACHINE
@given(st.floats(0.3, 6.0))
def test_the_fitted_temperature_is_the_one_that_made_the_answers(temperature):
    """Scores of two labels at all odds, gold in the very shares that this temperature says."""
    rows, gold = [], []
    for odds in (-3.0, -1.0, 0.5, 2.0, 4.0):
        share = 1 / (1 + math.exp(-odds / temperature))
        for n in range(200):
            rows.append({"a": odds, "b": 0.0})
            gold.append("a" if n < round(200 * share) else "b")
    assert fit_temperature(rows, gold) == pytest.approx(temperature, rel=0.1)
    assert fit_temperature([], []) == 1.0


def test_a_temperature_is_bounded_where_every_answer_is_right():
    assert fit_temperature([{"a": 0.0, "b": -1.0}] * 5, ["a"] * 5) == pytest.approx(0.02, rel=0.01)
    assert json.dumps(fit_temperature([{"a": 0.0, "b": -1.0}], ["b"])) != "NaN"


async def test_a_repair_sends_back_what_the_model_saw_and_never_what_was_masked(tmp_path):
    rules = [{"name": "NAME", "pattern": "Anna|Ben"}]
    outside = {"api_base": None, "model": "hosted_vllm/big", "input_price": 0.0, "output_price": 0.0}
    task = make_task(tmp_path, FIELDS, redact=rules, teacher=outside, examples=[])
    async with Standin([""], faults={"not_json": 1.0}) as standin:
        own = replace(teacher_endpoint(task, standin.url, {}), api_base=standin.url)
        reply = await ask(own, task, "Pay Anna what Ben owes", True)
    assert standin.requests == 2 and reply.outcome is Outcome.unreadable
    assert not any(name in json.dumps(body["messages"]) for body in standin.bodies for name in ("Anna", "Ben"))
