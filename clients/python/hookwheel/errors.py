"""What can go wrong, as exceptions: one class for each kind of answer that a caller treats differently."""

from __future__ import annotations

import httpx


class HookwheelError(Exception):
    """Anything that goes wrong between here and the server."""


class NotReached(HookwheelError):
    """No answer came: the server could not be reached, or was silent for too long. The cause is `__cause__`."""


class Refused(HookwheelError):
    """The server answered that it did not do what was asked."""

    def __init__(self, status: int, code: str, message: str, field: str | None, retry_after: float | None) -> None:
        super().__init__(f"{message} ({status} {code}{f', field {field}' if field else ''})")
        self.status = status
        """The HTTP status."""
        self.code = code
        """What went wrong in one word, such as `invalid_field`; the document lists them as `ErrorCode`."""
        self.message = message
        """What went wrong, for people."""
        self.field = field
        """The field, parameter or header that cannot be taken."""
        self.retry_after = retry_after
        """Seconds after which it is worth another try, where the server said so."""


class BadRequest(Refused):
    """A field, a parameter or a header cannot be taken (400)."""


class Unauthorized(Refused):
    """No key, or one that is not known or has expired (401)."""


class Forbidden(Refused):
    """The key may not do this (403)."""


class NotFound(Refused):
    """There is no such thing, or it is not the account's (404)."""


class Conflict(Refused):
    """It does not go with what is there: its state, or an id or a key that was used for something else (409)."""


class TooLarge(Refused):
    """The body is longer than the server takes, or would make too many deliveries (413)."""


class DoesNotFit(Refused):
    """The data of an event does not fit the schema of its type (422)."""

    faults: list[tuple[str, str]] = []
    """Where, such as `data/items/0/amount`, and what is wrong there: at most twenty."""


class TooMuch(Refused):
    """More than the key, or its account, may ask for now (429)."""


class Unavailable(Refused):
    """The server failed, or cannot do it now (5xx)."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: DoesNotFit,
    429: TooMuch,
}


def retry_after(response: httpx.Response) -> float | None:
    """The seconds of `Retry-After`."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def refused(response: httpx.Response) -> Refused:
    """What an answer with an error says."""
    try:
        error = response.json()["error"]
        code, message, field = str(error["code"]), str(error["message"]), error.get("field")
    except (ValueError, LookupError, TypeError, AttributeError):
        return foreign(response)
    told = _kind(response)(response.status_code, code, message, field, retry_after(response))
    if isinstance(told, DoesNotFit):
        told.faults = [(str(one.get("field")), str(one.get("message"))) for one in error.get("errors", [])]
    return told


def foreign(response: httpx.Response) -> Refused:
    """What an answer says that is none of the server's, but of a proxy, or of whoever else is at that address."""
    message = f"the answer is not the server's: {response.reason_phrase}"
    return _kind(response)(response.status_code, "unknown", message, None, retry_after(response))


def _kind(response: httpx.Response) -> type[Refused]:
    return _BY_STATUS.get(response.status_code, Unavailable if response.status_code >= 500 else Refused)
