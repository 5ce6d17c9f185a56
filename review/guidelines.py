"""The guidelines that reviewers see beside every document: the task's own text, what each label means, the keys.

Argilla tells its keys on a page of its settings, where no reviewer looks. The table here is what its form does, each
line tried in the browser by a test.
"""

from collections.abc import Mapping

_NONE = "Read the document, then answer. Correct the suggestion where it is wrong."
_KEYS = """\
## Keys

| key | what it does |
|---|---|
| `1` `2` ... | choose the label with this number (two digits: quickly one after the other) |
| a letter | search the labels, where there are many; `Tab` goes to what was found, `Space` chooses it |
| `Enter` | submit, and go to the next document |
| `Backspace` | discard: not a document to answer |
| `Ctrl` + `S` | save as a draft, to finish later (`Cmd` + `S` on a Mac) |
| `→` `←` | next document, document before |
| `↓` `↑` | next field, field before, where there are several |
| `Shift` + `Enter`, `Esc` | into a text box, out of it |

The keys work once a label or field is active: click into the form, or press `Tab`."""
_HERE = """\
## On this page

A number beside a star is how sure the model is, from 0 to 1. A document without a star has no suggestion on purpose:
what you say of it is what models are measured by. The three dots at a document's corner tell why it is here.
An answer can be changed at any time: choose **Submitted** in place of **Pending** above the document."""


def whole_guidelines(text: str, labels: Mapping[str, str]) -> str:
    """Markdown: the task's guidelines, then a list of the labels with their descriptions, then how the page is used."""
    parts = [text.strip() or _NONE]
    if labels:
        parts.append("## Labels")
        parts.append("\n".join(f"- **{name.replace('_', ' ')}**: {said}".rstrip(": ") for name, said in labels.items()))
    return "\n\n".join([*parts, _KEYS, _HERE]) + "\n"
