"""The review desk: one Argilla server as its owner sees it, with a board (an Argilla dataset) for each task.

    desk = Desk.connect("http://127.0.0.1:6900", api_key=owner.api_key, workspace="retort")
    board = desk.ensure("legal_intake", choice_form(labels), guidelines, labels, reviewers_per_document=2)
    board.send(records, texts); board.fetch(since); board.progress()          (see `review.board`)

The same code speaks to the embedded server and to a team's Argilla with Elasticsearch. All that goes wrong on the way
is a ServiceError; a board that was made for other labels is an InputError.
"""

from collections.abc import Mapping
from typing import Any, Self

from records.errors import InputError
from review import sdk
from review.board import EXPECTED, WORTH, Board
from review.form import Form, Question
from review.guidelines import whole_guidelines

_SHARES = {EXPECTED: "How often answers this sure were right", WORTH: "Order of the queue (1: first)"}
_RETRIES = 2  # of a refused connection, in the SDK's transport: about a second


class Desk:
    """A connection to the desk. `client` is Argilla's own, for what this class does not offer."""

    def __init__(self, url: str, client: Any, workspace: str) -> None:
        """See `connect`."""
        self.url = url.rstrip("/")
        self.client = client
        self.workspace = workspace

    @classmethod
    def connect(cls, url: str, api_key: str, workspace: str, timeout_s: int = 60) -> Self:
        """Sign in with an API key; make the workspace when it is missing. Raises ServiceError."""
        sdk.check_key(url, api_key, timeout_s)
        argilla = sdk.load()
        with sdk.speaking_to(url):
            client = argilla.Argilla(api_url=url, api_key=api_key, timeout=timeout_s, retries=_RETRIES)
            if workspace not in {known.name for known in client.workspaces}:
                argilla.Workspace(name=workspace, client=client).create()
        return cls(url, client, workspace)

    def close(self) -> None:
        """Give the connection back."""
        self.client.http_client.close()

    def call(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """One request to Argilla's API (`path` below /api/v1); the JSON of its answer. Raises ServiceError."""
        with sdk.speaking_to(self.url):
            response = self.client.http_client.request(method, f"/api/v1{path}", json=body, params=params)
            response.raise_for_status()
            return response.json() if response.content else None

    def find(self, task: str, form: Form) -> Board | None:
        """The task's board, or None when there is none yet. Raises InputError when it was made for another form."""
        dataset = self._dataset(task)
        if dataset is None or dataset["status"] != "ready":
            return None
        board = Board(self, task, form, dataset["id"])
        _check_same(task, form, board.questions)
        return board

    def ensure(
        self,
        task: str,
        form: Form,
        guidelines: str,
        labels: Mapping[str, str] | None = None,
        reviewers_per_document: int = 1,
        above: Mapping[str, str] | None = None,
    ) -> Board:
        """The task's board, made when missing, its guidelines and number of reviewers brought up to date.

        `labels` (name -> description) are listed below the guidelines. What people answered stays as it is.
        `above`: texts that a record shows above its document (name -> title).
        """
        text = whole_guidelines(guidelines, labels or {})
        board = self.find(task, form)
        if board is None:
            self._make(task, form, text, reviewers_per_document, above or {})
            board = self.find(task, form)
            assert board is not None
        self._refresh(board.id, text, reviewers_per_document)
        return board

    def _dataset(self, task: str) -> dict[str, Any] | None:
        workspace = str(self._workspace().id)
        items = self.call("GET", "/me/datasets", params={"workspace_id": workspace})["items"]
        return next((d for d in items if d["name"] == task), None)

    def _workspace(self) -> Any:
        with sdk.speaking_to(self.url):
            return self.client.workspaces(self.workspace)

    def _make(self, task: str, form: Form, guidelines: str, reviewers: int, above: Mapping[str, str]) -> None:
        draft = self._dataset(task)  # what a killed run left: never published, so without records
        if draft:
            self.call("DELETE", f"/datasets/{draft['id']}")
        argilla = sdk.load()
        with sdk.speaking_to(self.url):
            settings = _settings(argilla, self.client, form, guidelines, reviewers, above)
            argilla.Dataset(name=task, workspace=self._workspace(), settings=settings, client=self.client).create()

    def _refresh(self, board_id: str, guidelines: str, reviewers: int) -> None:
        now = self.call("GET", f"/datasets/{board_id}")
        wanted = {"guidelines": guidelines, "distribution": {"strategy": "overlap", "min_submitted": reviewers}}
        changed = {key: value for key, value in wanted.items() if now[key] != value}
        if changed:
            self.call("PATCH", f"/datasets/{board_id}", changed)
        known = self.call("GET", f"/me/datasets/{board_id}/metadata-properties")["items"]
        for name in _SHARES.keys() - {one["name"] for one in known}:  # a board from before there was this one
            settings = {"type": "float", "min": 0.0, "max": 1.0}
            body = {"name": name, "title": _SHARES[name], "settings": settings, "visible_for_annotators": True}
            self.call("POST", f"/datasets/{board_id}/metadata-properties", body)


def _settings(argilla: Any, client: Any, form: Form, guidelines: str, reviewers: int, above: Mapping[str, str]) -> Any:
    shown = {**above, "document": "Document"}
    return argilla.Settings(
        guidelines=guidelines,
        fields=[argilla.TextField(name=n, title=t, use_markdown=False, client=client) for n, t in shown.items()],
        questions=[_question(argilla, client, question) for question in form.questions],
        metadata=[
            argilla.FloatMetadataProperty(name="confidence", title="Confidence", min=0.0, max=1.0, client=client),
            *(
                argilla.FloatMetadataProperty(name=name, title=title, min=0.0, max=1.0, client=client)
                for name, title in _SHARES.items()
            ),
            argilla.IntegerMetadataProperty(name="round", title="Round", client=client),
            argilla.TermsMetadataProperty(name="reason", title="Why it is here", client=client),
        ],
        distribution=argilla.TaskDistribution(min_submitted=reviewers),
    )


def _question(argilla: Any, client: Any, question: Question) -> Any:
    wording = question.wording
    common = {
        "name": question.name,
        "title": question.title,
        "description": wording.hint or None,
        "required": question.required,
        "client": client,
    }
    if wording.options:
        kind = {"label": argilla.LabelQuestion, "labels": argilla.MultiLabelQuestion}[wording.kind]
        return kind(labels=dict(wording.options), **common)
    return argilla.TextQuestion(use_markdown=False, **common)


def _check_same(task: str, form: Form, asked: list[dict[str, Any]]) -> None:
    wanted = {q.name: sorted(q.wording.options) for q in form.questions}
    found = {q["name"]: sorted(o["value"] for o in q["settings"].get("options", ())) for q in asked}
    if wanted == found:
        return
    raise InputError(
        f"the review desk's board {task!r} was made for other questions or labels: it has {found}, the task asks "
        f"for {wanted}. Argilla cannot change them: collect, then rename the task or delete the board in Argilla."
    )
