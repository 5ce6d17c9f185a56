"""Review without a server: routing, forms, people's files, the scripted reviewer's opinion, the launcher."""

import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import EnvironmentFault, InputError
from records.types import Document, Label, Outcome, Role, Split
from review import fields, people, plain, routing, scripted
from review.embedded import home, launch
from review.folder import hold
from review.form import Unreadable, choice_form, json_form
from review.guidelines import whole_guidelines
from review.routing import Reason, Rules, Shortlist, route
from review.shape import shape

LABELS = {"lease": "Renting premises", "nda": "Confidentiality"}


def document(id_: str, split: Split = Split.train) -> Document:
    return Document(task="t", id=id_, text=f"text {id_}", source="s", split=split, cluster=id_)


def label(id_: str, confidence: float | None = 0.5, outcome: Outcome = Outcome.answered) -> Label:
    value = "lease" if outcome == Outcome.answered else None
    return Label(
        key=id_,
        task="t",
        document_id=id_,
        role=Role.teacher,
        model="m",
        prompt="p",
        outcome=outcome,
        value=value,
        confidence=confidence,
    )


def routed(documents: list[Document], labels: list[Label], sent: tuple[str, ...] = (), limit: int | None = None):
    return route(documents, {x.document_id: x for x in labels}, set(sent), 0.8, limit, round=2)


@given(
    st.lists(st.tuples(st.booleans(), st.one_of(st.none(), st.floats(0, 1))), max_size=40),
    st.integers(1, 12),
    st.integers(1, 10),
)
def test_a_round_found_page_by_page_is_the_round_found_at_once(given_, most, size):
    documents = [document(f"{n}", Split.test if test else Split.train) for n, (test, _) in enumerate(given_)]
    labels = [label(f"{n}", confidence) for n, (_, confidence) in enumerate(given_)]
    chosen = Shortlist(Rules(0.8), 2, most)
    for start in range(0, len(documents), size):
        chosen.add(documents[start : start + size], {x.document_id: x for x in labels})
    assert [r.document_id for r in chosen.records] == [r.document_id for r in routed(documents, labels, limit=most)]
    assert chosen.waiting == len(routed(documents, labels))


def test_every_test_document_goes_to_the_desk_blind():
    [record] = routed([document("a", Split.test)], [label("a", 0.99)])
    assert (record.blind, record.suggestion, record.score, record.reason) == (True, None, None, "test set")
    assert routed([document("a", Split.test)], [])[0].blind


def test_what_is_sure_is_trusted_and_what_is_not_carries_its_suggestion_least_sure_first():
    records = routed([document(i) for i in "abc"], [label("a", 0.7), label("b", 0.8), label("c", 0.2)])
    assert [(r.document_id, r.suggestion, r.score, r.reason) for r in records] == [
        ("c", "lease", 0.2, Reason.unsure),
        ("a", "lease", 0.7, Reason.unsure),
    ]
    assert {r.round for r in records} == {2}


def test_unreadable_and_refused_answers_need_a_person_and_carry_no_suggestion():
    given_ = [label("a", None, Outcome.unreadable), label("b", None, Outcome.refused), label("c", None)]
    records = routed([document(i) for i in "abc"], given_)
    assert {r.document_id: (r.reason, r.suggestion) for r in records} == {
        "a": (Reason.unreadable, None),
        "b": (Reason.refused, None),
        "c": (Reason.no_confidence, "lease"),
    }


def test_a_failed_call_and_a_document_without_an_answer_wait():
    assert routed([document("a"), document("b")], [label("a", None, Outcome.failed)]) == []


def test_what_is_on_the_desk_is_not_routed_again():
    assert routed([document("a"), document("b", Split.test)], [label("a")], sent=("a", "b")) == []


