"""The door to Argilla's SDK: imported late and quietly, and its many exceptions turned into one clear sentence.

The SDK takes a second to import and warns about its own deprecated code; neither is the caller's business.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from records.errors import RetortError, ServiceError

_HTTP_CURES = {
    401: "it does not know this API key or password: take the one in credentials.json, or start the desk again with it",
    403: "this account may not do that: use the owner's API key",
    404: "it does not have what was asked for: is this an Argilla 2.8, and was the task sent to it?",
}


def load() -> Any:
    """The argilla package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import argilla
    return argilla


def check_key(url: str, api_key: str, timeout_s: int) -> None:
    """Raises ServiceError when the desk is down or does not know the key. Asked first: a failing SDK leaks sockets."""
    with speaking_to(url), httpx.Client(timeout=timeout_s, trust_env=False) as client:
        client.get(f"{url.rstrip('/')}/api/v1/me", headers={"X-Argilla-Api-Key": api_key}).raise_for_status()


@contextmanager
def speaking_to(url: str) -> Iterator[None]:
    """Whatever goes wrong between us and the desk at this address becomes a ServiceError that says what and why."""
    try:
        yield
    except RetortError:
        raise
    except httpx.HTTPStatusError as error:
        raise _refused(url, error.response.status_code, error.response.text) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ServiceError(
            f"the review desk at {url} does not answer ({reason}); is it running? `retort up`."
        ) from None
    except Exception as error:
        if not type(error).__module__.startswith("argilla"):
            raise
        credentials = type(error).__name__ in ("ArgillaCredentialsError", "UnauthorizedError")
        raise _refused(url, 401 if credentials else getattr(error, "status_code", 500), str(error)) from None


def _refused(url: str, status: int, detail: str) -> ServiceError:
    cure = _HTTP_CURES.get(status, f"it said: {' '.join(detail.split())[:500]}")
    return ServiceError(f"the review desk at {url} refused (HTTP {status}): {cure}.")
