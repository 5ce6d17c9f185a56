"""What `task.yaml` says of documents: how they are cut, found in logs, masked, and which examples go with them.

A part of `prompts.definition`, which has the whole of `task.yaml`.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

Share = Annotated[float, Field(ge=0, le=1)]
Price = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Base of all sections: immutable, strict types, an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Kept(Section):
    """A column that is kept, and what is in it: `as: number` and `as: date` (ISO 8601) can be sorted on the desk."""

    name: str = Field(min_length=1, max_length=100)
    as_: Literal["text", "number", "date"] = Field(default="text", alias="as")


def _template(link: str) -> str:
    if not _LINK.fullmatch(link):
        raise ValueError(
            "wanted http(s)://HOST/... with one {path} or one {id} after the host, and no spaces or quotes"
        )
    return link


_LINK = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?/"
    r"[A-Za-z0-9/?#%&=+~:@!*(),;._-]*\{(path|id)\}[A-Za-z0-9/?#%&=+~:@!*(),;._-]*"
)
_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Kept = Annotated[
    Annotated[_Name, Tag("plain")] | Annotated[Kept, Tag("column")],
    Discriminator(lambda given: "column" if isinstance(given, dict | Kept) else "plain"),
]


class DocumentRules(Section):
    """How a document is put into the prompt. A longer text is cut there, alike for teacher, student and gateway.

    `max_characters` keeps the beginning. `max_tokens` in its place counts in tokens of the student's tokenizer and
    keeps the beginning and the end, with a line `[...]` between them; `keep_tail` is the end's share of them.
    `label_near_duplicates_once` asks the teacher for one document of those that are nearly alike, and copies the
    answer to the others; the test split is always asked in full. For choices only.
    `keep`: columns that are kept beside a document as it arrives, such as a sender or `{name: received, as: date}`.
    Reviewers read them below the document, and filter and sort by them; what is no number or date is only read.
    `link`: where reviewers open the file itself, such as `https://files.example/letters/{path}`: `{path}` is the file's
    path below the folder that was read, `{id}` the owner's own id. What has none, or one with `..`, goes without.
    """

    max_characters: int = Field(default=8_000, ge=50, le=1_000_000)
    max_tokens: int | None = Field(default=None, ge=20, le=1_000_000)
    keep_tail: float = Field(default=0.25, ge=0, le=0.9)
    label_near_duplicates_once: bool = False
    keep: list[_Kept] = Field(default=[], max_length=20)
    link: Annotated[str, Field(max_length=500), AfterValidator(_template)] | None = None

    @property
    def columns(self) -> list[Kept]:
        """What is kept, each as an object."""
        return [Kept(name=one) if isinstance(one, str) else one for one in self.keep]


class Logs(Section):
    """How documents are read from production logs (`prompts.logs` says which).

    `pattern`: a regular expression with one group, which is the document, looked for in each logged message, the last
    first. `model`: take only what this model answered. `answers_as_labels`: the logged answer is kept as a teacher's
    label, to be reviewed. `ask_teacher`: false spares the teacher what has such a label, but for the test split.
    """

    pattern: str = Field(min_length=1, max_length=2_000)
    model: str | None = None
    answers_as_labels: bool = False
    ask_teacher: bool = True


class Redact(Section):
    """What is masked before a document leaves for a host that is not allowed: every match of `pattern`.

    `pattern` is a regular expression (of the `regex` package; case counts unless it begins `(?i)`). A match becomes
    `[NAME_1]`, `[NAME_2]`..., the same words the same number within a document. `mask` puts this text in its place
    instead, the same for all, which cannot be turned back in a json answer.
    """

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")
    pattern: str = Field(min_length=1, max_length=1_000)
    mask: str | None = Field(default=None, max_length=64)


class Retrieval(Section):
    """Examples chosen for each document out of what people corrected, in place of the fixed `examples`.

    `count` nearest ones, at most `per_label` of a label as long as other labels are left (a small teacher does better
    with more of a label: `benchmarks/README.md` has the figures), each cut at `max_characters`. `by`: `tfidf` (words,
    free), or an embedding model as a LiteLLM string (`provider/name`) with its address, key and `price` in US dollars
    per million tokens (None: LiteLLM's table). The pool is frozen when `retort label --refresh-examples` says so; until
    then the fixed examples are shown. `pool`: a version; None: the newest.
    """

    count: int = Field(default=6, ge=1, le=100)
    by: str = Field(default="tfidf", pattern=r"^(tfidf|\S+/\S+)$")
    per_label: int = Field(default=2, ge=1, le=100)
    max_characters: int = Field(default=1_000, ge=50, le=20_000)
    pool: int | None = Field(default=None, ge=1)
    api_base: str | None = Field(default=None, pattern=r"^https?://\S+$")
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    price: Price | None = None
