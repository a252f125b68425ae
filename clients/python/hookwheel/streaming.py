"""Watching: what happens, as it happens. What stays true: who reads on is told each message once and in order, over as many
connections as it takes; where something is missing, a message of the kind `gap` says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from .errors import NotReached, Refused, TooMuch, Unavailable, refused
from .generated.api.stream import AsyncStreamApi, StreamApi

PATH = "/api/v1/stream"
SILENT_SECONDS = 60.0
PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class Message:
    """Something that happened."""

    id: str | None
    """Where to go on from: see `last_event_id`."""
    kind: str
    """`event`, `attempt`, `dead`, or `gap`: something is missing here."""
    data: dict[str, Any]
    """What there is to say of it."""


@dataclass
class _Reading:
    """The place in a stream, and the message in the making."""

    last: str | None
    kind: str = ""
    data: list[str] = field(default_factory=list)
    pause: float = PAUSE_SECONDS
    id: str | None = None

    def line(self, line: str) -> Message | None:
        """Takes a line; gives the message that it ends."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line:
            if name == "id":
                self.id = value
            elif name == "event":
                self.kind = value
            elif name == "data":
                self.data.append(value)
            elif name == "retry" and value.isdigit():
                self.pause = int(value) / 1000
            return None
        kind, data, self.kind, self.data = self.kind, self.data, "", []
        self.last, own, self.id = self.id or self.last, self.id, None
        return Message(own, kind or "message", json.loads("\n".join(data))) if data else None

    def begins(self) -> None:
        """Another connection: what the last one left unfinished is told again."""
        self.kind, self.data, self.id = "", [], None


def _query(said: dict[str, str | None], last: str | None, forever: bool) -> dict[str, str]:
    asked = {name: value for name, value in said.items() if value is not None}
    if last is not None:
        asked["last_event_id"] = last
    return asked if forever else asked | {"follow": "false"}


def _asked(http: httpx.Client | httpx.AsyncClient, account: str | None, query: dict[str, str]) -> httpx.Request:
    headers = {"Accept": "text/event-stream"} | ({} if account is None else {"Hookwheel-Account": account})
    timeout = httpx.Timeout(http.timeout.connect, read=SILENT_SECONDS)
    return http.build_request("GET", PATH, params=query, headers=headers, timeout=timeout)


def _pause_after(error: Refused | httpx.TransportError, reading: _Reading, forever: bool) -> float:
    """How long to wait before it is tried again; what cannot be mended by that is raised."""
    if isinstance(error, httpx.TransportError):
        if not forever:
            raise NotReached(f"GET {PATH}: {error or type(error).__name__}") from error
        return reading.pause
    if not forever or not isinstance(error, (TooMuch, Unavailable)):
        raise error
    return error.retry_after or reading.pause


class Streaming(StreamApi):
    """What happens, as it happens."""

    def follow(
        self,
        *,
        webhook: str | None = None,
        event_type: str | None = None,
        kind: str | None = None,
        status_code: str | None = None,
        outcome: str | None = None,
        accounts: str | None = None,
        last_event_id: str | None = None,
        forever: bool = True,
    ) -> Iterator[Message]:
        """Events that are accepted, attempts that are recorded, deliveries that die: `for message in hw.stream.follow(): …`.

        Args:
            webhook: Only what is about this webhook.
            event_type: Only of this type, or of those that a filter such as `task.*` lets through.
            kind: Only `event`, `attempt` or `dead`.
            status_code: Only attempts with this answer, such as `503` or `5xx`.
            outcome: Only attempts of which this came, such as `timeout`.
            accounts: `all`, for the operator's key.
            last_event_id: Behind the message of this id; from now on, if left out.
            forever: Whether it waits for more, or ends once all is told that happened by now.
        """
        said = _said(webhook, event_type, kind, status_code, outcome, accounts)
        reading = _Reading(last_event_id)
        while True:
            calls = self._calls
            try:
                response = calls.http.send(
                    _asked(calls.http, calls.account, _query(said, reading.last, forever)), stream=True
                )
                try:
                    if not response.is_success:
                        response.read()
                        raise refused(response)
                    reading.begins()
                    for line in response.iter_lines():
                        message = reading.line(line)
                        if message is not None:
                            yield message
                finally:
                    response.close()
                if not forever:
                    return
                pause = reading.pause
            except (Refused, httpx.TransportError) as error:
                pause = _pause_after(error, reading, forever)
            time.sleep(pause)


class AsyncStreaming(AsyncStreamApi):
    """What happens, as it happens."""

    async def follow(
        self,
        *,
        webhook: str | None = None,
        event_type: str | None = None,
        kind: str | None = None,
        status_code: str | None = None,
        outcome: str | None = None,
        accounts: str | None = None,
        last_event_id: str | None = None,
        forever: bool = True,
    ) -> AsyncIterator[Message]:
        """Events, attempts and dead letters as they happen; see `Streaming.follow`."""
        said = _said(webhook, event_type, kind, status_code, outcome, accounts)
        reading = _Reading(last_event_id)
        while True:
            calls = self._calls
            try:
                response = await calls.http.send(
                    _asked(calls.http, calls.account, _query(said, reading.last, forever)), stream=True
                )
                try:
                    if not response.is_success:
                        await response.aread()
                        raise refused(response)
                    reading.begins()
                    async for line in response.aiter_lines():
                        message = reading.line(line)
                        if message is not None:
                            yield message
                finally:
                    await response.aclose()
                if not forever:
                    return
                pause = reading.pause
            except (Refused, httpx.TransportError) as error:
                pause = _pause_after(error, reading, forever)
            await asyncio.sleep(pause)


def _said(
    webhook: str | None,
    event_type: str | None,
    kind: str | None,
    status_code: str | None,
    outcome: str | None,
    accounts: str | None,
) -> dict[str, str | None]:
    return {
        "webhook": webhook,
        "event_type": event_type,
        "kind": kind,
        "status_code": status_code,
        "outcome": outcome,
        "accounts": accounts,
    }
