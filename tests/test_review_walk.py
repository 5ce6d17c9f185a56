"""The desk as a reviewer sees it, in headless Chromium: each key that the guidelines tell, searching, marks, safety."""

import re
from collections.abc import Iterator

import pytest
from fixtures_argilla import RunningArgilla
from playwright.sync_api import Page, expect, sync_playwright
from test_review_desk import everything_on

from records.types import Answer, DeskRecord
from retort import browser
from review.about import About
from review.board import Board
from review.desk import Desk
from review.form import Form, choice_form, json_form
from review.guidelines import whole_guidelines
from review.kept import Column, values

pytestmark = pytest.mark.real

TWELVE = {f"label_{n}": f"what {n} means" for n in range(1, 13)}
MANY = {f"intent_{n}": "" for n in range(1, 40)} | {"lost_or_stolen_card": "", "card_arrival": ""}
EVIL = "<img src=x onerror=\"document.title='hacked'\"> Dear <legal@bolt.example>,\n\n  the law of Texas\n  applies."
LAW = json_form({"type": "object", "properties": {"law": {"type": "string"}, "renews": {"enum": ["yes", "no"]}}})


@pytest.fixture(scope="module")
def page(argilla: RunningArgilla) -> Iterator[Page]:
    """A page on which the first reviewer is signed in."""
    executable = browser.find()
    if executable is None:
        pytest.skip("no Chromium on this machine, and none could be installed")
    person = argilla.people.reviewers[0]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        opened = chromium.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(30_000)
        opened.goto(f"{argilla.url}/sign-in")
        opened.locator("input[name=Username]").fill(person.username)
        opened.locator("input[name=Password]").fill(person.password)
        opened.get_by_role("button", name="Sign in").click()
        opened.wait_for_url(re.compile("/datasets|/$"))
        yield opened
        chromium.close()


def board_of(desk: Desk, task: str, form: Form, labels: dict[str, str], texts: list[str], said: Answer) -> Board:
    board = desk.ensure(task, form, "# How to decide", labels)
    ids = {f"{task}-{n}": text for n, text in enumerate(texts)}
    records = [
        DeskRecord(task=task, document_id=i, round=1, reason="model unsure", blind=False, suggestion=said, score=0.5)
        for i in ids
    ]
    board.send(records, ids, about={i: About("letters/<b>1</b>.pdf", {"date": "2024-02-29"}) for i in ids})
    return board


def show(page: Page, board: Board) -> None:
    """Open the board as its link does."""
    page.goto(board.url)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("button", name="Submit").last).to_be_visible()
    expect(page.locator(".label-text").first).to_be_visible()


def answered(board: Board) -> list[tuple[str, object]]:
    """Status and value of all responses, in the order of their making."""
    found = [one for record in everything_on(board) for one in record["responses"] or ()]
    found.sort(key=lambda one: str(one["inserted_at"]))
    return [(one["status"], one["values"] and one["values"].get("answer", {}).get("value")) for one in found]


def press(page: Page, *keys: str, saves: bool) -> None:
    """Press keys quickly one after the other; where that saves an answer, wait until it is saved."""
    if saves:
        with page.expect_response(lambda reply: "/responses" in reply.url and reply.request.method == "POST") as posted:
            for key in keys:
                page.keyboard.press(key)
        assert posted.value.status == 201
    else:
        for key in keys:
            page.keyboard.press(key)
    page.wait_for_timeout(700)  # a digit that begins other numbers is waited for 0.3 s; the next record slides in


def test_the_keys_of_a_choice_do_what_the_guidelines_tell(page: Page, desk: Desk):
    texts = [f"Letter number {n}." for n in range(7)]
    board = board_of(desk, "keys", choice_form(TWELVE), TWELVE, texts, "label_3")
    show(page, board)
    press(page, "Enter", saves=True)
    press(page, "5", saves=True)
    press(page, "1", "2", saves=True)
    press(page, "1", saves=False)
    expect(page.locator(".label-active")).to_have_text(re.compile(r"label 1\s*$"))
    press(page, "Enter", saves=True)
    press(page, "Backspace", saves=True)
    press(page, "Control+s", saves=True)
    assert answered(board) == [
        ("submitted", "label_3"),
        ("submitted", "label_5"),
        ("submitted", "label_12"),
        ("submitted", "label_1"),
        ("discarded", "label_3"),
        ("draft", "label_3"),
    ]
    keys = set(re.findall(r"`(.+?)`", whole_guidelines("", TWELVE)))
    assert keys == {"Enter", "2", "9", "10", "1", "Backspace", "Ctrl", "S", "Cmd", "→", "←"}


def test_with_less_than_ten_labels_every_number_submits_at_once(page: Page, desk: Desk):
    few = {name: "" for name in list(TWELVE)[:3]}
    board = board_of(desk, "few", choice_form(few), few, ["One.", "Two."], "label_3")
    show(page, board)
    press(page, "1", saves=True)
    press(page, "3", saves=False)  # the suggestion's own number
    expect(page.locator(".label-active")).to_have_count(0)
    press(page, "3", saves=False)
    expect(page.locator(".label-active")).to_have_count(1)
    press(page, "Enter", saves=True)
    assert answered(board) == [("submitted", "label_1"), ("submitted", "label_3")]
    assert "| the number of the label that is chosen | take it off, and submit nothing" in whole_guidelines("", few)
    assert "| `1` `2` ... | choose the label with this number **and submit at once** |" in whole_guidelines("", few)


