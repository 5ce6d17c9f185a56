"""The sample that ships with Retort is whole, labelled, and too hard for a bag of words."""

from collections import Counter

from benchmarks import sample_difficulty
from prompts.sources import read_documents
from prompts.task import load_task
from records.types import Split

MESSAGES = sample_difficulty.documents()
GOLD = sample_difficulty.gold()


def test_the_sample_has_600_documents_and_a_gold_label_for_each_and_for_no_other():
    ids = [document.external_id for document in MESSAGES]
    assert len(MESSAGES) >= 600 and len(set(ids)) == len(ids)
    assert set(GOLD) == set(ids)


def test_each_of_the_12_labels_occurs_in_training_and_in_the_test_split():
    task = load_task(sample_difficulty.SAMPLE.parent)
    assert len(task.labels) == 12 and set(GOLD.values()) == set(task.labels)
    for split in (Split.train, Split.test):
        counts = Counter(GOLD[d.external_id or ""] for d in MESSAGES if d.split is split)
        assert set(counts) == set(task.labels), split


def test_the_8_letters_are_pdfs_that_can_be_read():
    loaded = read_documents(str(sample_difficulty.SAMPLE / "letters"), "legal_intake")
    assert len(loaded.documents) == 8 and not loaded.faults
    assert all(len(document.text.split()) >= 15 for document in loaded.documents)


def test_no_two_messages_are_near_duplicates():
    assert len({document.cluster for document in MESSAGES}) == len(MESSAGES)


def test_a_bag_of_words_stays_far_below_95_percent():
    told = sample_difficulty.accuracy(MESSAGES, GOLD, {Split.train})
    assert told.n >= 100 and told.high is not None and told.high < sample_difficulty.ASKED
