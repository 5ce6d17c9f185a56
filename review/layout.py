"""What an Argilla dataset asks and shows (fields, questions, metadata, vectors, rules), made anew in another Argilla.

Used by `review.move`. A dataset of the same name that asks the same is taken as it is; one that a killed move left
unpublished, and so without records, is made anew; one that asks something else is refused.
"""

from typing import Any, Protocol

from records.errors import InputError

_METADATA = "metadata-properties"
_PARTS = {  # path -> what Argilla wants to make one
    "fields": ("name", "title", "required", "settings"),
    "questions": ("name", "title", "description", "required", "settings"),
    _METADATA: ("name", "title", "settings", "visible_for_annotators"),
    "vectors-settings": ("name", "title", "dimensions"),
}
_RULES = ("name", "guidelines", "allow_extra_metadata", "distribution", "metadata")


class Side(Protocol):
    """One of the two Argillas."""

    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the JSON of its answer."""

    def listed(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """The items of a list."""


def copy(source: Side, target: Side, dataset: dict[str, Any], workspace: str) -> str:
    """The id of the dataset at the target, made and published when it is missing. Raises InputError when it differs."""
    wanted = {path: _part(source, dataset["id"], path) for path in _PARTS}
    there = next(
        (d for d in target.listed("/me/datasets", workspace_id=workspace) if d["name"] == dataset["name"]), None
    )
    if there and there["status"] == "ready":
        found = {path: _part(target, there["id"], path) for path in _PARTS}
        lacking = _lacking(wanted[_METADATA], found[_METADATA])
        found[_METADATA] += lacking
        if _asked(wanted) != _asked(found):
            raise InputError(
                f"{target.url} has a dataset {dataset['name']!r} that asks something else: rename one of the two."
            )
        for one in lacking:
            target.call("POST", f"/datasets/{there['id']}/{_METADATA}", one)
        return str(there["id"])
    if there:
        target.call("DELETE", f"/datasets/{there['id']}")
    id_ = str(target.call("POST", "/datasets", _given(dataset, _RULES) | {"workspace_id": workspace})["id"])
    for path, parts in wanted.items():
        for part in parts:
            target.call("POST", f"/datasets/{id_}/{path}", part)
    target.call("PUT", f"/datasets/{id_}/publish")
    return id_


def same_names(source: Side, target: Side, dataset: str, copied: str) -> dict[str, str]:
    """Ids of questions at the source -> ids of the questions of the same names at the target."""
    there = {one["name"]: one["id"] for one in target.listed(f"/datasets/{copied}/questions")}
    return {one["id"]: there[one["name"]] for one in source.listed(f"/datasets/{dataset}/questions")}


def _lacking(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the source has come to tell of its records since an earlier move. Answers do not depend on it."""
    known = {one["name"] for one in found}
    return [one for one in wanted if one["name"] not in known]


def _part(side: Side, dataset: str, path: str) -> list[dict[str, Any]]:
    place = f"/me/datasets/{dataset}/{path}" if path == _METADATA else f"/datasets/{dataset}/{path}"
    return [_given(one, _PARTS[path]) for one in side.listed(place)]


def _given(one: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Without what Argilla says of a thing but does not take when it is made, and without empty values."""
    return {name: _without_nothing(one[name]) for name in names if one.get(name) is not None}


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(one) for key, one in value.items() if one is not None}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value


def _asked(parts: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What must be the same for answers to fit: names, kinds, and the values to choose from."""
    found = {}
    for path, items in parts.items():
        for one in items:
            settings = one.get("settings", {})
            options = sorted(str(option["value"]) for option in settings.get("options", ()))
            found[f"{path}/{one['name']}"] = {"type": settings.get("type"), "options": options}
    return found
