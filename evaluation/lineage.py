"""From what a student came, and what judged it. Grain: one per verdict; it stands in the verdict's report.

Lineage(task="mail", title="Mail", student_hash="9f2c...", dataset_version=4, reviewers={"ana": 152}, ...)
"""

from datetime import datetime

from pydantic import Field

from records.types import Record, now


class Lineage(Record):
    """From what the student came, and what judged it. `versions`: of the software, by package; `reviewers`: how many
    test documents each answered. The prompt is the student's, `teacher_prompt` the teacher's.
    """

    task: str
    title: str
    student_hash: str
    dataset_version: int | None = None
    dataset_hash: str = ""
    dataset_rows: dict[str, int] = Field(default_factory=dict)
    dataset_sources: dict[str, int] = Field(default_factory=dict)
    reviewers: dict[str, int] = Field(default_factory=dict)
    task_fingerprint: str = ""
    teacher_prompt: str = ""
    prompt_fingerprint: str = ""
    base_model: str = ""
    recipe: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    made_at: datetime = Field(default_factory=now)
