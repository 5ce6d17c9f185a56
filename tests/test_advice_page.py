"""The page of an advice: everything is on it, nothing is loaded, nothing that others wrote is markup."""

import base64
import functools
import json
import re

import pytest
from playwright.sync_api import sync_playwright

from advice import money, page
from advice.decision import Advice, Recommendation
from advice.economics import assess
from advice.figures import Economics, Payback, Spread
from advice.payoff import payoffs
from advice.prices import Rates, TokenPrices, load
from advice.recommend import advise
from advice.situation import Origin, Quantity, Situation
from retort import browser

HOSTILE = "<script>alert(1)</script> | `rm` [x](javascript:1) **b** $x^2$ {{ 7*7 }}"
PRICES = load()


def known(value: float, low: float, high: float, unit: str, source: str = "a test") -> Quantity:
    return Quantity(value=value, low=low, high=high, unit=unit, origin=Origin.measured, source=source)


SURE = Situation(
    task="documents",
    monthly_requests=known(30_000, 25_000, 35_000, "requests a month"),
    teacher_cost=known(0.04, 0.038, 0.043, "USD a request"),
    teacher_accuracy=known(0.88, 0.85, 0.91, "share"),
    machine_price=known(0.11, 0.11, 0.11, "USD an hour"),
    monitoring_cost=known(60, 30, 120, "USD a month"),
    labelled_examples=known(2_000, 2_000, 2_000, "labels"),
    prompt_tokens=known(1_000, 900, 1_100, "tokens"),
    completion_tokens=known(100, 90, 110, "tokens"),
    teacher_model="openai/gpt-4.1",
)
RATES = Rates(
    teacher=TokenPrices(model="openai/gpt-4.1", input=2, output=8, batch_input=1, batch_output=4),
    tuned=TokenPrices(model="ft:gpt-4.1-mini", input=0.8, output=3.2),
)


@functools.cache
def both(situation: Situation, rates: Rates | None = None) -> tuple[Advice, Economics]:
    economics = assess(situation, PRICES, rates, count=400)
    moving = [swing.name for swing in economics.swings]
    return advise(situation, payoffs(PRICES, rates), moving=moving), economics


def words(text: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.S).split())


def test_the_page_says_the_answer_the_steps_the_money_and_where_the_numbers_come_from():
    advice, economics = both(SURE, RATES)
    text = words(page.html(advice, economics, title="Document sorting"))
    for said in (
        "Document sorting · prompt or fine-tune?",
        advice.sentence,
        *(step.reason for step in advice.steps),
        *(route.title for route in economics.routes),
        *(one.title for one in economics.assumptions),
        *(one.name for one in economics.listed),
        *(flip.sentence for flip in advice.flips),
        *advice.missing[: page.MOST_MISSING],
        "Which assumption matters most",
        "Not legal advice",
    ):
        assert " ".join(said.replace("`", " ").split()) in text.replace("&#39;", "'"), said
    assert "30,000 requests a month 25,000 to 35,000" in text
    assert economics.student.payback is not None and f"{economics.student.payback.months:.1f} months" in text


def test_the_page_loads_nothing_and_runs_nothing():
    text = page.html(*both(SURE, RATES))
    assert "default-src 'none'" in text and "<script" not in text and "@import" not in text
    assert all(source.startswith("data:image/svg+xml;base64,") for source in re.findall(r'src="([^"]*)"', text))
    assert all(link.startswith("https://") for link in re.findall(r'href="([^"]*)"', text))
    assert not re.findall(r"url\(", text)
    for picture in re.findall(r"base64,([^\"]+)", text):
        assert b"<svg" in base64.b64decode(picture) and b"<script" not in base64.b64decode(picture)


def test_what_others_wrote_is_text_on_the_page_and_in_markdown():
    source = known(30_000, 25_000, 35_000, "requests a month", HOSTILE)
    advice, economics = both(SURE.model_copy(update={"monthly_requests": source, "task": HOSTILE}))
    text = page.html(advice, economics, title=HOSTILE)
    assert "<script" not in text and "&lt;script&gt;" in text and "{{ 7*7 }}" in text
    said = page.markdown(advice, economics, title=HOSTILE)
    assert "<script>" not in said.replace("\\<", "") and "\\|" in said.splitlines()[0]


def test_the_same_advice_gives_the_same_page_again():
    advice, economics = both(SURE, RATES)
    assert page.html(advice, economics) == page.html(advice, economics)


def test_a_page_of_what_nobody_knows_yet_names_what_to_measure():
    advice, economics = both(Situation(task="new"))
    html = page.html(advice, economics)
    text = words(html)
    assert html.count(">not known<") == 6 and "And " in text and "more, which move the result less" in text
    assert "What to measure next" in text and "A star marks what was assumed" in text


