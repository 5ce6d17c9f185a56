"""The guidelines that reviewers see beside every document: the task's own text, what each label means, the keys.

Argilla tells its keys on a page of its settings, where no reviewer looks. The table here is what its form does, each
line tried in the browser by a test.
"""

from collections.abc import Mapping

_NONE = "Read the document, then answer. Correct the suggestion where it is wrong."
_CHOICE_KEYS = """\
## Keys

| key | what it does |
|---|---|
| `Enter` | submit what is chosen, and go to the next document: so a suggestion is accepted |
{numbers}
| the number of the label that is chosen | take it off, and submit nothing: a suggestion is accepted by `Enter` |
| `Backspace` | discard: not a document to answer |
| `Ctrl` + `S` | save as a draft, to finish later (`Cmd` + `S` on a Mac) |
| `→` `←` | next document, document before |"""
_FEW = "| `1` `2` ... | choose the label with this number **and submit at once** |"
_MANY = """\
| `2` ... `9`, `10` ... | choose the label with this number **and submit at once** (two digits: quickly) |
| `1`, which begins `10` too | choose it after a moment; then `Enter` |"""
_SEARCH = "| a letter | search the labels; `Tab` goes to what was found, `Space` chooses it, `Enter` submits |"
_TYPED = 15  # from so many labels on Argilla's form has a box to search them
_FIELD_KEYS = """\
## Keys

| key | what it does |
|---|---|
| `↓` `↑` | next field, field before |
| `Shift` + `Enter` | into the field's text box, to change it; `Esc` leaves it |
| `1` `2` ... | choose the label with this number, where the field has labels |
| `Enter` | submit all fields, and go to the next document |
| `Backspace` | discard: not a document to answer |
| `Ctrl` + `S` | save as a draft, to finish later (`Cmd` + `S` on a Mac) |
| `→` `←` | next document, document before |"""
_HERE = """\
## On this page

A number beside a star is how sure the model is, from 0 to 1. A document without a star has no suggestion, mostly on
purpose: models are measured by what you say of it. A reason below a document was written by the model: it may be wrong
as its suggestion may. The three dots at a document's corner, then **View metadata**, tell why it is here; **Filters**,
then **Metadata**, and **Sort** go by the same. An answer can be changed at any time: choose **Submitted** in place of
**Pending** above the document."""
_MARKS = """
Words with a colour in the document are where a suggested value was found; look there first. A value without any was
not found word for word."""


def whole_guidelines(text: str, labels: Mapping[str, str]) -> str:
    """Markdown: the task's guidelines, a list of the labels with their descriptions, how the page is used.

    `labels`: name -> description; empty where an answer has fields.
    """
    parts = [text.strip() or _NONE]
    if any(labels.values()):  # 77 names without a word on any tell nothing that the form does not
        parts.append("## Labels")
        parts.append("\n".join(f"- **{name.replace('_', ' ')}**: {said}".rstrip(": ") for name, said in labels.items()))
    page = (_choice_keys(len(labels)), _HERE) if labels else (_FIELD_KEYS, _HERE + _MARKS)
    return "\n\n".join([*parts, *page]) + "\n"


def _choice_keys(labels: int) -> str:
    """A number that begins others is waited for, and then not submitted: so with `1` from ten labels on."""
    numbers = [_MANY if labels > 9 else _FEW, *([_SEARCH] if labels >= _TYPED else [])]
    return _CHOICE_KEYS.format(numbers="\n".join(numbers))
