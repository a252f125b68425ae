"""When a request is made again. What stays true: one that may have been carried out is repeated only where that does no
harm, and all pauses of a call together have a bound. Pure: what a call does are steps, which a driver takes."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass

import httpx

from .errors import NotReached, refused, retry_after

_UNDONE = 429
_PASSING = frozenset({500, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0


@dataclass(frozen=True)
class Retries:
    """How often a request is made again: after 429, and, where it can be repeated without harm, after 5xx or no answer."""

    count: int = 4
    """Further requests after the first; 0 for none."""
    pause_seconds_max: float = 60.0
    """Bound of all pauses of a call together. A longer `Retry-After` is not waited for."""

    def pause(
        self, answer: httpx.Response | httpx.TransportError, again: bool, made: int, paused: float
    ) -> float | None:
        """Seconds until the next request after `made` requests and `paused` seconds; `None` if there is none.

        `again` says whether the request may be repeated though it may have been carried out.
        """
        if made > self.count or not _is_passing(answer, again):
            return None
        growing = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (made - 1))
        asked = retry_after(answer) if isinstance(answer, httpx.Response) else None
        # Spread out, so that many who were sent away together do not come back together.
        pause = growing * random.uniform(0.5, 1.0) if asked is None else asked + random.uniform(0.0, 0.25)
        return pause if paused + pause <= self.pause_seconds_max else None


def _is_passing(answer: httpx.Response | httpx.TransportError, again: bool) -> bool:
    if isinstance(answer, httpx.Response):
        return answer.status_code == _UNDONE or (again and answer.status_code in _PASSING)
    # Without a connection nothing was carried out.
    return again or isinstance(answer, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


Steps = Generator["httpx.Request | float", "httpx.Response | httpx.TransportError | None", httpx.Response]
"""Requests to make and seconds to pause; ends with the answer that counts."""


def steps(request: httpx.Request, retries: Retries) -> Steps:
    """What a call does."""
    again = request.method in ("GET", "PUT", "PATCH", "DELETE") or "idempotency-key" in request.headers
    made, paused = 0, 0.0
    while True:
        answer = yield request
        assert answer is not None
        made += 1
        if isinstance(answer, httpx.Response) and answer.is_success:
            return answer
        pause = retries.pause(answer, again, made, paused)
        if pause is None:
            raise _failure(request, answer)
        paused += pause
        yield pause


def _failure(request: httpx.Request, answer: httpx.Response | httpx.TransportError) -> Exception:
    if isinstance(answer, httpx.Response):
        return refused(answer)
    failure = NotReached(f"{request.method} {request.url}: {answer or type(answer).__name__}")
    failure.__cause__ = answer
    return failure