def test_a_page_of_data_that_may_not_leave_says_what_that_costs_and_no_break_even_against_what_is_ruled_out():
    advice, economics = both(SURE.model_copy(update={"data_may_not_leave": True, "monthly_requests": None}))
    text = words(page.html(advice, economics))
    assert advice.recommendation in (Recommendation.distil, Recommendation.fine_tune)
    assert "prompting is ruled out (the data may not leave); it costs $" in text
    assert "It pays back" not in text and "ruled out: the data may not leave" in text


def test_a_sure_situation_has_no_sensitivity_to_show():
    advice, economics = both(SURE)
    sure = economics.model_copy(update={"swings": []})
    assert "Which assumption matters most" not in page.html(advice, sure)


@pytest.mark.parametrize("requests", [0.0, 1e-9, 1e12])
@pytest.mark.parametrize("free", [{}, dict.fromkeys(("machine_price", "monitoring_cost", "engineering_cost"), 0.0)])
def test_no_volume_and_no_price_is_too_small_or_too_large_for_the_page(requests: float, free: dict[str, float]):
    amounts = {"monthly_requests": requests, **free}
    extreme = Situation(task="extreme", **{name: known(n, n, n, "USD a month") for name, n in amounts.items()})
    text = page.html(advise(extreme), assess(extreme, PRICES, count=50))
    assert not re.search(r"\b(nan|inf)\b", words(text))


def test_markdown_has_the_steps_and_the_ways_and_whole_tables():
    advice, economics = both(SURE, RATES)
    said = page.markdown(advice, economics, where="/reports/advice.html")
    tables = [line for line in said.splitlines() if line.startswith("|")]
    assert len(tables) == 2 + len(advice.steps) + 2 + len(economics.routes)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {6}
    assert "### What would change it" in said and said.rstrip().endswith("Page: /reports/advice.html")


def test_json_holds_the_whole_advice_and_comes_back():
    advice, economics = both(SURE, RATES)
    data = json.loads(json.dumps(page.as_dict(advice, economics), allow_nan=False))
    assert Advice.model_validate(data["advice"]) == advice
    assert Economics.model_validate(data["economics"]) == economics
    assert data["headline"] == advice.sentence


@pytest.mark.real
def test_a_browser_shows_the_page_with_its_pictures_and_asks_nobody(tmp_path):
    executable = browser.find()
    if executable is None:
        pytest.skip("no Chromium on this machine: the page was not looked at")
    place = page.write(page.html(*both(SURE, RATES)), tmp_path / "page.html")
    asked, said = [], []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        opened = chromium.new_page(viewport={"width": 1000, "height": 1250})
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda message: said.append(message.text))
        opened.goto(place.as_uri())
        widths = opened.evaluate("[...document.images].map(image => image.naturalWidth)")
        scrolls = opened.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        chromium.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and said == []
    assert len(widths) == 2 and min(widths) > 300 and not scrolls


def test_a_page_is_written_as_a_whole(tmp_path):
    place = page.write("<p>1</p>", tmp_path / "deep" / "page.html")
    assert place.read_text("utf-8") == "<p>1</p>" and [file.name for file in place.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "$0"), (0.04, "$0.04"), (1200, "$1,200"), (-5300.4, "−$5,300"), (12.5, "$12.5"), (2e6, "$2,000,000")],
)
def test_money_is_said_with_the_digits_that_matter(amount: float, said: str):
    assert money.money(amount) == said


@pytest.mark.parametrize(
    ("amount", "said"), [(0, "$0"), (80, "$80"), (1234, "$1.23k"), (-35_000, "−$35k"), (999_999, "$1M"), (3e13, "$30T")]
)
def test_money_on_an_axis_is_short(amount: float, said: str):
    assert money.short(amount) == said


def test_what_lies_beyond_five_years_is_never():
    chances = {12: 0.0, 24: 0.1, 36: 0.2, 60: 0.4}
    assert money.payback(Payback(months=None, low=None, high=None, chances=chances)) == "not within five years"
    assert "at best after 14.0" in money.payback(Payback(months=None, low=14, high=None, chances=chances))
    assert money.payback(Payback(months=20, low=14, high=None, chances=chances)) == "after 20.0 months (14.0 to never)"
    assert money.payback(Payback(months=13.39, low=13.39, high=13.39, chances=chances)) == "after 13.4 months"


def test_a_sure_amount_has_no_range():
    assert money.spread(Spread(value=80, low=80, high=80)) == "$80"
    assert money.spread(Spread(value=18_100, low=8_632, high=45_103)) == "$18,100 ($8,632 to $45.1k)"
