"""What people do, in headless Chromium: start `label` in Prefect's form, correct a label in Argilla, have it collected.

It stands on the same stack as the circle's tests, with a task of its own. Where no Chromium can be had it is skipped.
Pictures of the pages go to the folder that RETORT_PICTURES names, if it is set.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from fixtures_circle import Circle, tiny_task
from playwright.sync_api import Page, expect, sync_playwright

from flows import runs
from flows.context import workplace
from records import corrections, desk_log
from records.progress import silent
from records.types import now
from retort import browser
from retort.credentials import load_or_create

pytestmark = pytest.mark.real

TEXT = "The landlord of the mill wants to talk about the rent."


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a browser that has nobody's cookies."""
    executable = browser.find()
    if executable is None:
        pytest.skip("no Chromium on this machine, and none could be installed: the walk through the UIs was not made")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        opened = chromium.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(60_000)
        yield opened
        chromium.close()


def keep_picture(page: Page, name: str) -> None:
    """Keep a screenshot where somebody asked for it."""
    folder = os.environ.get("RETORT_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def fill_field(page: Page, label: str, value: str) -> None:
    """Fill one field of a deployment's form."""
    named = page.locator(".schema-form-property__label", has_text=re.compile(rf"^{label}( \(Optional\))?$"))
    page.locator(".schema-form-property", has=named).locator("textarea").fill(value)


def label_from_the_form(circle: Circle, page: Page, task: Path, documents: Path) -> None:
    """Open the deployment `label` in Prefect's UI, fill in its form, submit, and wait for the run."""
    api = circle.settings.prefect_api
    id_ = requests.get(f"{api}/deployments/name/label/label", timeout=30).json()["id"]
    page.goto(f"{api.removesuffix('/api')}/deployments/deployment/{id_}/run")
    fill_field(page, "task", str(task))
    fill_field(page, "documents", str(documents))
    keep_picture(page, "prefect-form")
    then = now()
    page.get_by_role("button", name="Submit").click()
    runs.follow(runs.next_run("label/label", since=then))


def sign_in(circle: Circle, page: Page) -> None:
    """Sign in to Argilla as the first reviewer, as `retort up` tells it."""
    reviewer = load_or_create(circle.settings.home).reviewers[0]
    page.goto(f"{circle.settings.desk}/sign-in")
    page.locator("input[name=Username]").fill(reviewer.username)
    page.locator("input[name=Password]").fill(reviewer.password)
    page.get_by_role("button", name="Sign in").click()


def answer_one(page: Page, task: str, label: str) -> None:
    """Open the task's board and submit this label for the first document."""
    page.get_by_text(task, exact=True).first.click()
    expect(page.get_by_text(TEXT)).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.locator(f"label[for=answer_{label}]").click()
    expect(page.locator(".label-active")).to_have_text(re.compile(label))
    keep_picture(page, "argilla")
    with page.expect_response(lambda reply: "/responses" in reply.url and reply.request.method == "POST") as posted:
        page.get_by_role("button", name="Submit").last.click()
    assert posted.value.status == 201


def test_a_person_labels_reviews_and_sees_the_correction_collected(circle: Circle, page: Page, tmp_path: Path):
    task = tiny_task(tmp_path / "walk", name="walk")
    documents = tmp_path / "one.jsonl"
    documents.write_text(json.dumps({"text": TEXT}) + "\n")
    label_from_the_form(circle, page, task, documents)
    with workplace(silent, circle.settings) as context:
        sent = desk_log.sent(context.store, "walk")
    assert len(sent) == 1
    sign_in(circle, page)
    answer_one(page, "walk", "lease")
    done = circle.retort("collect", "--task", "walk")
    assert done.returncode == 0, done.stderr
    assert "1 answers new or changed" in done.stdout
    with workplace(silent, circle.settings) as context:
        collected = corrections.all(context.store, "walk")
    assert [(c.reviewer, c.value, c.document_id) for c in collected] == [("reviewer1", "lease", next(iter(sent)))]