def test_a_small_round_starves_neither_the_test_set_nor_the_rest():
    documents = [document(f"t{i}", Split.test) for i in range(10)] + [document(f"d{i}") for i in range(3)]
    labels = [label(f"d{i}") for i in range(3)]
    assert [sum(r.blind for r in routed(documents, labels, limit=n)) for n in (1, 4, 8, 100)] == [0, 2, 5, 10]
    assert [len(routed(documents, labels, limit=n)) for n in (1, 4, 8, 100)] == [1, 4, 8, 13]


def test_a_choice_is_one_question_and_reads_back():
    form = choice_form(LABELS)
    assert form.read(form.write("nda")) == "nda"
    with pytest.raises(Unreadable, match="'other' is none of lease, nda"):
        form.read({"answer": "other"})
    with pytest.raises(InputError, match="two labels"):
        choice_form({"one": ""})


SCHEMA = {
    "type": "object",
    "properties": {
        "Parties": {"type": "array", "items": {"type": "string"}},
        "document": {"type": ["string", "null"]},
        "amount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "days": {"type": "integer", "minimum": 0},
        "renews": {"type": "boolean"},
        "kind": {"$ref": "#/$defs/kind"},
        "risks": {"type": "array", "items": {"enum": ["term", "data"]}},
        "more": {"type": "object"},
    },
    "required": ["Parties", "document", "amount", "days", "renews", "kind", "risks"],
    "additionalProperties": False,
    "$defs": {"kind": {"enum": ["lease", "nda", None]}},
}
ANSWER = {
    "Parties": ["Acme <GmbH>", "Bolt & Co"],
    "document": None,
    "amount": 12.5,
    "days": 90,
    "renews": False,
    "kind": None,
    "risks": ["data"],
}

ANSWERS = st.fixed_dictionaries(
    {
        "Parties": st.lists(
            st.text("ab <&;/!", min_size=1).map(str.strip).filter(lambda s: s and s != "-"), max_size=3
        ),
        "document": st.none() | st.text("xyz<&-", min_size=2),
        "amount": st.none() | st.floats(0, 1e6) | st.integers(0, 10**6),
        "days": st.integers(0, 999),
        "renews": st.booleans(),
        "kind": st.sampled_from(["lease", "nda", None]),
        "risks": st.lists(st.sampled_from(["term", "data"]), unique=True),
    },
    optional={"more": st.dictionaries(st.text("ab"), st.integers() | st.text("<&a"), max_size=2)},
)


@settings(deadline=None)
@given(ANSWERS)
def test_every_answer_survives_being_written_to_the_desk_and_read_back(answer: dict[str, object]):
    form = json_form(SCHEMA)
    assert form.read(form.write(answer)) == answer


def test_an_object_becomes_questions_that_a_lawyer_can_answer():
    form = json_form(SCHEMA)
    kinds = {q.name: q.wording.kind for q in form.questions}
    assert kinds == {
        "parties": "text",
        "document_": "text",
        "amount": "text",
        "days": "text",
        "renews": "label",
        "kind": "label",
        "risks": "labels",
        "more": "text",
    }
    assert {q.name for q in form.questions if q.required} == {"days", "renews", "kind"}
    assert form.write(ANSWER)["parties"] == "Acme <\u2060GmbH>\nBolt & Co"
    assert form.write(ANSWER)["kind"] == fields.NOTHING


