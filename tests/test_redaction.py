"""What leaves for a teacher elsewhere is masked; the store, the desk and the student have the original."""

import builtins
import json
import sys
import time
import urllib.request
from dataclasses import replace

import pytest
import regex
from fixtures_flows import ANSWERS, arrive, context_at
from fixtures_serving import remember, teacher
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from task_folders import CHOICE, FIELDS, make_task, write_task

from flows.asking import ask_teacher
from flows.desk import form_of, open_desk, send_to_desk
from flows.teacher import preview
from prompts import presidio_door, redaction
from prompts.ask import ask
from prompts.endpoint import student_endpoint, teacher_endpoint
from prompts.engine import label_many
from prompts.fingerprint import answer_key
from prompts.litellm_door import close
from prompts.redaction import Masked, MaskingFailed, Span, mask, merged, outgoing, outgoing_task
from prompts.render import prompt_fingerprint, render
from prompts.standin import Standin
from records import ledger, library
from records.errors import InputError
from records.split import document_id
from records.types import Outcome, Role
from serving.answering import Answering
from serving.journal import Journal

EMAIL = {"name": "EMAIL", "pattern": r"[\w.+-]+@[\w-]+(\.[\w-]+)+"}
IBAN = {"name": "IBAN", "pattern": r"\b[A-Z]{2}\d{2}( ?\d{4}){3,5}\b"}
FAR = {"model": "openai/big", "retries": 0, "input_price": 1.0, "output_price": 1.0}
ELSEWHERE = "http://0.0.0.0"
"""A way to the loopback that the allow-list does not know: what goes there leaves, and a stand-in hears it."""


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    if "litellm" in sys.modules:
        await close()


def task_of(folder, *rules, **sections):
    return make_task(folder, redact=list(rules or (EMAIL, IBAN)), **sections)


def outside(standin):
    return standin.url.replace("http://127.0.0.1", ELSEWHERE)


def hosted(standin, **more):
    return {**FAR, "api_base": outside(standin), **more}


def heard(standin):
    return json.dumps(standin.bodies, ensure_ascii=False)


# --- masking a text


def test_the_same_words_get_the_same_number_within_a_document_and_only_there(tmp_path):
    task = task_of(tmp_path)
    text = "Write to anna@example.com, not to bob@example.com, says anna@example.com of DE12 3456 7890 1234."
    assert mask(task, text).text == "Write to [EMAIL_1], not to [EMAIL_2], says [EMAIL_1] of [IBAN_1]."
    assert mask(task, "bob@example.com").text == "[EMAIL_1]"


def test_what_overlaps_is_masked_as_a_whole(tmp_path):
    spans = [Span(0, 5, "A"), Span(3, 10, "B"), Span(9, 12, "A"), Span(20, 22, "A", "x"), Span(12, 13, "C")]
    assert merged(spans) == [Span(0, 12, "B"), Span(12, 13, "C"), Span(20, 22, "A", "x")]
    rules = ({"name": "NAME", "pattern": "Anna Berg"}, {"name": "CASE", "pattern": r"Berg \d+"})
    assert mask(task_of(tmp_path, *rules), "For Anna Berg 123456!").text == "For [CASE_1]!"


def test_a_placeholder_that_the_document_holds_itself_is_not_used_again(tmp_path):
    masked = mask(task_of(tmp_path), "[EMAIL_1] is not a@b.example")
    assert masked.text == "[EMAIL_1] is not [EMAIL_2]"
    assert masked.restore('{"x": "[EMAIL_1] [EMAIL_2]"}') == '{"x": "[EMAIL_1] a@b.example"}'


def test_a_fixed_mask_is_put_as_it_is(tmp_path):
    masked = mask(task_of(tmp_path, {**EMAIL, "mask": "***"}), "a@b.example, c@d.example")
    assert (masked.text, masked.originals) == ("***, ***", {})


def test_the_words_are_not_shown_by_what_holds_them(tmp_path):
    assert "anna" not in repr(mask(task_of(tmp_path), "anna@example.com"))


