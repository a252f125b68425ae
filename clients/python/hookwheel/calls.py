"""How a generated operation is called: its request is completed, made with retries, and its reply opened. The drivers of
the two kinds, sync and async, are all that differs between them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

import httpx

from .errors import foreign
from .generated.client import Client
from .generated.errors import UnexpectedStatus
from .generated.version import __version__
from .retries import Retries, Steps, steps

Row = TypeVar("Row")
_log = logging.getLogger("hookwheel")
_PARSED_BY = Client(base_url="", raise_on_unexpected_status=True)


class Page(Protocol[Row]):
    """Rows of a list, and where the next page starts."""

    data: list[Row]
    next_cursor: str | None


def address(url: str) -> str:
    """The address of a server."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a server: it starts with https:// or http://")
    return url


def headers(key: str | None) -> dict[str, str]:
    """What every request of a client says."""
    said = {"User-Agent": f"hookwheel-python/{__version__}"}
    return said if key is None else said | {"Authorization": f"Bearer {key}"}


def _opened(operation: ModuleType, response: httpx.Response) -> Any:
    try:
        reply = operation._parse_response(client=_PARSED_BY, response=response)
    except (ValueError, LookupError, TypeError, AttributeError, UnexpectedStatus) as error:
        raise foreign(response) from error
    for warning in getattr(reply, "warnings", None) or []:
        _log.warning("%s: %s", operation.__name__.rpartition(".")[2], warning)
    return reply


class SyncCalls:
    """Makes calls and waits for them."""

    def __init__(self, http: httpx.Client, retries: Retries, account: str | None) -> None:
        self.http, self.retries, self.account = http, retries, account

    def reply(self, operation: ModuleType, **arguments: Any) -> Any:
        """The whole reply of an operation."""
        return _opened(operation, self.send(_request(self, operation, arguments)))

    def send(self, request: httpx.Request) -> httpx.Response:
        """Makes a request as often as is needed."""
        taken: Steps = steps(request, self.retries)
        step = next(taken)
        while True:
            answer: httpx.Response | httpx.TransportError | None = None
            if isinstance(step, float):
                time.sleep(step)
            else:
                try:
                    answer = self.http.send(step)
                except httpx.TransportError as error:
                    answer = error
            try:
                step = taken.send(answer)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response


class AsyncCalls:
    """Makes calls that are awaited."""

    def __init__(self, http: httpx.AsyncClient, retries: Retries, account: str | None) -> None:
        self.http, self.retries, self.account = http, retries, account

    async def reply(self, operation: ModuleType, **arguments: Any) -> Any:
        """The whole reply of an operation."""
        return _opened(operation, await self.send(_request(self, operation, arguments)))

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Makes a request as often as is needed."""
        taken: Steps = steps(request, self.retries)
        step = next(taken)
        while True:
            answer: httpx.Response | httpx.TransportError | None = None
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                try:
                    answer = await self.http.send(step)
                except httpx.TransportError as error:
                    answer = error
            try:
                step = taken.send(answer)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response


def _request(calls: SyncCalls | AsyncCalls, operation: ModuleType, arguments: dict[str, Any]) -> httpx.Request:
    request = calls.http.build_request(**operation._get_kwargs(**arguments))
    if calls.account is not None:
        request.headers["Hookwheel-Account"] = calls.account
    return request


class Pages(Generic[Row]):
    """A list, newest first: iterating over it gives its rows, and asks for the next page where one ends."""

    def __init__(self, calls: SyncCalls, operation: ModuleType, arguments: dict[str, Any]) -> None:
        self._asked = (calls, operation, arguments)

    def pages(self) -> Iterator[Page[Row]]:
        """The list page by page, each with the cursor of the next."""
        calls, operation, arguments = self._asked
        while True:
            page: Page[Row] = calls.reply(operation, **arguments)
            yield page
            if page.next_cursor is None:
                return
            arguments = arguments | {"cursor": page.next_cursor}

    def page(self) -> Page[Row]:
        """The first page, from the cursor that was given."""
        return next(self.pages())

    def __iter__(self) -> Iterator[Row]:
        for page in self.pages():
            yield from page.data


class AsyncPages(Generic[Row]):
    """A list, newest first: iterating over it gives its rows, and asks for the next page where one ends."""

    def __init__(self, calls: AsyncCalls, operation: ModuleType, arguments: dict[str, Any]) -> None:
        self._asked = (calls, operation, arguments)

    async def pages(self) -> AsyncIterator[Page[Row]]:
        """The list page by page, each with the cursor of the next."""
        calls, operation, arguments = self._asked
        while True:
            page: Page[Row] = await calls.reply(operation, **arguments)
            yield page
            if page.next_cursor is None:
                return
            arguments = arguments | {"cursor": page.next_cursor}

    async def page(self) -> Page[Row]:
        """The first page, from the cursor that was given."""
        return await anext(aiter(self.pages()))

    async def __aiter__(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page.data:
                yield row
