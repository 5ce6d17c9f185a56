"""HTTP to a provider of trainings: JSON and files, one key, no redirects, patience for what is safe to ask twice.

Only reads are asked again by themselves. What uploads or starts something is sent once: where its answer is lost, the
caller looks whether it arrived (`training.hosted`).
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from records.errors import ServiceError

_TRIES, _WAIT_S = 5, 0.5
_AGAIN = {429, 500, 502, 503, 504}


class Wire:
    """One provider's address and key. The key is in no message and no representation."""

    def __init__(self, base: str, key: str, timeout_s: float = 60.0) -> None:
        """`base`: as `https://api.together.xyz/v1`, without a slash at the end."""
        self.base = base.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(headers=headers, timeout=timeout_s, follow_redirects=False)

    def get(self, path: str, missing: Any = ...) -> Any:
        """The answer's JSON; `missing` where there is no such thing, if one is given. Raises ServiceError."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = self._client.get(self.base + path)
            except httpx.TransportError as error:
                if last:
                    raise ServiceError(f"{self.base} cannot be reached: {type(error).__name__} {error}") from error
                time.sleep(_WAIT_S * 2**attempt)
                continue
            if answer.status_code not in _AGAIN or last:
                break
            time.sleep(_WAIT_S * 2**attempt)
        if answer.status_code == 404 and missing is not ...:
            return missing
        return self._read(answer, f"GET {path}")

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON. Raises ServiceError, also where it cannot be known whether the request arrived."""
        return self._sent(path, json=dict(body))

    def upload(self, path: str, name: str, file: Path, fields: Mapping[str, str]) -> Any:
        """Send a file as a form (multipart) under this name; the answer's JSON."""
        with file.open("rb") as opened:
            return self._sent(path, data=dict(fields), files={"file": (name, opened, "application/jsonl")})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _sent(self, path: str, **what: Any) -> Any:
        try:
            answer = self._client.post(self.base + path, **what)
        except httpx.TransportError as error:
            raise ServiceError(
                f"{self.base}{path}: the connection failed ({type(error).__name__}). "
                "The same command goes on from here."
            ) from error
        return self._read(answer, f"POST {path}")

    def _read(self, answer: httpx.Response, asked: str) -> Any:
        if answer.status_code >= 300:
            raise ServiceError(f"{self.base}: {asked} was answered {answer.status_code}: {_said(answer)}")
        try:
            return answer.json() if answer.content else {}
        except ValueError:
            raise ServiceError(
                f"{self.base}: {asked} was answered by something that is no JSON: {_said(answer)}"
            ) from None


def _said(answer: httpx.Response) -> str:
    return " ".join(answer.text.split())[:300] or "nothing"
