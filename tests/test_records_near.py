"""Near-duplicates are found and share a split for ever; who came first decides which, and no order makes a leak."""

import itertools
import random

import pytest
import sqlalchemy as sa

from records import library
from records.near import bands_of, shingles, similarity
from records.split import cluster_of, split_of
from records.store import Store
from records.types import Split

BANDS_FOR_EVER = [-5974734922341448004, -3762831386324440486]
WORDS = [a + b + c for a, b, c in itertools.product("bdfgklmn", "aeiou", "rst")]


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


def words(seed, count=100):
    chance = random.Random(seed)
    return [chance.choice(WORDS) for _ in range(count)]


def text_in(split, start=0):
    """A text of 100 words that is in this split by its own content."""
    return next(t for n in itertools.count(start) if split_of(cluster_of(t := " ".join(words(n)))) is split)


def altered(text, *places):
    """The text with other words in these places: each changes three of its 98 word triples."""
    return " ".join(f"other{'xyz'[n % 3]}" if n in places else word for n, word in enumerate(text.split()))


def add(store, *texts):
    return library.add(store, [library.document("mail", text, "test") for text in texts])


def stored(store):
    return {d.text: d for d in library.documents(store, "mail")}


def test_bands_are_the_same_for_ever():
    assert bands_of("The tenant has not paid the rent since spring.")[:2] == BANDS_FOR_EVER
    assert bands_of("THE tenant has not paid the rent, since spring (2031)!")[:2] == BANDS_FOR_EVER
    assert bands_of("12.50 / 2027") == [] and len(bands_of("x")) == 16


def test_similarity_is_the_share_of_common_word_triples():
    text = text_in(Split.test)
    assert similarity(text, text) == 1.0
    assert similarity(text, altered(text, 50)) == pytest.approx(95 / 101)
    assert similarity(text, " ".join(words("other"))) == 0.0
    assert similarity("", "12") == 0.0
    assert len(shingles("字" * 100 + "文字化")) > 1  # a script without spaces is read letter by letter


@pytest.mark.parametrize(("share", "least", "most"), [(0.97, 1.0, 1.0), (0.85, 0.9, 1.0), (0.3, 0.0, 0.1)])
def test_near_duplicates_share_a_band_and_others_do_not(share, least, most):
    found, chance = 0, random.Random(5)
    for n in range(100):
        other = text = " ".join(words(n, 300))
        places = chance.sample(range(300), 300)
        while similarity(text, other) > share:
            other = altered(other, places.pop())
        found += bool(set(bands_of(text)) & set(bands_of(other)))
    assert least <= found / 100 <= most


@pytest.mark.parametrize("split", [Split.train, Split.validation, Split.test])
def test_a_near_duplicate_joins_the_split_of_what_was_there(store, split):
    first = text_in(split)
    near = next(t for n in range(100) if split_of(cluster_of(t := altered(first, n))) is not split)
    assert (add(store, first).near, add(store, near).near) == (0, 1)
    found = stored(store)
    assert {found[first].split, found[near].split} == {split}
    assert found[near].cluster == found[first].cluster == cluster_of(first)


def test_near_duplicates_within_one_chunk_share_a_split_too(store):
    first = text_in(Split.test)
    alike = [first, *(altered(first, n, 99 - n) for n in range(12))]
    assert len({split_of(cluster_of(t)) for t in alike}) > 1
    assert add(store, *alike).near == 12
    assert {(d.split, d.cluster) for d in stored(store).values()} == {(Split.test, cluster_of(first))}


def test_a_document_between_two_splits_is_withheld_and_neither_side_moves(store):
    base = text_in(Split.test)
    variants = (altered(base, *range(n, n + 16)) for n in range(4, 80))
    other = next(t for t in variants if split_of(cluster_of(t)) is Split.train)
    between = next(
        t
        for n in range(4, 90)
        if min(similarity(t := altered(base, *range(n, n + 8)), base), similarity(t, other)) >= 0.8
    )
    assert similarity(base, other) < 0.8
    add(store, base, other)
    add(store, between)
    splits = {text: d.split for text, d in stored(store).items()}
    assert splits == {base: Split.test, other: Split.train, between: Split.withheld}
    add(store, altered(between, 90))  # what is like it is like the others too, or goes by itself
    assert {t: d.split for t, d in stored(store).items() if t in splits} == splits


def test_no_order_of_arrival_trains_on_what_is_nearly_like_a_test_document(tmp_path):
    chance = random.Random(11)
    base = [text_in(Split.test), text_in(Split.train), text_in(Split.test, start=500)]
    drift = [
        altered(text, *chance.sample(range(100), k)) for text in base for k in (1, 2, 3, 4, 5, 6) for _ in range(3)
    ]
    for order in range(8):
        store = Store.open(f"sqlite:///{tmp_path / f'{order}.db'}")
        texts = chance.sample(base + drift, len(base + drift))
        before: dict[str, Split] = {}
        for n in range(0, len(texts), 7):
            add(store, *texts[n : n + 7])
            now = {d.text: d.split for d in stored(store).values()}
            assert before.items() <= now.items()  # nothing that is in the store ever moves
            before = now
        found = stored(store).values()
        tested, trained = ([d.text for d in found if d.split is s] for s in (Split.test, Split.train))
        pairs = [
            (a, b) for a in tested for b in trained if similarity(a, b) >= 0.8 and set(bands_of(a)) & set(bands_of(b))
        ]
        assert pairs == []
        store.close()


def test_documents_that_were_there_before_near_duplicates_were_looked_for_stay_and_are_found(store):
    first = text_in(Split.test)
    add(store, first)
    with store.begin() as db:
        db.execute(sa.text("DELETE FROM document_bands"))  # as a store of the version before is
    assert add(store, altered(first, 3)).near == 1
    assert {d.split for d in stored(store).values()} == {Split.test}


def test_ten_copies_of_a_letter_are_one_candidate(store):
    first = text_in(Split.train)
    add(store, *(f"{first} {n}" for n in range(10)))
    with store.read() as db:
        assert db.execute(sa.text("SELECT count(*) FROM document_bands")).scalar() == 16


def test_each_task_has_its_own_near_duplicates(store):
    first = text_in(Split.test)
    library.add(store, [library.document(task, first, "test") for task in ("mail", "letters")])
    assert library.add(store, [library.document("letters", altered(first, 3), "test")]).near == 1
    assert library.add(store, [library.document("notes", altered(first, 3), "test")]).near == 0
