"""Pulling: a consumer's loop over the deliveries of a webhook that has `mode="pull"`. What stays true: what is left without a
word is not lost; its lease runs out, and it comes again."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from .generated.api.webhooks import AsyncWebhooksApi, WebhooksApi
from .generated.models import Lease
from .generated.types import UNSET
from .receiving import verify

WAIT_SECONDS = 20
REASON_CHARS_MAX = 500


class _Delivery:
    """What a delivery that was pulled holds."""

    def __init__(self, webhook: str, lease: Lease) -> None:
        self.webhook, self.lease = webhook, lease

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request would have had, the signature among them."""
        return dict(self.lease.headers.additional_properties)

    @property
    def body(self) -> bytes:
        """The body, byte for byte."""
        body = self.lease.body
        return body.encode() if self.lease.body_encoding == "text" else base64.b64decode(body)

    def verify(self, secret: str | Iterable[str]) -> Any:
        """Checks the signature and gives the body as parsed JSON; see `hookwheel.verify`."""
        return verify(self.body, self.headers, secret)


class Pulled(_Delivery):
    """A delivery that was pulled. As a context it is acknowledged at the end, and refused where that is an exception."""

    def __init__(self, api: WebhooksApi, webhook: str, lease: Lease) -> None:
        super().__init__(webhook, lease)
        self._leases = api.leases

    def ack(self) -> None:
        """It is done. Saying it again changes nothing; `Conflict` if the lease has run out."""
        self._leases.ack(self.webhook, leases=[self.lease.lease])

    def nack(self, reason: str | None = None) -> None:
        """It could not be done: it comes again by the webhook's schedule."""
        self._leases.nack(self.webhook, leases=[self.lease.lease], reason=_cut(reason) or UNSET)

    def extend(self, seconds: int) -> None:
        """It takes so much longer, from now."""
        self._leases.extend(self.webhook, leases=[self.lease.lease], seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.ack()
        else:
            self.nack(repr(error))


class AsyncPulled(_Delivery):
    """A delivery that was pulled; see `Pulled`."""

    def __init__(self, api: AsyncWebhooksApi, webhook: str, lease: Lease) -> None:
        super().__init__(webhook, lease)
        self._leases = api.leases

    async def ack(self) -> None:
        """It is done. Saying it again changes nothing; `Conflict` if the lease has run out."""
        await self._leases.ack(self.webhook, leases=[self.lease.lease])

    async def nack(self, reason: str | None = None) -> None:
        """It could not be done: it comes again by the webhook's schedule."""
        await self._leases.nack(self.webhook, leases=[self.lease.lease], reason=_cut(reason) or UNSET)

    async def extend(self, seconds: int) -> None:
        """It takes so much longer, from now."""
        await self._leases.extend(self.webhook, leases=[self.lease.lease], seconds=seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            await self.ack()
        else:
            await self.nack(repr(error))


def _cut(reason: str | None) -> str | None:
    return None if reason is None else reason[:REASON_CHARS_MAX]


class Pulling(WebhooksApi):
    """Registered endpoints, and consumers that pull."""

    def pull(self, webhook: str, *, limit: int = 1, lease: int = 30, forever: bool = True) -> Iterator[Pulled]:
        """The deliveries of a webhook with `mode="pull"`, as they come: `for delivery in hw.webhooks.pull(id): …`.

        Args:
            webhook: Its id, or your own id for it.
            limit: So many are handed over at once, up to 100. The leases of all of them begin then.
            lease: How long you have for each, in seconds.
            forever: Whether it waits for more, or ends where none came within 20 seconds.
        """
        while True:
            leases = self.leases.pull(webhook, limit=limit, wait=WAIT_SECONDS, lease=lease)
            for one in leases:
                yield Pulled(self, webhook, one)
            if not leases and not forever:
                return


class AsyncPulling(AsyncWebhooksApi):
    """Registered endpoints, and consumers that pull."""

    async def pull(
        self, webhook: str, *, limit: int = 1, lease: int = 30, forever: bool = True
    ) -> AsyncIterator[AsyncPulled]:
        """The deliveries of a webhook with `mode="pull"`, as they come; see `Pulling.pull`."""
        while True:
            leases = await self.leases.pull(webhook, limit=limit, wait=WAIT_SECONDS, lease=lease)
            for one in leases:
                yield AsyncPulled(self, webhook, one)
            if not leases and not forever:
                return
