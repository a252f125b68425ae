"""Servers for the tests: an endpoint that webhooks deliver to, and an API that answers as a test tells it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

DEADLINE_SECONDS = 60.0


class Arrived(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What it is answered; status 0 closes the connection without a word."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Endpoint:
    """Listens on this machine until it is left; hands over what comes."""

    def __init__(self, answer: Callable[[Arrived], Answer]) -> None:
        self.arrived: queue.Queue[Arrived] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def next(self) -> Arrived:
        """The next request; waits for it."""
        return self.arrived.get(timeout=DEADLINE_SECONDS)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, answer: Callable[[Arrived], Answer]) -> type[BaseHTTPRequestHandler]:
        arrived = self.arrived

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                request = Arrived(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                answered = answer(request)
                arrived.put(request)
                if answered.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answered.status)
                for name, value in answered.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answered.body)))
                self.end_headers()
                self.wfile.write(answered.body)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        return Handler