def test_arrows_turn_the_pages_and_guidelines_tell_what_labels_mean(page: Page, desk: Desk):
    board = board_of(
        desk, "turned", choice_form(TWELVE), TWELVE, ["The first letter.", "The second letter."], "label_3"
    )
    show(page, board)
    before = page.locator("text=/The (first|second) letter/").first.inner_text()
    press(page, "ArrowRight", saves=False)
    expect(page.locator("text=/The (first|second) letter/").first).not_to_have_text(before)
    press(page, "ArrowLeft", saves=False)
    expect(page.locator("text=/The (first|second) letter/").first).to_have_text(before)
    page.get_by_text("GUIDELINES").first.click()
    expect(page.get_by_role("heading", name="Keys")).to_be_attached()
    expect(page.get_by_text("what 7 means")).to_be_attached()
    assert answered(board) == []


def test_among_many_labels_the_suggested_one_is_in_sight_and_typing_finds_any(page: Page, desk: Desk):
    board = board_of(desk, "searched-ui", choice_form(MANY), MANY, ["Where is my card?"], "card_arrival")
    show(page, board)
    labels = page.locator(".label-text")
    expect(labels).to_have_count(21)  # twenty, and the suggested one
    expect(page.locator(".label-active")).to_be_in_viewport()
    page.keyboard.type("stolen")
    expect(labels).to_have_count(1)
    press(page, "Tab", "Space", saves=False)
    press(page, "Enter", saves=True)
    assert answered(board) == [("submitted", "lost_or_stolen_card")]
    assert "`Tab` goes to what was found, `Space` chooses it" in whole_guidelines("", MANY)


def test_a_link_opens_the_file_and_a_strangers_metadata_is_only_text_where_one_filters_by_it(page: Page, desk: Desk):
    columns = [Column("sender"), Column("received", "date")]
    board = desk.ensure("linked-ui", choice_form(TWELVE), "# How to decide", TWELVE, columns=columns)
    record = DeskRecord(task="linked-ui", document_id="", round=1, reason="model unsure", blind=True)
    senders = {"d0": EVIL, "d1": 'Bo, "B" <bo@firm.example>; a.b~c'}
    told = {
        i: About(
            "a.pdf", {"sender": sender}, (), f"{board.desk.url}/a%22b.pdf?x=1&y={i}",
            values(columns, {"sender": sender, "received": f"2024-02-1{i[1:]}"}, EVIL),
        )
        for i, sender in senders.items()
    }  # fmt: skip
    board.send(
        [record.model_copy(update={"document_id": i}) for i in told], dict.fromkeys(told, "A letter."), about=told
    )
    page.goto(f"{board.url.partition('?')[0]}?sort=metadata.date_received.desc")
    link = page.get_by_role("link", name="Open the file")
    expect(link).to_have_attribute("href", f"{board.desk.url}/a%22b.pdf?x=1&y=d1")
    expect(page.get_by_text("Source: a.pdf")).to_be_visible()
    with page.context.expect_page() as opened:
        link.click()
    assert opened.value.url == f"{board.desk.url}/a%22b.pdf?x=1&y=d1"
    assert opened.value.evaluate("[window.opener, document.referrer]") == [None, ""]
    opened.value.close()

    page.locator(".record-menu__header").first.click()
    page.get_by_text("View metadata").click()
    expect(page.get_by_text("text_sender").first).to_be_visible()
    page.keyboard.press("Escape")
    page.goto(board.url)
    page.get_by_role("button", name="Filters").click()
    for title, value in (("sender", "<\u2060img src"), ("Source", "<\u2060img src")):
        page.get_by_text(re.compile(r"^\s*Metadata\s*$")).first.click()
        page.locator(".metadata-filter__container").get_by_text(title, exact=True).click()
        page.locator(".metadata-filter__container").get_by_text(value).first.click()
        expect(page).to_have_url(re.compile("metadata="))
        page.mouse.click(700, 700)
        expect(page.get_by_text("1 of 1" if title == "sender" else "1 of")).to_be_visible()
    expect(page.get_by_text("legal@bolt.example").first).to_be_visible()
    assert page.title() != "hacked"


def test_the_keys_of_fields_and_marks_where_a_value_stands_and_a_strangers_markup_does_nothing(page: Page, desk: Desk):
    board = board_of(desk, "fields-ui", LAW, {}, [EVIL], {"law": "Texas", "renews": "yes"})
    show(page, board)
    expect(page.get_by_text("<\u2060img src=x")).to_be_visible()
    expect(page.get_by_text("Source: letters/<\u2060b>1<\u2060/b>.pdf")).to_be_visible()
    assert page.title() != "hacked"
    shown = page.locator(".span-annotation__field, [id^=document]").first
    assert shown.evaluate("e => getComputedStyle(e).whiteSpace") in ("pre-wrap", "pre-line", "break-spaces")
    press(page, "Shift+Enter", saves=False)
    page.keyboard.press("End")
    page.keyboard.type(" law")
    press(page, "Escape", "ArrowDown", "2", saves=False)
    expect(page.locator(".label-active").first).to_have_text(re.compile("no"))
    press(page, "Enter", saves=True)
    [correction] = board.fetch().corrections
    assert correction.value == {"law": "Texas law", "renews": "no"}
    keys = set(re.findall(r"`(.+?)`", whole_guidelines("", {})))
    assert keys == {"↓", "↑", "Shift", "Enter", "Esc", "1", "2", "Backspace", "Ctrl", "S", "Cmd", "→", "←"}
