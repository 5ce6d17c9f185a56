"""The stand-in's message batches, in Anthropic's shape, beside a live `/v1/messages`. Faults: see `standin_batches`.

    POST /v1/messages                            one message
    POST /v1/messages/batches                    {"requests": [{"custom_id", "params"}, ...]}
    GET  /v1/messages/batches, .../{id}          newest first, by pages; one of them (in_progress, ended)
    GET  /v1/messages/batches/{id}/results       one line a request: succeeded, errored, expired

As at Anthropic, a batch has no name and no metadata of the caller's: only its results tell whose it is.
"""

import json
import time
from typing import Any

from aiohttp import web

from prompts.standin_batches import ANSWERED, BatchMade, BatchRoutes, broken, fault


class MessageRoutes:
    """The routes, over the batches and faults of the other shape's."""

    def __init__(self, of: BatchRoutes) -> None:
        """`of` holds what was made, what is injected and what is counted."""
        self._of = of

    def add_to(self, app: web.Application) -> None:
        """Put the routes on an application."""
        root = "/v1/messages/batches"
        app.router.add_post("/v1/messages", self._message)
        app.router.add_post(root, self._create_messages)
        app.router.add_get(root, self._of.listing("msgbatch", self._shown_messages))
        app.router.add_get(root + "/{id}", self._of.looking(self._shown_messages))
        app.router.add_get(root + "/{id}/results", self._results)

    async def _message(self, request: web.Request) -> web.Response:
        return web.json_response(self._as_message(await request.json(), None))

    async def _create_messages(self, request: web.Request) -> web.Response:
        met = self._of.refuse.pop(0) if self._of.refuse else ""
        asked = (await request.json())["requests"]
        if met.isdigit() or met == "invalid":
            return fault(int(met) if met.isdigit() else 400, "requests.0.params: not valid")
        batch = self._of.new("msgbatch", {})
        batch.counts["total"] = len(asked)
        for one in asked:
            batch.good.append(json.dumps({"custom_id": one["custom_id"], "result": self._result(batch, one)}))
        return broken(request) if met == "lost answer" else web.json_response(self._shown_messages(batch))

    def _result(self, batch: BatchMade, one: dict[str, Any]) -> dict[str, Any]:
        kind = self._of.drawn(one["custom_id"], one["params"])
        if kind in ("expired", "missing"):
            batch.counts["expired"] += 1
            return {"type": "expired"}
        if kind is None or kind in ANSWERED:
            batch.counts["succeeded"] += 1
            return {"type": "succeeded", "message": self._as_message(one["params"], kind)}
        batch.counts["errored"] += 1
        name = {"429": "rate_limit_error", "400": "invalid_request_error"}.get(kind, "api_error")
        return {
            "type": "errored",
            "error": {"type": "error", "error": {"type": name, "message": f"injected {kind}"}},
        }

    def _as_message(self, params: dict[str, Any], kind: str | None) -> dict[str, Any]:
        """What the chat route answers, as a message; asked for by a tool, as that tool's input."""
        told = [{"role": turn["role"], "content": _plain(turn["content"])} for turn in params["messages"]]
        answer = self._of.answer({"model": params["model"], "messages": [*_system(params), *told]}, kind)
        said = answer["choices"][0]["message"]["content"]
        content: dict[str, Any] = {"type": "text", "text": said}
        if params.get("tools") and kind is None:
            content = {"type": "tool_use", "id": "t", "name": params["tools"][0]["name"], "input": json.loads(said)}
        stops = {"refusal": "refusal", "content_filter": "refusal"}
        usage = answer["usage"]
        return {
            "id": "msg", "type": "message", "role": "assistant", "model": params["model"], "content": [content],
            "stop_reason": stops.get(kind or "", "end_turn"), "stop_sequence": None,
            "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]},
        }  # fmt: skip

    def _shown_messages(self, batch: BatchMade) -> dict[str, Any]:
        over = batch.looked_at >= self._of.steps
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.created))
        kinds = ("succeeded", "errored", "expired", "canceled")
        counts = {name: batch.counts[name] if over else 0 for name in kinds}
        return {
            "id": batch.id, "type": "message_batch", "processing_status": "ended" if over else "in_progress",
            "request_counts": {**counts, "processing": 0 if over else batch.counts["total"]},
            "created_at": made, "ended_at": made if over else None, "expires_at": made,
            "results_url": f"/v1/messages/batches/{batch.id}/results" if over else None,
        }  # fmt: skip

    async def _results(self, request: web.Request) -> web.Response:
        batch = self._of.batches[request.match_info["id"]]
        self._of.downloads[batch.id] += 1
        return web.Response(text="\n".join(batch.good) + "\n")


def _system(params: dict[str, Any]) -> list[dict[str, str]]:
    return [{"role": "system", "content": _plain(params["system"])}] if params.get("system") else []


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
