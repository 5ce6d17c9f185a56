"""The embedded search engine means what Elasticsearch means to Argilla, on the real server, through Argilla's own API.

What is held here is what Argilla's own suite asks of a search engine: text, filters and sorts of every scope, ranges
with open ends, vectors, progress by user, pages. One dataset with every kind of question, made once and left as it is.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fixtures_argilla import WORKSPACE, RunningArgilla

from review import people

pytestmark = pytest.mark.real

OPTIONS = [{"value": v, "text": v.title()} for v in ("lease", "nda", "claim")]
QUESTIONS: dict[str, dict[str, Any]] = {
    "label": {"type": "label_selection", "options": OPTIONS},
    "labels": {"type": "multi_label_selection", "options": OPTIONS},
    "stars": {"type": "rating", "options": [{"value": n} for n in range(6)]},
    "order": {"type": "ranking", "options": OPTIONS},
    "note": {"type": "text", "use_markdown": False},
    "parts": {"type": "span", "field": "body", "options": OPTIONS, "allow_overlapping": False},
}
PROPERTIES = {"kind": {"type": "terms", "values": None}, "pages": {"type": "integer"}, "weight": {"type": "float"}}
TEXTS = {  # id -> (title, body)
    "a": ("negative", "My card payment had the wrong exchange rate."),
    "b": ("neutral", "I believe that a card payment I made was cancelled."),
    "c": ("negative", "I tried to make a payment with my card: it was declined!"),
    "d": ("positive", "A payment towards the mortgage, e-mail to anna@bolt.example, 12.5 % of §4."),
    "e": ("neutral", "Warum wurde mir für die Café-Rechnung etwas berechnet? Straße 7"),
    "f": ("neutral", "Договор аренды офиса; 这是保密协议。"),
}
METADATA: dict[str, dict[str, Any]] = {
    "a": {"kind": "letter", "pages": 1, "weight": 0.13},
    "b": {"kind": ["letter", "scan"], "pages": 2, "weight": -1.5},
    "c": {"kind": "mail", "pages": 10, "weight": 20020.13},
    "d": {"kind": "2", "pages": 2**60 + 1, "weight": 1.0},
    "e": {"pages": 0},
    "f": {},
}
VECTORS = {"a": [1.0, 0.0, 0.0], "b": [0.9, 0.1, 0.0], "c": [0.0, 1.0, 0.0], "d": [-1.0, 0.0, 0.0]}
SUGGESTIONS: dict[str, list[dict[str, Any]]] = {
    "a": [
        {"question": "label", "value": "lease", "score": 0.5, "agent": "teacher", "type": "model"},
        {"question": "stars", "value": 2, "score": 1.0},
    ],
    "b": [
        {"question": "label", "value": "nda", "score": 0.25, "agent": "anna", "type": "human"},
        {"question": "labels", "value": ["lease", "claim"], "score": [0.9, 0.1]},
    ],
    "c": [
        {"question": "labels", "value": ["nda"], "score": [0.4]},
        {"question": "stars", "value": 5, "score": 0.0},
        {"question": "note", "value": "see page 3", "score": 0.7},
        {"question": "order", "value": [{"value": v["value"], "rank": n + 1} for n, v in enumerate(OPTIONS)]},
        {"question": "parts", "value": [{"start": 0, "end": 4, "label": "claim"}]},
    ],
}


class Served:
    """The dataset as its owner and its reviewers ask about it."""

    def __init__(self, argilla: RunningArgilla) -> None:
        self.owner = httpx.Client(
            base_url=f"{argilla.url}/api/v1",
            headers={"X-Argilla-Api-Key": argilla.key},
            timeout=60,
            trust_env=False,
        )
        self.reviewers = [people.sign_in(argilla.url, account) for account in argilla.people.reviewers]
        for client in self.reviewers:
            client.base_url = f"{argilla.url}/api/v1"
        self.users = [client.get("/me").json()["id"] for client in self.reviewers]
        self.id = self.made()
        self.records = self._filled()

    def made(self) -> str:
        [workspace] = [w for w in self.call("GET", "/me/workspaces")["items"] if w["name"] == WORKSPACE]
        body = {"name": "engine", "workspace_id": workspace["id"], "allow_extra_metadata": True}
        id_ = str(self.call("POST", "/datasets", body)["id"])
        for name in ("title", "body"):
            settings = {"type": "text", "use_markdown": False}
            self.call("POST", f"/datasets/{id_}/fields", {"name": name, "title": name, "settings": settings})
        image = {"name": "scan", "title": "scan", "settings": {"type": "image"}}
        self.call("POST", f"/datasets/{id_}/fields", image)
        for name, settings in QUESTIONS.items():
            body = {"name": name, "title": name, "required": name == "label", "settings": settings}
            self.call("POST", f"/datasets/{id_}/questions", body)
        for name, settings in PROPERTIES.items():
            body = {"name": name, "title": name, "settings": settings, "visible_for_annotators": True}
            self.call("POST", f"/datasets/{id_}/metadata-properties", body)
        self.call("POST", f"/datasets/{id_}/vectors-settings", {"name": "meaning", "title": "m", "dimensions": 3})
        self.call("PUT", f"/datasets/{id_}/publish")
        return id_

    def _filled(self) -> dict[str, str]:
        ids = {q["name"]: q["id"] for q in self.call("GET", f"/datasets/{self.id}/questions")["items"]}
        records = [
            {
                "external_id": key,
                "fields": {"title": title, "body": body, "scan": "https://pictures.example/payment.png"},
                "metadata": METADATA[key],
                "vectors": {"meaning": VECTORS[key]} if key in VECTORS else {},
                "suggestions": [
                    {"question_id": ids[s["question"]], **{k: v for k, v in s.items() if k != "question"}}
                    for s in SUGGESTIONS.get(key, ())
                ],
            }
            for key, (title, body) in TEXTS.items()
        ]
        for record in records:  # one by one: times that differ
            self.call("POST", f"/datasets/{self.id}/records/bulk", {"items": [record]})
        found = self.call("GET", f"/datasets/{self.id}/records", params={"limit": 100})["items"]
        made = {record["external_id"]: record["id"] for record in found}
        self._answered(made)
        return made

    def _answered(self, ids: dict[str, str]) -> None:
        ranked = [{"value": v, "rank": n + 1} for n, v in enumerate(("nda", "claim", "lease"))]
        span = [{"start": 0, "end": 2, "label": "nda"}]
        whole = {"label": "nda", "labels": ["nda", "claim"], "stars": 4, "order": ranked, "note": "so", "parts": span}
        given = [
            (0, "a", "submitted", {"label": "lease", "stars": 1}),
            (0, "b", "submitted", whole),
            (0, "c", "draft", {"label": "claim"}),
            (0, "d", "discarded", None),
            (1, "a", "submitted", {"label": "nda", "stars": 4}),
            (1, "e", "draft", {"stars": 2}),
        ]
        for who, key, status, values in given:
            body: dict[str, Any] = {"record_id": ids[key], "status": status}
            if values:
                body["values"] = {name: {"value": value} for name, value in values.items()}
            [item] = self.reviewers[who].post("/me/responses/bulk", json={"items": [body]}).json()["items"]
            assert item["error"] is None, item

    def close(self) -> None:
        self.call("DELETE", f"/datasets/{self.id}")
        for client in (self.owner, *self.reviewers):
            client.close()

    def call(self, method: str, path: str, body: Any = None, params: Any = None) -> Any:
        answer = self.owner.request(method, path, json=body, params=params)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def search(self, who: int | None = None, offset: int = 0, limit: int = 50, **body: Any) -> dict[str, Any]:
        """What is found, for the owner or for a reviewer."""
        page = {"offset": offset, "limit": limit}
        path = f"/datasets/{self.id}/records/search"
        client = self.owner if who is None else self.reviewers[who]
        answer = client.post(path if who is None else f"/me{path}", json=body, params=page)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def found(self, who: int | None = None, **body: Any) -> str:
        """The ids of what is found, in their order."""
        said = self.search(who, **body)
        assert said["total"] == len(said["items"])
        return "".join(item["record"]["external_id"] for item in said["items"])

    def by(self, scope: dict[str, Any], who: int | None = None, **how: Any) -> str:
        return "".join(sorted(self.found(who, filters={"and": [condition(scope, **how)]})))

    def sorted_by(self, scope: dict[str, Any], order: str, who: int | None = None) -> str:
        return self.found(who, sort=[{"scope": scope, "order": order}])


def condition(scope: dict[str, Any], **how: Any) -> dict[str, Any]:
    return {"type": "terms" if "values" in how else "range", "scope": scope, **how}


def on_record(name: str) -> dict[str, Any]:
    return {"entity": "record", "property": name}


def on_metadata(name: str) -> dict[str, Any]:
    return {"entity": "metadata", "metadata_property": name}


def on_suggestion(question: str, what: str = "value") -> dict[str, Any]:
    return {"entity": "suggestion", "question": question, "property": what}


def on_response(question: str) -> dict[str, Any]:
    return {"entity": "response", "question": question}


STATUS = {"entity": "response", "property": "status"}


@pytest.fixture(scope="module")
def served(argilla: RunningArgilla) -> Iterator[Served]:
    made = Served(argilla)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("card", "abc"),
        ("CARD payment", "abc"),
        ("payment card", "abc"),
        ("nothing", ""),
        ("negative", "ac"),
        ("rate negative", "a"),  # words of two fields
        ('"card payment"', "ab"),
        ('"negative my"', ""),  # no phrase across two fields
        ("mortgage | cancelled", "bd"),
        ("payment -card", "d"),
        ("payment (declined | cancelled)", "bc"),
        ("wrong payment | mortgage", "ad"),
        ("cancel*", "b"),
        ("cancel", ""),
        ("-payment", "ef"),
        ("anna@bolt.example", "d"),
        ("e-mail", "d"),
        ("12.5", "d"),
        ("§4", "d"),
        ("café", "e"),
        ("CAFÉ", "e"),
        ("cafe", ""),
        ("für straße", "e"),
        ("договор", "f"),
        ("保密", "f"),
        ("保密 -аренды", ""),
        ("!!! ...", ""),
        ("'; DROP TABLE records; --", ""),
        ('NEAR("card" "payment")', ""),
        ("pictures", ""),  # a picture's address is no text
        ("body : card", ""),
    ],
)
def test_text_is_found_as_argillas_search_box_promises(served: Served, query: str, found: str):
    assert "".join(sorted(served.found(query={"text": {"q": query}}))) == found
    assert "".join(sorted(served.found(0, query={"text": {"q": query}}))) == found


@pytest.mark.parametrize(
    ("field", "query", "found"),
    [("title", "negative", "ac"), ("title", "card", ""), ("body", "card payment", "abc"), ("body", "保密", "f")],
)
def test_a_text_query_may_be_about_one_field(served: Served, field: str, query: str, found: str):
    assert "".join(sorted(served.found(query={"text": {"q": query, "field": field}}))) == found


def test_the_best_match_comes_first_and_scores_fall_unless_something_else_sorts(served: Served):
    hits = served.search(query={"text": {"q": "card | declined"}})["items"]
    scores = [hit["query_score"] for hit in hits]
    assert hits[0]["record"]["external_id"] == "c"
    assert scores == sorted(scores, reverse=True) and min(scores) > 0
    everything = served.search()["items"]
    assert {hit["query_score"] for hit in everything} == {1.0}
    sorted_ = [{"scope": on_record("external_id"), "order": "desc"}]
    again = served.search(query={"text": {"q": "card", "field": "body"}}, sort=sorted_)["items"]
    assert [(h["record"]["external_id"], h.get("query_score")) for h in again] == [
        ("c", None),
        ("b", None),
        ("a", None),
    ]
    narrowed = {"and": [condition(STATUS, values=["pending", "draft"])]}
    again = served.search(query={"text": {"q": "card | declined"}}, filters=narrowed)["items"]
    assert [hit["query_score"] for hit in again] == [
        h["query_score"] for h in hits if h["record"]["external_id"] == "c"
    ]


def test_what_cannot_be_asked_is_refused_with_the_reason(served: Served):
    path = f"/datasets/{served.id}/records/search"

    def refused(body: dict[str, Any]) -> str:
        answer = served.owner.post(path, json=body)
        assert answer.status_code == 422, answer.text
        return answer.text

    assert "leave out the ~" in refused({"query": {"text": {"q": "paymant~1"}}})
    since = {"and": [condition(on_record("inserted_at"), ge="yesterday")]}
    assert "is no time" in refused({"filters": since})
    assert "not 3" in refused({"query": {"vector": {"name": "meaning", "value": [1.0]}}})
    assert "nowhere" in refused({"query": {"text": {"q": "a", "field": "nowhere"}}})
    unknown = {"and": [condition(on_metadata("nowhere"), values=["a"])]}
    assert "nowhere" in refused({"filters": unknown})


@pytest.mark.parametrize(
    ("name", "how", "found"),
    [
        ("kind", {"values": ["letter"]}, "ab"),
        ("kind", {"values": ["letter", "mail"]}, "abc"),
        ("kind", {"values": ["scan"]}, "b"),
        ("kind", {"values": ["Letter"]}, ""),
        ("kind", {"values": ["2"]}, "d"),
        ("kind", {"values": ["02"]}, ""),
        ("kind", {"ge": "m"}, "bc"),
        ("kind", {"ge": 1}, ""),
        ("pages", {"values": ["2", "0"]}, "be"),
        ("pages", {"values": [str(2**60 + 1)]}, "d"),
        ("pages", {"values": [str(2**60)]}, ""),
        ("pages", {"ge": 1, "le": 2}, "ab"),
        ("pages", {"ge": 2, "le": 2}, "b"),
        ("pages", {"ge": 2}, "bcd"),
        ("pages", {"le": 2}, "abe"),
        ("pages", {"ge": "2"}, "bcd"),
        ("weight", {"ge": 0.13, "le": 0.13}, "a"),
        ("weight", {"ge": 0}, "acd"),
        ("weight", {"le": -1.5}, "b"),
        ("weight", {"values": ["1.0"]}, "d"),
    ],
)
def test_metadata_filters(served: Served, name: str, how: dict[str, Any], found: str):
    assert served.by(on_metadata(name), **how) == found


@pytest.mark.parametrize(
    ("question", "what", "how", "found"),
    [
        ("label", "value", {"values": ["lease", "nda"]}, "ab"),
        ("label", "value", {"values": ["claim"]}, ""),
        ("labels", "value", {"values": ["claim", "nda"]}, "bc"),
        ("stars", "value", {"values": ["2"]}, "a"),
        ("stars", "value", {"ge": 2}, "ac"),
        ("stars", "value", {"le": 4}, "a"),
        ("note", "value", {"values": ["see page 3"]}, "c"),
        ("label", "score", {"values": ["0.5"]}, "a"),
        ("label", "score", {"values": ["0.50"]}, "a"),
        ("stars", "score", {"values": ["0"]}, "c"),
        ("label", "score", {"ge": 0.25, "le": 0.3}, "b"),
        ("label", "score", {"le": 0.5}, "ab"),
        ("labels", "score", {"ge": 0.9}, "b"),
        ("label", "agent", {"values": ["teacher", "anna"]}, "ab"),
        ("label", "agent", {"values": ["john"]}, ""),
        ("label", "type", {"values": ["human"]}, "b"),
    ],
)
def test_suggestion_filters(served: Served, question: str, what: str, how: dict[str, Any], found: str):
    assert served.by(on_suggestion(question, what), **how) == found


@pytest.mark.parametrize(
    ("statuses", "anybody", "first"),
    [
        (["pending"], "f", "ef"),
        (["draft"], "ce", "c"),
        (["submitted"], "ab", "ab"),
        (["discarded"], "d", "d"),
        (["pending", "draft"], "cef", "cef"),
        (["submitted", "discarded"], "abd", "abd"),
        (["pending", "draft", "discarded"], "cdef", "cdef"),
    ],
)
def test_response_status_of_anybody_and_of_oneself(served: Served, statuses: list[str], anybody: str, first: str):
    assert served.by(STATUS, values=statuses) == anybody
    assert served.by(STATUS, 0, values=statuses) == first


@pytest.mark.parametrize(
    ("question", "how", "anybody", "second"),
    [
        ("label", {"values": ["nda"]}, "ab", "a"),
        ("label", {"values": ["claim"]}, "c", ""),  # a draft's, too
        ("labels", {"values": ["claim"]}, "b", ""),
        ("stars", {"values": ["4", "2"]}, "abe", "ae"),
        ("stars", {"ge": 2, "le": 4}, "abe", "ae"),
        ("stars", {"le": 1}, "a", ""),
        ("note", {"values": ["so"]}, "b", ""),
    ],
)
def test_response_values_of_anybody_and_of_oneself(
    served: Served, question: str, how: dict[str, Any], anybody: str, second: str
):
    assert served.by(on_response(question), **how) == anybody
    assert served.by(on_response(question), 1, **how) == second


def test_record_filters(served: Served):
    assert served.by(on_record("status"), values=["completed"]) == "ab"
    assert served.by(on_record("external_id"), values=["a", "f", "zz"]) == "af"
    assert served.by(on_record("external_id"), ge="e") == "ef"
    assert served.by(on_record("id"), values=[served.records["c"]]) == "c"
    times = {r["record"]["external_id"]: r["record"]["inserted_at"] for r in served.search()["items"]}
    for name in ("inserted_at", "updated_at"):
        assert served.by(on_record(name), ge=times["a"]) == "abcdef"
    assert served.by(on_record("inserted_at"), ge=times["c"]) == "cdef"
    assert served.by(on_record("inserted_at"), ge=times["b"], le=times["d"]) == "bcd"
    assert served.by(on_record("inserted_at"), values=[times["b"]]) == "b"
    assert served.by(on_record("inserted_at"), le=times["a"][:10]) == "abcdef"  # that whole day
    assert served.by(on_record("inserted_at"), le="2020-01-01") == ""


def test_all_of_several_conditions_must_hold_and_the_text_too(served: Served):
    both = {"and": [condition(on_metadata("kind"), values=["letter"]), condition(on_response("stars"), ge=4)]}
    assert "".join(sorted(served.found(filters=both))) == "ab"
    assert served.found(1, filters=both) == "a"
    assert served.found(filters=both, query={"text": {"q": "cancelled"}}) == "b"
    none = {"and": [*both["and"], condition(on_record("status"), values=["pending"])]}
    assert served.found(filters=none) == ""


@pytest.mark.parametrize(
    ("scope", "up", "down"),
    [
        (on_record("inserted_at"), "abcdef", "fedcba"),
        (on_record("external_id"), "abcdef", "fedcba"),
        (on_metadata("pages"), "eabcdf", "dcbaef"),  # without a value: last, both ways
        (on_metadata("weight"), "badcef", "cdabef"),
        (on_metadata("kind"), "dabcef", "bcadef"),  # a list by its smallest, by its largest
        (on_suggestion("label", "score"), "bacdef", "abcdef"),
        (on_suggestion("labels", "score"), "bcadef", "bcadef"),
        (on_suggestion("label"), "abcdef", "bacdef"),
        (on_suggestion("stars"), "acbdef", "cabdef"),
        (on_suggestion("label", "agent"), "bacdef", "abcdef"),
        (on_suggestion("label", "type"), "bacdef", "abcdef"),
        (on_response("stars"), "eabcdf", "baecdf"),  # a: (1 + 4) / 2
        (on_response("label"), "cabdef", "abcdef"),
    ],
)
def test_every_sort_goes_both_ways(served: Served, scope: dict[str, Any], up: str, down: str):
    assert (served.sorted_by(scope, "asc"), served.sorted_by(scope, "desc")) == (up, down)


def test_sorts_follow_one_another_and_a_response_sort_is_about_oneself(served: Served):
    first = {"scope": on_record("status"), "order": "asc"}
    second = {"scope": on_record("inserted_at"), "order": "desc"}
    assert served.found(sort=[first, second]) == "bafedc"
    assert served.sorted_by(on_response("stars"), "asc", 1) == "eabcdf"
    assert served.sorted_by(STATUS, "asc", 0) == "dcabef"


@pytest.mark.parametrize(("offset", "limit"), [(0, 2), (2, 2), (4, 10), (6, 1)])
@pytest.mark.parametrize("who", [None, 0])
@pytest.mark.parametrize("query", [{}, {"query": {"text": {"q": "payment | café | договор"}}}])
def test_pages_are_cuts_of_one_stable_order(
    served: Served, who: int | None, query: dict[str, Any], offset: int, limit: int
):
    whole = [i["record"]["id"] for i in served.search(who, **query)["items"]]
    page = served.search(who, offset, limit, **query)
    assert [i["record"]["id"] for i in page["items"]] == whole[offset : offset + limit]
    assert page["total"] == len(whole) == 6


def test_progress_counts_records_and_each_ones_own_answers(served: Served):
    progress = served.call("GET", f"/datasets/{served.id}/progress")
    assert (progress["total"], progress["completed"], progress["pending"]) == (6, 2, 4)
    mine = [c.get(f"/me/datasets/{served.id}/metrics").json()["responses"] for c in served.reviewers]
    assert [(m["submitted"], m["draft"], m["discarded"], m["pending"]) for m in mine] == [(2, 1, 1, 2), (1, 1, 0, 4)]


def test_metadata_metrics_are_what_the_records_hold(served: Served):
    listed = served.call("GET", f"/me/datasets/{served.id}/metadata-properties")["items"]
    metrics = {p["name"]: served.call("GET", f"/metadata-properties/{p['id']}/metrics") for p in listed}
    terms = {v["term"]: v["count"] for v in metrics["kind"]["values"]}
    assert (metrics["kind"]["total"], terms) == (5, {"letter": 2, "scan": 1, "mail": 1, "2": 1})
    assert metrics["kind"]["values"][0]["term"] == "letter"
    assert (metrics["pages"]["min"], metrics["pages"]["max"]) == (0, 2**60 + 1)
    assert (metrics["weight"]["min"], metrics["weight"]["max"]) == (-1.5, 20020.13)


def like(**how: Any) -> dict[str, Any]:
    return {"vector": {"name": "meaning", **how}}


def test_vectors_find_the_most_and_the_least_similar(served: Served):
    assert served.found(query=like(value=[1.0, 0.0, 0.0])) == "abcd"
    assert served.found(query=like(value=[1.0, 0.0, 0.0], order="least_similar")) == "dcba"
    assert served.found(query=like(record_id=served.records["a"])) == "bcd"
    assert served.found(0, query=like(record_id=served.records["a"])) == "bcd"
    scores = [i["query_score"] for i in served.search(query=like(value=[1.0, 0.0, 0.0]))["items"]]
    assert scores[0] == pytest.approx(1.0) and scores[-1] == pytest.approx(0.0) and scores[2] == pytest.approx(0.5)


def test_a_similarity_search_may_be_narrowed_and_cut(served: Served):
    near = like(value=[1.0, 0.0, 0.0])
    assert served.found(query=near, filters={"and": [condition(on_metadata("kind"), values=["letter"])]}) == "ab"
    assert served.found(0, query=near, filters={"and": [condition(STATUS, values=["draft"])]}) == "c"
    assert served.found(query={**near, "text": {"q": "payment -card"}}) == "d"
    assert served.found(query={**near, "text": {"q": "nothing"}}) == ""
    assert served.found(limit=1, query=near) == "a"
    assert served.search(offset=1, limit=2, query=near)["items"][0]["record"]["external_id"] == "b"
    without = served.owner.post(
        f"/datasets/{served.id}/records/search", json={"query": like(record_id=served.records["f"])}
    )
    assert without.status_code == 422 and "does not have a vector" in without.text


@pytest.mark.parametrize("who", [0, 1])
def test_every_question_comes_back_as_it_was_answered(served: Served, who: int):
    include = {"include": ["responses", "suggestions"]}
    path = f"/datasets/{served.id}/records/search"
    found = served.owner.post(path, json={}, params=include).json()["items"]
    [b] = [i["record"] for i in found if i["record"]["external_id"] == "b"]
    [answered] = b["responses"]
    assert answered["values"]["parts"]["value"] == [{"start": 0, "end": 2, "label": "nda"}]
    assert [r["value"] for r in answered["values"]["order"]["value"]] == ["nda", "claim", "lease"]
    mine = served.reviewers[who].post(f"/me{path}", json={}, params=include).json()["items"]
    counts = {i["record"]["external_id"]: len(i["record"].get("responses", ())) for i in mine}
    assert sum(counts.values()) == (4, 2)[who]  # nobody sees another's answers
