"""Client for Hookwheel, the webhook delivery server.

    from hookwheel import Hookwheel

    hw = Hookwheel("https://hooks.example.com", "hw_…")
    hw.events.publish("task.created", {"id": 1})

Receivers check what comes with `verify(payload, headers, secret)`.
"""

from .calls import AsyncPages, Page, Pages
from .client import AsyncHookwheel, Hookwheel
from .errors import (
    BadRequest,
    Conflict,
    DoesNotFit,
    Forbidden,
    HookwheelError,
    NotFound,
    NotReached,
    Refused,
    TooLarge,
    TooMuch,
    Unauthorized,
    Unavailable,
)
from .generated import models
from .generated.version import __version__
from .pulling import AsyncPulled, Pulled
from .receiving import NotVerified, verify
from .retries import Retries
from .streaming import Message

__all__ = [
    "AsyncHookwheel",
    "AsyncPages",
    "AsyncPulled",
    "BadRequest",
    "Conflict",
    "DoesNotFit",
    "Forbidden",
    "Hookwheel",
    "HookwheelError",
    "Message",
    "NotFound",
    "NotReached",
    "NotVerified",
    "Page",
    "Pages",
    "Pulled",
    "Refused",
    "Retries",
    "TooLarge",
    "TooMuch",
    "Unauthorized",
    "Unavailable",
    "__version__",
    "models",
    "verify",
]