@pytest.mark.parametrize(
    ("question", "words", "complaint"),
    [
        ("days", "ninety", "days: 'ninety' is not a whole number"),
        ("days", "", "days: nothing was entered"),
        ("days", "-3", "days: -3 is less than the minimum"),
        ("amount", "12,5", "amount: '12,5' is not a number"),
        ("more", "{oops", "more: not valid JSON"),
        ("more", "[1]", "more: .* is not of type 'object'"),
        ("kind", "other", "kind: 'other' is none of"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_question_and_value(question: str, words: str, complaint: str):
    form = json_form(SCHEMA)
    with pytest.raises(Unreadable, match=complaint):
        form.read(form.write(ANSWER) | {question: words})


def test_what_is_written_as_json_shows_its_shape_and_an_empty_list_may_stay_empty():
    party = {"type": "object", "properties": {"name": {"type": "string"}, "role": {"type": ["string", "null"]}}}
    notice = {"type": "object", "properties": {"days": {"type": "integer"}, "unit": {"enum": ["days", None]}}}
    properties = {"who": {"type": "array", "items": party}, "notice": {"anyOf": [notice, {"type": "null"}]}}
    form = json_form({"type": "object", "properties": properties, "required": ["who", "notice"]})
    hints = {q.name: q.wording.hint for q in form.questions}
    assert hints["who"].startswith('Written as JSON, such as [{"name": "text", "role": "text or null"}].')
    assert '{"days": "whole number", "unit": "days or null"}' in hints["notice"]
    assert form.read({"who": "-", "notice": ""}) == {"who": [], "notice": None}


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": "array", "items": {"type": "string", "format": "date"}}, '["date such as 2026-11-23"]'),
        ({"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}, '[["true or false"]]'),
        ({"properties": {"a": {}, "b": True, "c": {"const": 1}}}, '{"a": "anything", "b": "anything", "c": "1"}'),
        ({"properties": {f"property {n}": {"type": "string"} for n in range(40)}}, ""),
        ({}, ""),
    ],
)
def test_a_shape_is_one_line_or_nothing(schema: dict[str, object], shown: str):
    assert shape(schema) == shown


def test_a_date_is_asked_for_and_held_to_its_format():
    day = {"type": ["string", "null"], "format": "date"}
    form = json_form({"type": "object", "properties": {"day": day}, "required": ["day"]})
    assert "such as 2026-11-23" in form.questions[0].wording.hint
    assert form.read({"day": "2024-02-29"}) == {"day": "2024-02-29"} and form.read({"day": "-"}) == {"day": None}
    for wrong in ("29.2.2024", "2023-02-29"):
        with pytest.raises(Unreadable, match="is not a 'date'"):
            form.read({"day": wrong})


def test_a_schema_without_properties_is_one_box_of_json():
    form = json_form({"type": "array", "items": {"type": "integer"}})
    assert form.read({"answer": "[1, 2]"}) == [1, 2]
    with pytest.raises(Unreadable, match="'x' is not of type 'integer'"):
        form.read({"answer": '["x"]'})


def test_a_form_where_all_may_stay_empty_still_has_the_required_question_that_argilla_wants():
    form = json_form({"type": "object", "properties": {"law": {"type": "string"}}})
    assert [q.required for q in form.questions] == [True]
    assert form.read({"law": "-"}) == {}


@given(st.text())
def test_a_shown_text_begins_no_markup_and_keeps_its_characters(document_text: str):
    shown = plain.shown(document_text)
    assert not plain._MARKUP.search(shown)
    assert shown.replace("\u2060", "") == document_text.replace("\u2060", "")


def test_guidelines_list_the_labels_with_what_they_mean():
    assert "\n- **lease**: Renting premises\n- **nda**: Confidentiality\n\n" in whole_guidelines("Read.", LABELS)
    assert "Correct the suggestion" in whole_guidelines("", {})


def test_credentials_are_made_once_and_only_their_user_can_read_the_file(tmp_path: Path):
    file = tmp_path / "home" / "credentials.json"
    first = people.credentials(file, ["anna"])
    assert file.stat().st_mode & 0o777 == 0o600
    second = people.credentials(file, ["anna", "ben"])
    assert second.owner == first.owner
    assert [a.username for a in second.reviewers] == ["anna", "ben"]
    assert second.reviewers[0] == first.reviewers[0] == people.credentials(file, []).reviewers[0]
    assert file.stat().st_mode & 0o777 == 0o600


def test_secrets_show_neither_in_a_print_nor_in_an_error(tmp_path: Path):
    everyone = people.credentials(tmp_path / "c.json", ["anna"])
    for secret in (everyone.owner.password, everyone.owner.api_key, everyone.reviewers[0].password):
        assert secret and secret not in repr(everyone)
    (tmp_path / "c.json").write_text('{"owner": "hunter2-secret"}')
    with pytest.raises(InputError, match="not a credentials file") as error:
        people.read(tmp_path / "c.json")
    assert "hunter2" not in str(error.value)


def test_the_scripted_reviewer_errs_at_its_rate_and_the_same_way_each_time():
    answers = {f"d{i}": ("lease", "nda", "claim")[i % 3] for i in range(5000)}
    first = scripted._Opinion(answers, 0.02, "0/anna")
    wrong = [d for d in answers if first.on(d) != answers[d]]
    assert 70 <= len(wrong) <= 130
    again = scripted._Opinion(dict(reversed(answers.items())), 0.02, "0/anna")
    assert [d for d in answers if again.on(d) != answers[d]] == wrong
    other = scripted._Opinion(answers, 0.02, "0/ben")
    assert [d for d in answers if other.on(d) != answers[d]] != wrong
    perfect = scripted._Opinion(answers, 0.0, "0/anna")
    assert not any(perfect.errs_on(d) for d in answers)


def test_the_scripted_reviewer_names_a_bad_line_and_a_missing_password(tmp_path: Path, capsys: pytest.CaptureFixture):
    file = tmp_path / "gold.jsonl"
    file.write_text('{"text": "Hello", "answer": "lease"}\n{"answer": 1}\n')
    with pytest.raises(InputError, match="line 2: needs document_id"):
        scripted.read_answers(file)
    file.write_text('{"text": "Hello", "answer": "lease"}\n{"document_id": "d2", "answer": "nda"}\n')
    assert list(scripted.read_answers(file).values()) == ["lease", "nda"]
    arguments = ["--url", "http://127.0.0.1:1", "--task", "t", "--reviewer", "anna", "--answers", str(file)]
    assert scripted.main(arguments) == 2
    assert "password" in capsys.readouterr().err


OWNER = {
    "RETORT_DESK_OWNER": "owner",
    "RETORT_DESK_PASSWORD": "long-enough",
    "RETORT_DESK_API_KEY": "k",
    "RETORT_DESK_WORKSPACE": "w",
}


def test_the_launcher_refuses_in_one_sentence_what_cannot_work(tmp_path: Path):
    with pytest.raises(EnvironmentFault, match=r"argilla-server 2\.8\.0 exactly, found none"):
        launch.check_release()  # this is the app environment
    with pytest.raises(EnvironmentFault, match="RETORT_DESK_PASSWORD, RETORT_DESK_API_KEY"):
        launch.owner_from({"RETORT_DESK_OWNER": "o", "RETORT_DESK_WORKSPACE": "w"})
    with pytest.raises(EnvironmentFault, match="8 characters"):
        launch.owner_from(OWNER | {"RETORT_DESK_PASSWORD": "short"})
    with pytest.raises(EnvironmentFault, match="ARGILLA_DATABASE_URL is set") as error:
        launch.environment(tmp_path, 1, {"ARGILLA_DATABASE_URL": "postgresql://u:hunter2@db/x"})
    assert "hunter2" not in str(error.value)


def test_the_launcher_names_a_port_in_use_and_a_home_in_use(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EnvironmentFault, match=f"port {taken.getsockname()[1]} .* cannot be used"):
            launch.listening(taken.getsockname()[1])
    with hold(tmp_path / "h"), pytest.raises(EnvironmentFault, match=r"running in .* already"):
        hold(tmp_path / "h")
    hold(tmp_path / "h").close()


def test_the_signing_secret_stays_the_same(tmp_path: Path):
    first = home.auth_secret(tmp_path)
    assert len(first) == 64 and home.auth_secret(tmp_path) == first
    assert (tmp_path / "auth_secret").stat().st_mode & 0o777 == 0o600


def test_doubt_has_a_reason_for_each_outcome():
    assert {o: routing.doubt(label("a", 0.9, o), routing.Rules(0.8)) for o in Outcome} == {
        Outcome.answered: None,
        Outcome.unreadable: Reason.unreadable,
        Outcome.refused: Reason.refused,
        Outcome.failed: None,
    }
