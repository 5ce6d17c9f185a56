"""The part of `task.yaml` on training: when, on what, by whom, watched by whom. Strict, as `prompts.definition`.

training:
  patience: 3                                    # stop early, by the validation split
  balance: oversample                            # rare labels up to most_repeats times
  sweep: {learning_rate: [0.0005, 0.001], lora_r: [8, 16]}
  tracking: {kind: mlflow, address: "http://10.1.2.3:5000"}
  hosted: {provider: together, api_key_env: TOGETHER_API_KEY}
"""

from typing import Annotated, Literal

from pydantic import Field

from prompts.document_rules import Price, Section

_Address = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=500)]
_KeyName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]


class Tracking(Section):
    """Where Axolotl tells of the training: TensorBoard's files beside the run, an MLflow server, or Weights & Biases.

    `address`: of MLflow (needed), or of a W&B server of one's own. `api_key_env` names the variable that holds the key.
    """

    kind: Literal["tensorboard", "mlflow", "wandb"]
    address: _Address | None = None
    project: str = Field(default="retort", min_length=1, max_length=128)
    api_key_env: _KeyName | None = None


class Sweep(Section):
    """What `retort train --sweep` tries, every combination of it, at most `most_trials`; left out: as in the recipe."""

    learning_rate: list[Annotated[float, Field(gt=0, le=1)]] = Field(default=[], max_length=20)
    lora_r: list[Annotated[int, Field(ge=1, le=1_024)]] = Field(default=[], max_length=20)
    num_epochs: list[Annotated[float, Field(gt=0, le=100)]] = Field(default=[], max_length=20)
    base_model: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(default=[], max_length=20)
    most_trials: int = Field(default=12, ge=1, le=500)


class Hosted(Section):
    """A provider that trains in Axolotl's place. Rows leave for it: refused where `privacy: self_hosted` forbids it.

    `account`: Fireworks' account id. `api_base`: another address than the provider's own. `poll_s`: seconds between
    two looks at the job. `budget_usd`: a job that the provider prices above it is not started (Together prices first).
    `input_price` and `output_price`: of asking the student, US dollars per million tokens, if LiteLLM knows none.
    """

    provider: Literal["together", "fireworks"]
    api_key_env: _KeyName
    account: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    api_base: _Address | None = None
    poll_s: float = Field(default=30.0, gt=0, le=3_600)
    budget_usd: Price | None = None
    input_price: Price | None = None
    output_price: Price | None = None

    @property
    def asked_at(self) -> str | None:
        """Where its students are asked; None: LiteLLM knows the provider's own address."""
        inner = "/inference/v1" if self.provider == "fireworks" else ""
        return f"{self.api_base.rstrip('/')}{inner}" if self.api_base else None


class Training(Section):
    """When there is enough to train: corrections in all, and new ones since the last dataset version; and how.

    `leaks`: what becomes of training rows that are nearly the same as a held-out document: the dataset is refused, or
    is built without them. `balance: oversample` repeats the rows of rare labels, `most_repeats` times at most.
    `patience`: end the training after so many evaluations on the validation split without a better loss; 0: never.
    """

    min_corrections: int = Field(default=100, ge=1)
    min_new_corrections: int = Field(default=50, ge=0)
    leaks: Literal["refuse", "leave_out"] = "refuse"
    balance: Literal["none", "oversample"] = "none"
    most_repeats: int = Field(default=3, ge=2, le=20)
    patience: int = Field(default=0, ge=0, le=100)
    tracking: Tracking | None = None
    sweep: Sweep | None = None
    hosted: Hosted | None = None
