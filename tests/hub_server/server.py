"""Speaks HTTP for the small Hub: reads a request, lets a fault happen, finds the handler, writes the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_server import routes
from hub_server.calls import Answer, Call
from hub_server.faults import Cut, Fault, Faults, Lose, Refuse, Slow, Status
from hub_server.store import Store

BLOCK_BYTES = 1 << 20
TOKEN = "hf_" + "tEsT" * 9
"""What `ana` is logged in with."""


class HubServer:
    """A Hub at `endpoint`, with user `ana` (token `TOKEN`), member of `org`, until it is closed.

    Large files are served from another origin (`localhost` instead of `127.0.0.1`), as the real one does.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.store.users[TOKEN] = "ana"
        self.store.members["org"] = {"ana"}
        self.faults = Faults()
        self.page_size = 1000
        self.ranges = True
        """Whether parts of files may be asked for."""
        server = self

        class Handler(_Handler):
            hub = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        port = self._http.server_address[1]
        self.endpoint, self.cdn = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments: object) -> None:
        pass

    def _serve(self) -> None:
        authorization = self.headers.get("Authorization", "")
        token = authorization.removeprefix("Bearer ") or None
        host = self.headers.get("Host", "")
        fault = self.hub.faults.next(self.command, self.path, self.headers.get("Range"), token, host)
        if isinstance(fault, Refuse):
            self._hang_up()
            return
        if isinstance(fault, Slow):
            threading.Event().wait(fault.seconds)
        body = self._read_body()
        if isinstance(fault, Status):
            answer = routes.error(fault.code, fault.message, fault.error_code, fault.headers)
        else:
            answer = self._answer(token, body)
        if isinstance(fault, Lose):
            self._hang_up()
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._write(answer, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _answer(self, token: str | None, body: bytes | Path) -> Answer:
        url = urlsplit(self.path)
        if not self.hub.ranges:
            del self.headers["Range"]
        user = self.hub.store.users.get(token) if token else None
        if token and user is None and not url.path.startswith("/cdn/"):
            return routes.error(401, "Invalid credentials in Authorization header")
        call = Call(
            self.hub.store,
            self.hub.endpoint,
            self.hub.cdn,
            self.command,
            url.path,
            parse_qs(url.query, keep_blank_values=True),
            self.headers,
            user,
            body,
        )
        for method, pattern, handler in routes.ROUTES:
            match = pattern.fullmatch(url.path)
            if match and method in (self.command, "GET" if self.command == "HEAD" else ""):
                if handler in routes.PAGED:
                    return handler(call, *map(unquote, match.groups()), page_size=self.hub.page_size)
                return handler(call, *map(unquote, match.groups()))
        return routes.error(404, f"no such call: {self.command} {url.path}")

    def _read_body(self) -> bytes | Path:
        """The body; that of an upload goes to disk."""
        blocks = self._blocks()
        if self.command != "PUT":
            return b"".join(blocks)
        path = self.hub.store.lfs / f".upload-{threading.get_ident()}"
        with path.open("wb") as file:
            for block in blocks:
                file.write(block)
        return path

    def _blocks(self) -> Any:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (block := self.rfile.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block

    def _write(self, answer: Answer, fault: Fault | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(answer.size))
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = fault.after_bytes if isinstance(fault, Cut) else None
        if isinstance(answer.body, Path):
            with answer.body.open("rb") as file:
                file.seek(answer.start)
                self.wfile.flush()
                self.connection.sendfile(file, answer.start, limit if limit is not None else answer.size)
        else:
            self.wfile.write(answer.body[:limit])
        if limit is not None and limit < answer.size:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
