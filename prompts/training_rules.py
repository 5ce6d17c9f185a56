"""The part of `task.yaml` on training: when there is enough to train on. Strict, as `prompts.definition`."""

from pydantic import Field

from prompts.document_rules import Section


class Training(Section):
    """When there is enough to train: corrections in all, and new ones since the last dataset version."""

    min_corrections: int = Field(default=100, ge=1)
    min_new_corrections: int = Field(default=50, ge=0)
