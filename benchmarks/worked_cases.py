"""What does the advice say in the worked cases (`advice/cases`)? A table, their pages, and the README's picture.

Each case is a form as `retort advise --answers FILE` takes it. `documents` is the case by which fine-tuning is usually
explained, whose break-even is known exactly; this exits with 1 where that is not what comes out. Needs the app
environment, some seconds, no network; the picture needs a Chromium (`retort.browser` finds it).

    .venv/app/bin/python benchmarks/worked_cases.py
    .venv/app/bin/python benchmarks/worked_cases.py --pages FOLDER
    .venv/app/bin/python benchmarks/worked_cases.py --picture docs/pictures/advice.png

Last line: the same figures as one JSON object.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from advice import form, money, page, strict
from advice.decision import Advice
from advice.figures import Economics
from advice.situation import Situation
from flows.advise import answer

CASES = Path(__file__).resolve().parents[1] / "advice" / "cases"
TITLES = {
    "documents": "Sorting documents",
    "pilot": "Sorting documents, a pilot of three months",
    "unsure": "Sorting documents, each number with its range",
    "few": "500 requests a month",
    "weekly": "A task that changes every week",
    "hospital": "A hospital's letters",
}
SHOWN = "unsure"
"""The case in the picture."""
EXACT = 15_000 / (1_200 - 80)
WIDTH, HEIGHT = 1000, 1250


def told(name: str) -> tuple[Advice, Economics]:
    """The answer to one case."""
    answers = form.Answers.model_validate(strict.read(CASES / f"{name}.yaml"))
    return answer(form.applied(Situation(task=name), answers), answers)


def row(name: str, advice: Advice, economics: Economics) -> dict[str, object]:
    """One line of the table."""
    back = economics.student.payback
    return {
        "case": name,
        "recommendation": advice.recommendation.value,
        "pays back": money.payback(back),
        "months": None if back is None else back.months,
        "times cheaper": economics.student.times_cheaper.value if economics.student.times_cheaper else None,
        "net after 24 months": money.spread(economics.student.net[24]),
        "sentence": advice.sentence,
    }


def picture(html: Path, to: Path) -> None:
    """The upper part of a page as a PNG."""
    from playwright.sync_api import sync_playwright

    from retort import browser

    executable = browser.find()
    if executable is None:
        sys.exit("no Chromium on this machine: install one, or run `.venv/app/bin/python -m retort.browser`")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        opened = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        opened.goto(html.absolute().as_uri())
        opened.screenshot(path=str(to))
        chromium.close()


def main() -> int:
    """Print the table; exit code 1 when the exact case is not exact."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=Path, help="a folder for the pages of all cases")
    parser.add_argument("--picture", type=Path, help=f"a PNG of the page of `{SHOWN}`")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as kept:
        for name, title in TITLES.items():
            advice, economics = told(name)
            rows.append(row(name, advice, economics))
            html = page.write(page.html(advice, economics, title), (asked.pages or Path(kept)) / f"{name}.html")
            if asked.picture and name == SHOWN:
                picture(html, asked.picture)
    for one in rows:
        print(f"{one['case']}: {one['sentence']}")
        print(f"    pays back {one['pays back']}; net after 24 months {one['net after 24 months']}")
    print(json.dumps({"exact months": EXACT, "cases": rows}))
    return 0 if abs(float(str(rows[0]["months"])) - EXACT) < 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
