"""The client: what a program makes once and uses everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self, cast
from uuid import uuid4

import httpx

from .calls import AsyncCalls, SyncCalls, address, headers
from .generated.api import Api, AsyncApi
from .generated.api.events import AsyncEventsApi, EventsApi, events_publish
from .generated.models import EventPublish, EventReceipt
from .generated.types import UNSET
from .pulling import AsyncPulling, Pulling
from .retries import Retries
from .streaming import AsyncStreaming, Streaming
from .values import as_json

TIMEOUT_SECONDS = 30.0
USUAL_RETRIES = Retries()


def _event(type: str, data: Any, fields: Mapping[str, Any]) -> EventPublish:
    return EventPublish.from_dict(as_json({"type": type, "data": data, **fields}))


def _publishing(body: EventPublish | list[EventPublish], key: str | None) -> dict[str, Any]:
    # A key of its own lets the request be made again without an event being accepted twice.
    return {"body": body, "idempotency_key": key or str(uuid4()), "hookwheel_account": UNSET}


class Publishing(EventsApi):
    """Events: publishing, and what became of them."""

    def publish(
        self,
        type: str,
        data: Any,
        *,
        id: str | None = None,
        created_at: datetime | None = None,
        actor: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> EventReceipt:
        """Publishes an event; returns once it is safe on disk. Tried again, it is still accepted once.

        Args:
            type: Such as `task.created`.
            data: Any JSON; receivers get it as it is written here.
            id: Your own id: the same event published twice is accepted once.
            created_at: When it happened; now, if left out.
            actor: Who did it.
            metadata: Anything else about it.
            idempotency_key: Stands for this request for a day; one is made if left out.
            more: Other fields of an event, as the server's document lists them.
        """
        fields = {"id": id, "created_at": created_at, "actor": actor, "metadata": metadata}
        said = {name: value for name, value in fields.items() if value is not None}
        arguments = _publishing(_event(type, data, said | more), idempotency_key)
        return cast(EventReceipt, self._calls.reply(events_publish, **arguments).data)

    def publish_batch(
        self, events: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[EventReceipt]:
        """Publishes up to 1,000 events, each `{"type": …, "data": …}`: all of them are accepted, or none."""
        body = [EventPublish.from_dict(as_json(event)) for event in events]
        reply = self._calls.reply(events_publish, **_publishing(body, idempotency_key))
        return cast("list[EventReceipt]", reply.data)


class AsyncPublishing(AsyncEventsApi):
    """Events: publishing, and what became of them."""

    async def publish(
        self,
        type: str,
        data: Any,
        *,
        id: str | None = None,
        created_at: datetime | None = None,
        actor: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> EventReceipt:
        """Publishes an event; see `Publishing.publish`."""
        fields = {"id": id, "created_at": created_at, "actor": actor, "metadata": metadata}
        said = {name: value for name, value in fields.items() if value is not None}
        arguments = _publishing(_event(type, data, said | more), idempotency_key)
        return cast(EventReceipt, (await self._calls.reply(events_publish, **arguments)).data)

    async def publish_batch(
        self, events: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[EventReceipt]:
        """Publishes up to 1,000 events, each `{"type": …, "data": …}`: all of them are accepted, or none."""
        body = [EventPublish.from_dict(as_json(event)) for event in events]
        reply = await self._calls.reply(events_publish, **_publishing(body, idempotency_key))
        return cast("list[EventReceipt]", reply.data)


class Hookwheel(Api):
    """A client of a server: `Hookwheel(url, key).events.publish("task.created", {"id": 1})`.

    Args:
        url: Where the server is, such as `https://hooks.example.com`.
        key: An API key, `hw_…`.
        account: The account that an admin key acts for; `default` if left out.
        retries: How often a request is made again.
        timeout_seconds: The deadline of one request.
        transport: How requests are made, where it is not the usual way.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        account: str | None = None,
        retries: Retries = USUAL_RETRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = httpx.Client(
            base_url=address(url),
            headers=headers(key),
            timeout=timeout_seconds,
            transport=transport,
            follow_redirects=False,
        )
        self._begin(SyncCalls(http, retries, account))

    def _begin(self, calls: SyncCalls) -> None:
        super().__init__(calls)
        self._calls = calls
        self.events: Publishing = Publishing(calls)
        self.webhooks: Pulling = Pulling(calls)
        self.stream: Streaming = Streaming(calls)

    def for_account(self, account: str) -> Hookwheel:
        """The same client acting for another account; it shares connections, and is closed with this one."""
        other = Hookwheel.__new__(Hookwheel)
        other._begin(SyncCalls(self._calls.http, self._calls.retries, account))
        return other

    def close(self) -> None:
        """Closes its connections."""
        self._calls.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncHookwheel(AsyncApi):
    """The same as `Hookwheel`, to be awaited: `await AsyncHookwheel(url, key).events.publish("task.created", {"id": 1})`."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        account: str | None = None,
        retries: Retries = USUAL_RETRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = httpx.AsyncClient(
            base_url=address(url),
            headers=headers(key),
            timeout=timeout_seconds,
            transport=transport,
            follow_redirects=False,
        )
        self._begin(AsyncCalls(http, retries, account))

    def _begin(self, calls: AsyncCalls) -> None:
        super().__init__(calls)
        self._calls = calls
        self.events: AsyncPublishing = AsyncPublishing(calls)
        self.webhooks: AsyncPulling = AsyncPulling(calls)
        self.stream: AsyncStreaming = AsyncStreaming(calls)

    def for_account(self, account: str) -> AsyncHookwheel:
        """The same client acting for another account; it shares connections, and is closed with this one."""
        other = AsyncHookwheel.__new__(AsyncHookwheel)
        other._begin(AsyncCalls(self._calls.http, self._calls.retries, account))
        return other

    async def close(self) -> None:
        """Closes its connections."""
        await self._calls.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