@given(st.text(alphabet='ab@. \n[]_1EMAIL"\\ü', max_size=60))
def test_restoring_what_was_masked_gives_the_document_back(text):
    spans = merged(Span(*m.span(), "EMAIL") for m in regex.finditer(r"[ab]+@[ab.\"\\ü]+", text))
    masked = redaction._replaced(text, spans)
    assert json.loads(masked.restore(json.dumps(masked.text, ensure_ascii=False))) == text
    assert all(text[s.start : s.end] in masked.originals.values() for s in spans)


def test_a_pattern_that_cannot_be_used_is_a_fault_when_the_task_is_loaded(tmp_path):
    rules = [
        {"name": "A", "pattern": "(unclosed"},
        {"name": "B", "pattern": "x*"},
        {"name": "c d", "pattern": "x"},
        {"name": "D", "pattern": "x" * 1_001},
        {"name": "E", "patern": "x"},
    ]
    with pytest.raises(InputError) as caught:
        make_task(tmp_path, redact=rules)
    said = str(caught.value)
    assert "redact[0].pattern: '(unclosed': missing )" in said and "correct the regular expression" in said
    assert "redact[1].pattern: 'x*': matches the empty text" in said
    assert "redact[2].name" in said and "redact[3].pattern" in said and "did you mean 'pattern'" in said


def test_a_pattern_that_backtracks_without_end_is_stopped_and_the_document_is_not_sent(tmp_path):
    task = task_of(tmp_path, {"name": "EVIL", "pattern": "(?:a|aa)+$"})
    began = time.monotonic()
    with pytest.raises(MaskingFailed, match=r"not sent: the pattern EVIL of redact took more than 2 s"):
        mask(task, "a" * 80 + "!")
    assert time.monotonic() - began < 60


# --- where it acts


def test_it_acts_on_what_leaves_and_not_on_own_hosts(tmp_path):
    far = {"model": "openai/gpt-4o-mini", "api_base": None}
    gpu = {"api_base": "http://gpu.internal/v1"}
    assert teacher_endpoint(task_of(tmp_path, teacher=far), "http://127.0.0.1:1", {}).masks
    assert teacher_endpoint(task_of(tmp_path, teacher=gpu), "http://127.0.0.1:1", {}).masks
    own = task_of(tmp_path, teacher=gpu, allowed_hosts=["gpu.internal"])
    local = task_of(tmp_path)
    for endpoint, task in ((teacher_endpoint(own, "", {}), own), (teacher_endpoint(local, "http://[::1]", {}), local)):
        assert endpoint.masks == ""
        assert (
            outgoing(task, endpoint, "a@b.example") == Masked("a@b.example") and outgoing_task(task, endpoint) is task
        )
    assert student_endpoint(local, "s", "http://127.0.0.1:1").masks == ""


def test_a_student_elsewhere_would_get_the_original_so_it_is_refused(tmp_path):
    task = task_of(tmp_path, student={"api_base": "http://gpu.internal/v1"})
    with pytest.raises(
        InputError, match=r"the student at http://gpu\.internal/v1 gets documents as they are.*allowed_hosts"
    ):
        student_endpoint(task, "s", "http://127.0.0.1:1")


def test_the_key_of_an_answer_covers_the_rules_exactly_where_they_act(tmp_path):
    def key(where, *rules):
        task = make_task(tmp_path, redact=list(rules), teacher={"api_base": where})
        return answer_key("mail", prompt_fingerprint(task, True), teacher_endpoint(task, "", {}), "d")

    near, far = "http://127.0.0.1:1/v1", "http://far.example/v1"
    assert key(near) == key(near, EMAIL)
    assert len({key(far), key(far, EMAIL), key(far, IBAN), key(far, EMAIL, IBAN)}) == 4


# --- through the whole room


