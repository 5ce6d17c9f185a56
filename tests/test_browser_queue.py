"""The reviewers' link in headless Chromium: it opens the queue with what is worth most, and goes on in that order.

Where no Chromium can be had it is skipped. A picture goes to the folder that RETORT_PICTURES names, if it is set.
"""

import os
from pathlib import Path

import pytest
from fixtures_argilla import RunningArgilla
from playwright.sync_api import expect, sync_playwright

from records.types import DeskRecord
from retort import browser
from review.desk import Desk
from review.form import choice_form

pytestmark = pytest.mark.real

LABELS = {"lease": "Premises and rent", "debt": "Unpaid money", "privacy": "Personal data"}
WORTHS = {"a": 0.25, "b": 1.0, "c": 0.5, "d": 0.75}


def test_the_reviewers_link_opens_the_queue_in_the_order_of_worth(desk: Desk, argilla: RunningArgilla):
    executable = browser.find()
    if executable is None:
        pytest.skip("no Chromium on this machine, and none could be installed: the queue was not looked at")
    board = desk.ensure("queue", choice_form(LABELS), "Read, then decide.", LABELS)
    row = {"task": "queue", "round": 1, "reason": "model unsure", "blind": False, "suggestion": "lease", "score": 0.4}
    board.send(
        [DeskRecord(document_id=i, worth=worth, **row) for i, worth in WORTHS.items()],
        {i: f"The letter {i} is about the rent." for i in WORTHS},
    )
    reviewer = argilla.people.reviewers[0]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(board.url)  # not signed in yet, as on a Monday
        page.locator("input[name=Username]").fill(reviewer.username)
        page.locator("input[name=Password]").fill(reviewer.password)
        page.get_by_role("button", name="Sign in").click()
        for name in sorted(WORTHS, key=lambda i: -WORTHS[i]):
            expect(page.get_by_text(f"The letter {name} is about the rent.")).to_be_visible()
            if folder := os.environ.get("RETORT_PICTURES"):
                page.screenshot(path=str(Path(folder) / f"queue-{name}.png"))
            page.get_by_role("button", name="Submit").click()
        chromium.close()
