"""A long document is cut in tokens of the student's tokenizer: head, marker, tail; the same bytes everywhere."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_folders import make_task

from prompts.cut import MARKER, cut_to_tokens
from prompts.render import document_text, prompt_fingerprint, render
from prompts.tokenizer import PACKAGED, tokenizer_of
from records.errors import InputError

UNCHANGED = ["d97d1d52d7f577a2", "dd458021ffbf6dcf"]
LETTER = " ".join(f"On day {n} the tenant wrote about the {'roof' if n % 2 else 'rent'} again." for n in range(400))


def count(text):
    return len(tokenizer_of(PACKAGED).spans(text))


def saved(folder):
    """The packaged tokenizer as a folder's tokenizer.json."""
    folder.mkdir()
    tokenizer_of(PACKAGED).vendor.save(str(folder / "tokenizer.json"))
    return folder


def test_a_long_text_keeps_its_head_and_its_tail_with_a_marker_line_between():
    found = cut_to_tokens(LETTER, PACKAGED, 200, 0.25)
    head, tail = found.split(MARKER)
    assert LETTER.startswith(head) and LETTER.endswith(tail)
    assert 190 <= count(found) <= 200
    assert 0.2 <= count(tail) / count(found) <= 0.3
    only_head = cut_to_tokens(LETTER, PACKAGED, 200, 0.0)
    assert only_head.endswith("[...]") and LETTER.startswith(only_head.removesuffix("\n[...]"))


def test_a_text_that_fits_is_left_as_it_is():
    fits = LETTER[:600]
    assert cut_to_tokens(fits, PACKAGED, count(fits), 0.25) == fits
    assert MARKER in cut_to_tokens(fits, PACKAGED, count(fits) - 1, 0.25)


@given(st.text(st.sampled_from("ab \n日é👩‍7.x<|im_end|>"), max_size=600), st.integers(20, 90), st.floats(0, 0.9))
def test_what_is_cut_has_no_more_tokens_than_wanted_and_is_not_cut_again(text, most, keep_tail):
    text = text.strip()
    found = cut_to_tokens(text, PACKAGED, most, keep_tail)
    assert count(found) <= most
    assert cut_to_tokens(found, PACKAGED, most, keep_tail) == found
    assert found == text or "[...]" in found


def test_a_book_is_cut_where_its_beginning_and_end_say():
    book = LETTER * 100
    found = cut_to_tokens(book, PACKAGED, 200, 0.25)
    head, tail = found.split(MARKER)
    assert book.startswith(head) and book.endswith(tail) and 190 <= count(found) <= 200


def test_a_task_cuts_in_tokens_for_teacher_and_student_alike_and_its_fingerprint_says_so(tmp_path):
    by_characters = make_task(tmp_path / "a", document={"max_characters": 8_000})
    task = make_task(tmp_path / "b", document={"max_tokens": 100, "keep_tail": 0.5})
    shown = document_text(task, f"  {LETTER}\n")
    assert count(shown) <= 100 and shown.endswith(LETTER[-20:])
    assert {render(task, LETTER, teaching)[-1]["content"] for teaching in (True, False)} == {shown}
    assert document_text(by_characters, LETTER) == LETTER[:8_000]
    others = [make_task(tmp_path / n, document=d) for n, d in (("c", {"max_tokens": 101}), ("d", {"max_tokens": 100}))]
    prints = {prompt_fingerprint(one, teaching=False) for one in (by_characters, task, *others)}
    assert len(prints) == 4


def test_a_task_that_cuts_by_characters_keeps_the_fingerprint_that_it_always_had(tmp_path):
    task = make_task(tmp_path / "a")
    assert prompt_fingerprint(task, teaching=False) == UNCHANGED[0]
    assert prompt_fingerprint(task, teaching=True) == UNCHANGED[1]


def test_another_tokenizer_is_another_fingerprint_and_the_same_one_elsewhere_cuts_alike(tmp_path):
    folder = saved(tmp_path / "model")
    assert cut_to_tokens(LETTER, str(folder), 200, 0.25) == cut_to_tokens(LETTER, PACKAGED, 200, 0.25)
    tasks = [
        make_task(tmp_path / name, document={"max_tokens": 100}, student={"base_model": base})
        for name, base in (("a", PACKAGED), ("b", str(folder)))
    ]
    assert len({prompt_fingerprint(task, teaching=False) for task in tasks}) == 2


def test_a_tokenizer_that_is_not_there_is_an_error_and_no_other_rule_takes_its_place(tmp_path):
    folder = saved(tmp_path / "model")
    task = make_task(tmp_path / "t", document={"max_tokens": 50}, student={"base_model": str(folder)})
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(InputError, match=r"max_tokens counts in tokens of student\.base_model.*gives no tokenizer"):
        document_text(task, LETTER)


def test_a_self_hosted_task_fetches_no_tokenizer_from_a_hub(tmp_path):
    base = {"base_model": "somebody/model-1b"}
    task = make_task(tmp_path / "t", document={"max_tokens": 50}, student=base, privacy="self_hosted")
    with pytest.raises(InputError, match=r"self_hosted, but the tokenizer of 'somebody/model-1b' would be fetched"):
        document_text(task, LETTER)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"max_tokens": 100, "max_characters": 800}, "max_tokens takes the place of max_characters"),
        ({"keep_tail": 0.5}, r"keep_tail: there is no document\.max_tokens"),
        ({"max_tokens": 5}, r"document\.max_tokens: 5"),
        ({"max_tokens": 100, "keep_tail": 1.0}, r"document\.keep_tail: 1\.0"),
    ],
)
def test_a_rule_of_cutting_that_makes_no_sense_is_refused(tmp_path, document, fault):
    with pytest.raises(InputError, match=fault):
        make_task(tmp_path / "t", document=document)
