"""Where a long document is cut: its beginning, a line `[...]`, and its end, in tokens of the student's tokenizer.

Contracts name the parties at the beginning and the law and signatures at the end; what is cut out is the middle. The
rule is a pure function of the text, the numbers in `task.yaml` and the tokenizer, so that teacher, student, gate and
gateway see the same bytes. The result, marker and all, has `most` tokens at most.

A text of more than 16 characters a token is too long whatever it says, and only its ends are looked at: a book takes as
long as a letter that is a little too long.
"""

import functools

from prompts.tokenizer import Tokens, tokenizer_of

MARKER = "\n[...]\n"
_WIDTH = 8
"""Characters a token that are looked at, at each end; English has between 4 and 5."""
_KEPT = 20_000
"""Texts of up to so many characters are cut once and remembered: a document is rendered two to four times."""


def cut_to_tokens(text: str, base_model: str, most: int, keep_tail: float) -> str:
    """The text, or its ends. `most`: tokens of the base model's tokenizer; `keep_tail`: the end's share, 0..0.9.

    Raises InputError where the tokenizer cannot be found.
    """
    tokens = tokenizer_of(base_model)
    if tokens.surely_fits(text, most):
        return text
    return (_remembered if len(text) <= _KEPT else _cut)(text, tokens, most, keep_tail)


def _cut(text: str, tokens: Tokens, most: int, keep_tail: float) -> str:
    width = _WIDTH * most
    after = max(0, len(text) - width)
    if after <= width:
        heads = tails = tokens.spans(text)
        after = 0
        if len(heads) <= most:
            return text
    else:
        heads, tails = tokens.spans(text[:width]), tokens.spans(text[after:])
    room = most - len(tokens.spans(MARKER))
    tail = round(room * keep_tail)
    head = room - tail
    while True:
        begins = text[: heads[min(head, len(heads)) - 1][1]] if head else ""
        ends = text[after + tails[-min(tail, len(tails))][0] :] if tail else ""
        found = begins.rstrip() + MARKER + ends.lstrip()
        over = len(tokens.spans(found)) - most  # what meets at the marker may have become other tokens
        if over <= 0:
            return found.strip()
        head, tail = (head - over, tail) if head > over else (head, max(0, tail - over))


_remembered = functools.lru_cache(maxsize=512)(_cut)