async def test_a_teacher_elsewhere_hears_no_masked_word_and_the_store_has_all_of_them(tmp_path):
    examples = [{"document": "landlord ex1@private.example writes", "answer": "lease"}, *CHOICE["examples"][1:]]
    text = "My debt: anna@private.example, DE12 3456 7890 1234."
    context = context_at(tmp_path / "home")
    async with Standin(ANSWERS) as standin:
        task = task_of(tmp_path / "mail", examples=examples, teacher=hosted(standin, mode="auto", calibrate=True))
        documents = arrive(context, task, text, "about the lease of bob@private.example")
        done = await label_many(context.store, task, documents, teacher_endpoint(task, "", {}), Role.teacher)
        sent = heard(standin)
        tokens_asked = standin.requests
    assert done.answered == 2 and tokens_asked == 2 + 8  # calibration's documents are made of the examples' words
    assert "private" not in sent and "DE12" not in sent
    assert "My debt: [EMAIL_1], [IBAN_1]." in sent and "landlord [EMAIL_1] writes" in sent
    assert {d.text for d in library.documents(context.store, "mail")} == {d.text for d in documents}
    assert set(ledger.newest(context.store, "mail", Role.teacher)) == {d.id for d in documents}
    assert render(task, text)[-1]["content"] == text  # of which training rows and the desk are made
    context.store.close()


@pytest.mark.real
def test_the_reviewer_sees_the_original_of_what_the_teacher_saw_masked(tmp_path, argilla):
    text = "A debt of anna@private.example?"
    context = context_at(tmp_path / "home")
    own = context.settings.model_copy(update={"argilla_url": argilla.url, "argilla_api_key": SecretStr(argilla.key)})
    context = replace(context, settings=own)
    with teacher(tmp_path) as url:
        spec = {**FAR, "api_base": url.replace("http://127.0.0.1", ELSEWHERE), "mode": "generate"}
        task = task_of(tmp_path / "masked", name="masked", teacher=spec, review={"trust_above": 1.0})
        arrive(context, task, text)
        assert ask_teacher(context, task).answered == 1
        with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as counts:
            [heard_as] = json.load(counts)["answered"]
    assert heard_as == document_id("A debt of [EMAIL_1]?")
    assert send_to_desk(context, task).sent == 1
    with open_desk(context) as desk:
        board = desk.find("masked", form_of(task))
        [shown] = desk.call("GET", f"/datasets/{board.id}/records")["items"]
    assert shown["fields"]["document"] == text
    context.store.close()


async def test_the_mask_is_made_before_the_cut_so_no_half_of_an_address_is_left_at_it(tmp_path):
    async with Standin(ANSWERS) as standin:
        task = task_of(tmp_path, document={"max_characters": 50}, teacher=hosted(standin, mode="generate"))
        text = "x" * 40 + " anna.berg@private.example"
        await ask(teacher_endpoint(task, "", {}), task, text, True)
        assert "anna" not in heard(standin)


async def test_placeholders_in_a_json_answer_are_turned_back_and_the_examples_are_masked_too(tmp_path):
    rules = ({"name": "WHO", "pattern": 'Anna|Bob "B" Öl'}, {"name": "SUM", "pattern": r"\b5\b"})
    async with Standin(['{"party": "[WHO_1] and [WHO_2]"}']) as standin:
        task = make_task(tmp_path, FIELDS, redact=list(rules), teacher=hosted(standin))
        reply = await ask(teacher_endpoint(task, "", {}), task, 'Pay Bob "B" Öl, then Anna.', True)
        sent = heard(standin)
    assert (reply.outcome, reply.value) == (Outcome.answered, {"party": 'Bob "B" Öl and Anna'})
    assert "Anna" not in sent and "Bob" not in sent
    turns = [m["content"] for m in standin.bodies[-1]["messages"]]
    assert turns[-3:-1] == ["Pay [WHO_1] [SUM_1].", '{"amount": "[SUM_1]", "party": "[WHO_1]"}']


async def test_a_provider_that_echoes_the_document_in_its_error_can_only_echo_the_mask(tmp_path, caplog):
    async with Standin(ANSWERS, faults={"400": 1.0}) as standin:
        task = task_of(tmp_path, teacher=hosted(standin, mode="generate"))
        reply = await ask(teacher_endpoint(task, "", {}), task, "a debt of anna@private.example", True)
    assert reply.outcome is Outcome.failed
    assert "private" not in f"{reply} {caplog.text}"


