"""The review desk: one Argilla server as its owner sees it, with a board (an Argilla dataset) for each task.

    desk = Desk.connect("http://127.0.0.1:6900", api_key=owner.api_key, workspace="retort")
    board = desk.ensure("legal_intake", choice_form(labels), guidelines, labels, reviewers_per_document=2)
    board.send(records, texts); board.fetch(since); board.progress()          (see `review.board`)

The same code speaks to the embedded server and to a team's Argilla with Elasticsearch. All that goes wrong on the way
is a ServiceError; a board that was made for other labels is an InputError.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from records.errors import InputError
from review import evidence, page, sdk
from review.board import Board
from review.form import Form
from review.guidelines import whole_guidelines
from review.kept import Column

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
        dataset = self.dataset(task)
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
        columns: Sequence[Column] = (),
    ) -> Board:
        """The task's board, made when missing, its guidelines and number of reviewers brought up to date.

        `labels` (name -> description) are listed below the guidelines. What people answered stays as it is.
        `above`: texts that a record shows above its document (name -> title). `columns`: what is known of documents and
        can be filtered and sorted by; a board from before gets what it lacks, its records stay as they are.
        """
        text = whole_guidelines(guidelines, labels or {})
        board = self.find(task, form)
        if board is None:
            self.make(task, form, text, reviewers_per_document, above, columns)
            board = self.find(task, form)
            assert board is not None
        self._refresh(board.id, text, reviewers_per_document)
        self._extend(board, columns)
        return board

    def dataset(self, task: str) -> dict[str, Any] | None:
        """The Argilla dataset of this name in the desk's workspace, ready or not; None where there is none."""
        return next((d for d in self._datasets() if d["name"] == task), None)

    def names(self) -> set[str]:
        """The names of all Argilla datasets in the desk's workspace."""
        return {d["name"] for d in self._datasets()}

    def _datasets(self) -> list[dict[str, Any]]:
        workspace = str(self._workspace().id)
        found: list[dict[str, Any]] = self.call("GET", "/me/datasets", params={"workspace_id": workspace})["items"]
        return found

    def _workspace(self) -> Any:
        with sdk.speaking_to(self.url):
            return self.client.workspaces(self.workspace)

    def make(
        self,
        task: str,
        form: Form,
        guidelines: str,
        reviewers: int,
        above: Mapping[str, str] | None = None,
        columns: Sequence[Column] = (),
    ) -> None:
        """Make a board of this name, published and empty. `guidelines`: the whole of them; the rest as in `ensure`."""
        draft = self.dataset(task)  # what a killed run left: never published, so without records
        if draft:
            self.call("DELETE", f"/datasets/{draft['id']}")
        argilla = sdk.load()
        with sdk.speaking_to(self.url):
            settings = page.settings(argilla, self.client, form, guidelines, reviewers, above or {}, columns)
            argilla.Dataset(name=task, workspace=self._workspace(), settings=settings, client=self.client).create()

    def _refresh(self, board_id: str, guidelines: str, reviewers: int) -> None:
        now = self.call("GET", f"/datasets/{board_id}")
        wanted = {"guidelines": guidelines, "distribution": {"strategy": "overlap", "min_submitted": reviewers}}
        changed = {key: value for key, value in wanted.items() if now[key] != value}
        if changed:
            self.call("PATCH", f"/datasets/{board_id}", changed)

    def _extend(self, board: Board, columns: Sequence[Column]) -> None:
        for wanted in page.properties(columns):
            if wanted["name"] not in board.properties:
                self.call("POST", f"/datasets/{board.id}/metadata-properties", wanted)
                board.properties.add(wanted["name"])


def asked_for(form: Form) -> dict[str, list[str]]:
    """A form's questions, with the values that may be chosen."""
    return {q.name: sorted(q.wording.options) for q in form.questions}


def asked_of(questions: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The same of a board's questions, less those that are no part of the answer."""
    answered = [q for q in questions if q["name"] != evidence.NAME]
    return {q["name"]: sorted(o["value"] for o in q["settings"].get("options", ())) for q in answered}


def _check_same(task: str, form: Form, asked: list[dict[str, Any]]) -> None:
    wanted, found = asked_for(form), asked_of(asked)
    if wanted == found:
        return
    raise InputError(
        f"the review desk's board {task!r} was made for other questions or labels: it has {found}, the task asks "
        f"for {wanted}. `retort label` and `retort collect` move it, with all answers (`review.moving`)."
    )
