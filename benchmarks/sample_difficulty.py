"""How hard is the sample? TF-IDF + logistic regression, trained on its gold labels, asked about its test split.

A sample that a bag of words can sort would prove nothing: this line has to stay below 95 %. Splits are those of the
pipeline (`records.split`), the classifier is the one that stands beside every student (`evaluation.baseline`), so the
figure can be compared with those in a release's report. Needs the app environment, about ten seconds, no network.

    .venv/app/bin/python benchmarks/sample_difficulty.py              trains on the train split
    .venv/app/bin/python benchmarks/sample_difficulty.py --validation trains on train and validation

Last line: the same figures as one JSON object.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from evaluation import baseline
from evaluation.interval import Estimate, wilson
from evaluation.wording import share
from prompts.sources import read_documents
from records.types import Document, Split

SAMPLE = Path(__file__).resolve().parents[1] / "prompts" / "legal_intake" / "sample"
ASKED = 0.95
"""What the baseline must stay below."""


def documents(sample: Path = SAMPLE) -> list[Document]:
    """All messages of the sample: the lines of documents.jsonl and the PDF letters."""
    sources = (sample / "documents.jsonl", sample / "letters")
    return [document for source in sources for document in read_documents(str(source), "legal_intake").documents]


def gold(sample: Path = SAMPLE) -> dict[str, str]:
    """Gold labels by the sample's own ids (`intake-0001`, `letter-01.pdf`)."""
    lines = (sample / "gold.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row["label"] for row in map(json.loads, lines)}


def accuracy(messages: list[Document], labels: dict[str, str], trained_on: set[Split]) -> Estimate:
    """The baseline's accuracy on the test split, with its 95 % Wilson interval."""
    known = [d for d in messages if d.split in trained_on]
    asked = {d.id: d.text for d in messages if d.split is Split.test}
    said = baseline.predict([d.text for d in known], [labels[d.external_id or ""] for d in known], asked)
    right = sum(said[d.id] == labels[d.external_id or ""] for d in messages if d.id in asked)
    return wilson(right, len(asked))


def main() -> int:
    """Print documents per split and the accuracy; exit code 1 when the sample is too easy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--validation", action="store_true", help="train on the validation split too")
    trained_on = {Split.train, Split.validation} if parser.parse_args().validation else {Split.train}
    messages, labels = documents(), gold()
    found = Counter(document.split for document in messages)
    counts = {split.value: found[split] for split in Split}
    told = accuracy(messages, labels, trained_on)
    names = " and ".join(split.value for split in Split if split in trained_on)
    print(f"documents   {', '.join(f'{n} {name}' for name, n in counts.items())}")
    print(f"baseline    {baseline.NAME}, trained on {names}")
    print(f"accuracy    {share(told)} on the test split; must stay below {100 * ASKED:.0f} %")
    figures = {"documents": counts, "trained_on": names, "accuracy": told.value, "low": told.low}
    print(json.dumps({**figures, "high": told.high, "n": told.n}))
    return int(told.value is None or told.value >= ASKED)


if __name__ == "__main__":
    sys.exit(main())