async def test_why_an_answer_is_unreadable_is_told_in_the_words_that_the_model_saw(tmp_path):
    async with Standin(['{"party": 1, "by": "[EMAIL_1]"}']) as standin:
        task = make_task(tmp_path, FIELDS, redact=[EMAIL], teacher=hosted(standin))
        reply = await ask(teacher_endpoint(task, "", {}), task, "Pay anna@private.example", True)
    assert (reply.outcome, reply.value) == (Outcome.unreadable, None)
    assert reply.error and "private" not in f"{reply}"


async def test_a_document_that_cannot_be_masked_is_a_failure_of_its_own_and_is_not_sent(tmp_path):
    async with Standin(ANSWERS) as standin:
        evil = {"name": "EVIL", "pattern": "(?:a|aa)+$"}
        task = task_of(tmp_path, evil, teacher=hosted(standin, mode="generate"))
        reply = await ask(teacher_endpoint(task, "", {}), task, "a" * 80 + "!", True)
    assert (reply.outcome, standin.requests) == (Outcome.failed, 0)
    assert "not sent: the pattern EVIL" in reply.error


async def test_the_gateway_masks_what_goes_to_a_teacher_elsewhere_and_records_the_original(tmp_path):
    context = context_at(tmp_path / "home")
    journal = Journal(context.store)
    async with Standin(ANSWERS) as standin:
        remember(context.store, tmp_path / "mail", redact=[EMAIL], teacher=hosted(standin))
        answering = Answering(context.store, "http://127.0.0.1:9/v1", {}, journal)
        served = await answering.answer(await answering.task("mail"), "a debt of anna@private.example")
        sent = heard(standin)
    journal.close()
    from records import traffic

    assert served.content == "debt"
    assert "private" not in sent
    assert [r.text for r in traffic.requests(context.store, "mail")] == ["a debt of anna@private.example"]
    context.store.close()


def test_a_dry_run_shows_the_prompt_as_it_would_leave(tmp_path):
    context = context_at(tmp_path / "home")
    far = {"model": "openai/gpt-4o-mini", "api_base": None}
    (tmp_path / "mails.jsonl").write_text(json.dumps({"text": "a debt of anna@private.example"}))
    for spec, shown in ((far, "a debt of [EMAIL_1]"), ({}, "a debt of anna@private.example")):
        folder = write_task(tmp_path / "mail", redact=[EMAIL], teacher=spec)
        assert preview(context, str(folder), str(tmp_path / "mails.jsonl")).messages[-1]["content"] == shown
    context.store.close()


# --- Presidio


def test_without_presidio_a_task_that_wants_it_is_refused_with_the_cure_before_anything_is_sent(tmp_path):
    if "presidio_analyzer" in sys.modules or presidio_is_installed():
        pytest.skip("Presidio is installed here")
    task = task_of(tmp_path, presidio=["EMAIL_ADDRESS"])
    with pytest.raises(InputError, match=r"Presidio is not installed.*pip install presidio-analyzer.*redact"):
        mask(task, "anna@example.com")


def presidio_is_installed() -> bool:
    try:
        builtins.__import__("presidio_analyzer")
    except ImportError:
        return False
    return True


def test_presidios_entities_are_masked_like_patterns(tmp_path):
    pytest.importorskip("presidio_analyzer", reason="the optional extra `presidio` is not installed")
    task = task_of(tmp_path, IBAN, presidio=["EMAIL_ADDRESS", "CREDIT_CARD"])
    text = "Mail anna@example.com about 4111 1111 1111 1111 and DE12 3456 7890 1234."
    assert mask(task, text).text == "Mail [EMAIL_ADDRESS_1] about [CREDIT_CARD_1] and [IBAN_1]."
    with pytest.raises(InputError, match="SHOE_SIZE: Presidio does not know that"):
        presidio_door.entities("x", ("SHOE_SIZE",))
