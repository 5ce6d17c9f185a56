"""Strangers' texts, made harmless for a UI that takes them for HTML.

Argilla 2.8 puts a text field into the page as HTML: a document with `<img src=x onerror=...>` runs its script with the
reviewer's session, and `<name@firm.com>` disappears. Every `<` and `&` that could begin markup is therefore followed by
a word joiner (U+2060): invisible and of no width, and the browser shows the text as it is. Answers are read back
without it. Escaping (`&lt;`) would show in any UI that does not make this mistake, and in Argilla's own search.
"""

import re
from typing import Any

_JOINER = "\u2060"
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|&(?=[A-Za-z#])")
_JOINED = re.compile(rf"([<&]){_JOINER}")


def shown(text: Any) -> Any:
    """A text as it may be sent to the desk; what is no text stays as it is."""
    return _MARKUP.sub(lambda mark: mark[0] + _JOINER, text) if isinstance(text, str) else text


def original(words: Any) -> Any:
    """What a person entered, perhaps by editing a shown text, without our word joiners."""
    return _JOINED.sub(r"\1", words) if isinstance(words, str) else words
