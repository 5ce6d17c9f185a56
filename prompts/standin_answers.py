"""What the stand-in says: an answer that depends on the document alone, or one that is none, in OpenAI's form.

Apart from `prompts.standin`, which listens, counts and draws the faults. Nothing here keeps anything.
"""

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from records.split import document_id

PAGE = "<html><body><h1>Welcome to the network</h1></body></html>"
"""What something that is no model server answers, with status 200."""
_NO_ANSWERS = {"garbage": "Well, that depends!", "not_json": '{"a": ', "empty": "", "content_filter": "", "refusal": ""}
_FINISH = {"content_filter": "content_filter", "cut": "length"}
_WHOLE = (None, "slow", "truncated")
"""Kinds of fault (None: no fault) that leave the answer itself as it is."""


def say(answers: Sequence[str], text: str) -> str:
    """The answer to a text: the first that occurs in it, else one drawn by the text's hash."""
    folded = text.casefold()
    for answer in answers:
        if answer.casefold() in folded:
            return answer
    return answers[int(share_of(text) * len(answers))]


def because(messages: Sequence[dict[str, Any]]) -> str:
    """A reason for the answer before the last turn: it quotes the document's first words."""
    document, answer = messages[-3]["content"], messages[-2]["content"]
    return f'It says "{" ".join(document.split()[:12])}", so it is {answer}.'


def share_of(text: str) -> float:
    """A number in 0..1 that follows from a text."""
    return int(document_id(text), 16) / 2**64


def completion(
    answers: Sequence[str], body: dict[str, Any], text: str, kind: str | None, logprobs: bool, said: str | None = None
) -> dict[str, Any]:
    """The body of a chat completion; `kind`: the fault to show in it, if any; `said`: what it says in place of what
    the text asks for. A token has four characters.
    """
    said = said or say(answers, text)
    spoken = said[: len(said) // 2] if kind == "cut" else _NO_ANSWERS.get(kind or "", said)
    message: dict[str, Any] = {"role": "assistant", "content": spoken}
    if kind == "refusal":
        message["refusal"] = "I cannot help with that."
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": _FINISH.get(kind or "", "stop")}
    if body.get("logprobs") and logprobs and kind in _WHOLE:
        choice["logprobs"] = {"content": [_candidates(answers, said, int(body.get("top_logprobs") or 1))]}
    prompt = sum(len(str(m["content"])) for m in body["messages"]) // 4
    usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
    head = {"id": "standin", "object": "chat.completion", "created": 0, "model": body.get("model", "")}
    return {**head, "choices": [choice], "usage": usage}


def _candidates(answers: Sequence[str], said: str, count: int) -> dict[str, Any]:
    """The answers as if each were one token: the one said likely, the others less so, in order."""
    others = [a for a in answers if a != said]
    tokens = [(said, -0.1), *((a, -3.0 - n) for n, a in enumerate(others))][:count]
    top = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in tokens]
    return {**top[0], "top_logprobs": top}


async def half(request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
    """The first half of the answer's bytes; then the connection is closed, though more was promised."""
    body = json.dumps(answer).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error in OpenAI's form."""
    body = {"error": {"message": message, "type": code, "code": code}}
    return web.json_response(body, status=status, headers=headers)
