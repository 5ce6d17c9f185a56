"""The guidelines that reviewers see beside every document: the task's own text, and what each label means."""

from collections.abc import Mapping

_NONE = "Read the document, then answer. Correct the suggestion where it is wrong."


def whole_guidelines(text: str, labels: Mapping[str, str]) -> str:
    """Markdown: the task's guidelines, then a list of the labels with their descriptions."""
    parts = [text.strip() or _NONE]
    if labels:
        parts.append("## Labels")
        parts.append("\n".join(f"- **{name.replace('_', ' ')}**: {said}".rstrip(": ") for name, said in labels.items()))
    return "\n\n".join(parts) + "\n"
