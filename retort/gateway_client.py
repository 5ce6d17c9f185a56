"""Ask the gateway as an application does: one stable model name, the document as the user's message."""

import time

import requests
from pydantic import BaseModel

from flows.settings import Settings
from records.errors import InputError, ServiceError
from retort.credentials import load_or_create

_SECONDS = 300


class Answered(BaseModel):
    """One answer, and who gave it: `legal_intake@3 student-9f2c41d0c7a2` or `legal_intake@teacher ...`."""

    task: str
    answer: str
    release: str
    request: str
    seconds: float


def ask(settings: Settings, task: str, text: str) -> Answered:
    """One request to the gateway. Raises InputError for what it refuses, ServiceError where it does not answer."""
    key = settings.gateway_key.get_secret_value() if settings.gateway_key else load_or_create(settings.home).gateway_key
    body = {"model": task, "messages": [{"role": "user", "content": text}]}
    began = time.perf_counter()
    try:
        with requests.Session() as session:
            session.trust_env = False  # loopback, never by a proxy
            reply = session.post(
                f"{settings.gateway}/chat/completions",
                json=body,
                headers={"Authorization": f"Bearer {key}"},
                timeout=_SECONDS,
            )
    except requests.RequestException as fault:
        raise ServiceError(
            f"the gateway at {settings.gateway} does not answer ({type(fault).__name__}): `retort up` starts it."
        ) from fault
    if not reply.ok:
        kind = InputError if reply.status_code < 500 else ServiceError
        raise kind(f"the gateway refused ({reply.status_code}): {_message(reply)}")
    said = reply.json()
    return Answered(
        task=task,
        answer=said["choices"][0]["message"]["content"],
        release=said.get("system_fingerprint") or reply.headers.get("x-retort-release", ""),
        request=said["id"],
        seconds=round(time.perf_counter() - began, 3),
    )


def _message(reply: requests.Response) -> str:
    try:
        return str(reply.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return reply.text[:500]
