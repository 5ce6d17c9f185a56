"""Together and Fireworks, as far as a training needs them: files, a job, its state, the model's name for LiteLLM.

Routes and fields by docs.together.ai/reference (files, fine-tunes) and docs.fireworks.ai/api-reference (datasets,
supervisedFineTuningJobs). A recipe's settings are translated where the provider has the knob; the others are its own.

    | recipe               | Together           | Fireworks                  |
    |----------------------|--------------------|----------------------------|
    | num_epochs           | n_epochs           | epochs                     |
    | learning_rate        | learning_rate      | learningRate               |
    | lora_r               | training_type      | loraRank                   |
    | lora_alpha, _dropout | training_type      | -                          |
    | rows a step          | batch_size         | batchSizeSamples           |
    | warmup_ratio, weight_decay, max_grad_norm | the same | -               |
    | sequence_len         | -                  | maxContextLength           |
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from records.errors import InputError
from records.types import Record
from training.hosted_wire import Wire

ADDRESSES = {"together": "https://api.together.xyz/v1", "fireworks": "https://api.fireworks.ai"}
_NANO = 1e9
_TOGETHER_FAILED = ("error", "user_error", "cancelled")


class Look(Record):
    """What the provider says of a job. `done`: True trained, False failed, None neither yet."""

    said: str
    done: bool | None
    percent: int | None = None
    model: str | None = None
    cost_usd: float | None = None
    error: str | None = None


class Provider(Protocol):
    """What `training.hosted` needs. `name` is unique to the job: by it a thing is found again whose id was lost."""

    def find_file(self, name: str) -> str | None:
        """The id of a whole file of this name that is there already."""

    def upload(self, name: str, path: Path) -> str:
        """Upload; the file's id."""

    def price(self, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> float | None:
        """US dollars that the job will cost; None where the provider does not say before it starts."""

    def find_job(self, name: str) -> str | None:
        """The id of a job of this name that was started already."""

    def start(self, name: str, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> str:
        """Start the job; its id."""

    def look(self, id_: str) -> Look:
        """How far it is."""


class Together:
    """api.together.xyz. A job is found again by the suffix that its model's name ends with."""

    def __init__(self, wire: Wire) -> None:
        """The wire to it."""
        self._wire = wire

    def find_file(self, name: str) -> str | None:
        """By its name, in the list of all."""
        files = self._wire.get("/files").get("data", [])
        return next((str(one["id"]) for one in files if one.get("filename") == name), None)

    def upload(self, name: str, path: Path) -> str:
        """POST /files/upload."""
        form = {"purpose": "fine-tune", "file_name": name, "file_type": "jsonl"}
        return str(self._wire.upload("/files/upload", name, path, form)["id"])

    def price(self, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> float | None:
        """POST /fine-tunes/estimate-price."""
        asked = self._body(files, settings, base_model)
        wanted = (
            "training_file",
            "validation_file",
            "model",
            "n_epochs",
            "n_evals",
            "training_type",
            "training_method",
        )
        told = self._wire.post("/fine-tunes/estimate-price", {k: v for k, v in asked.items() if k in wanted})
        found = told.get("estimated_total_price")
        return None if found is None else float(found)

    def find_job(self, name: str) -> str | None:
        """By the suffix, in the list of all."""
        jobs = self._wire.get("/fine-tunes").get("data", [])
        mine = (one for one in jobs if name in str(one.get("suffix") or one.get("model_output_name") or ""))
        return next((str(one["id"]) for one in mine if one.get("status") not in _TOGETHER_FAILED), None)

    def start(self, name: str, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> str:
        """POST /fine-tunes."""
        return str(self._wire.post("/fine-tunes", {**self._body(files, settings, base_model), "suffix": name})["id"])

    def look(self, id_: str) -> Look:
        """GET /fine-tunes/{id}; its price is in billionths of a dollar."""
        told = self._wire.get(f"/fine-tunes/{id_}")
        said, price = str(told.get("status", "")), told.get("total_price")
        output = told.get("model_output_name") or told.get("output_name")
        done = True if said == "completed" else False if said in _TOGETHER_FAILED else None
        events = [str(one.get("message", "")) for one in told.get("events") or []]
        return Look(
            said=said,
            done=done,
            model=f"together_ai/{output}" if output else None,
            cost_usd=None if price is None else price / _NANO,
            error=(events[-1:] or [said])[0] if done is False else None,
        )

    def _body(self, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> dict[str, Any]:
        adapter = {
            "type": "Lora",
            "lora_r": settings.get("lora_r", 8),
            "lora_alpha": settings.get("lora_alpha", 16),
            "lora_dropout": settings.get("lora_dropout", 0.0),
            "lora_trainable_modules": "all-linear",
        }
        body = {
            "model": base_model,
            "training_file": files["train"],
            "training_method": {"method": "sft", "train_on_inputs": False},
            "training_type": adapter if settings.get("adapter") else {"type": "Full"},
            "n_epochs": max(1, round(float(settings.get("num_epochs", 1)))),
            "batch_size": rows_a_step(settings),
        }
        same = ("learning_rate", "warmup_ratio", "weight_decay", "max_grad_norm")
        body |= {key: settings[key] for key in same if key in settings}
        checked = {"validation_file": files["validation"], "n_evals": 5} if "validation" in files else {}
        return body | checked


class Fireworks:
    """api.fireworks.ai. Data sets, jobs and models have the names that we give them."""

    def __init__(self, wire: Wire, account: str) -> None:
        """`account`: the account's id, under which all lies. Raises InputError without one."""
        if not account:
            raise InputError("training.hosted.provider: fireworks needs training.hosted.account, the account's id.")
        self._wire, self._account, self._root = wire, account, f"/v1/accounts/{account}"

    def find_file(self, name: str) -> str | None:
        """A data set of this name that is whole (READY)."""
        found = self._wire.get(f"{self._root}/datasets/{_slug(name)}", missing=None)
        return _slug(name) if found and found.get("state") == "READY" else None

    def upload(self, name: str, path: Path) -> str:
        """POST datasets, then datasets/{id}:upload; one that was made and not filled is filled."""
        slug = _slug(name)
        if self._wire.get(f"{self._root}/datasets/{slug}", missing=None) is None:
            with path.open("rb") as file:
                rows = sum(1 for _ in file)
            made = {"datasetId": slug, "dataset": {"userUploaded": {}, "exampleCount": str(rows)}}
            self._wire.post(f"{self._root}/datasets", made)
        self._wire.upload(f"{self._root}/datasets/{slug}:upload", name, path, {})
        return slug

    def price(self, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> float | None:
        """Fireworks says a cost when the job is made, not before."""
        return None

    def find_job(self, name: str) -> str | None:
        """By its name."""
        found = self._wire.get(f"{self._root}/supervisedFineTuningJobs/{name}", missing=None)
        return name if found else None

    def start(self, name: str, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str) -> str:
        """POST supervisedFineTuningJobs, with the name as its id."""
        body = {
            "dataset": f"accounts/{self._account}/datasets/{files['train']}",
            "baseModel": base_model,
            "outputModel": f"accounts/{self._account}/models/{name}",
            "displayName": name,
            "epochs": max(1, round(float(settings.get("num_epochs", 1)))),
            "batchSizeSamples": rows_a_step(settings),
        }
        same = {"learning_rate": "learningRate", "lora_r": "loraRank", "sequence_len": "maxContextLength"}
        body |= {theirs: settings[ours] for ours, theirs in same.items() if ours in settings}
        if "validation" in files:
            body["evaluationDataset"] = f"accounts/{self._account}/datasets/{files['validation']}"
        self._wire.post(f"{self._root}/supervisedFineTuningJobs?supervisedFineTuningJobId={name}", body)
        return name

    def look(self, id_: str) -> Look:
        """GET supervisedFineTuningJobs/{id}."""
        told = self._wire.get(f"{self._root}/supervisedFineTuningJobs/{id_}")
        said = str(told.get("state", "")).removeprefix("JOB_STATE_")
        done = True if said == "COMPLETED" else False if said in ("FAILED", "CANCELLED", "EXPIRED") else None
        cost = told.get("estimatedCost") or {}
        usd = float(cost.get("units") or 0) + float(cost.get("nanos") or 0) / _NANO
        return Look(
            said=said.lower(),
            done=done,
            percent=(told.get("jobProgress") or {}).get("percent"),
            model=f"fireworks_ai/{told['outputModel']}" if told.get("outputModel") else None,
            cost_usd=usd if cost else None,
            error=str((told.get("status") or {}).get("message") or said) if done is False else None,
        )


def rows_a_step(settings: Mapping[str, Any]) -> int:
    """How many rows a recipe trains on at a step of one device."""
    return int(settings.get("micro_batch_size", 8)) * int(settings.get("gradient_accumulation_steps", 1))


def _slug(name: str) -> str:
    """Fireworks' ids: small letters, digits and dashes."""
    return name.removesuffix(".jsonl").replace(".", "-").replace("_", "-").lower()
