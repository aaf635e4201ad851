"""Who may talk to the dashboard: pages of its own address, with its token if it has one.

A page elsewhere can make a browser send requests here, by a name that it lets point here (DNS
rebinding) or by a WebSocket, which no same-origin rule holds back; so Host and Origin are checked
on every request. (OWASP, WebSocket Security Cheat Sheet.) A page reads, and talks through one
socket; nothing else that Dash would serve (callbacks by POST or by a socket of its own) is let in.
"""

from __future__ import annotations

import hmac
import http.cookies
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost")
SOCKET = "/socket"
"""Where a page's socket is."""
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Nothing is loaded from elsewhere and no other page may frame this one; Plotly and Dash make their
own scripts and styles."""
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()), (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]  # fmt: skip


class Guard:
    """Stands before an application and turns away who may not talk to it.

    Args:
        app: what is guarded.
        port: where it listens.
        hosts: names by which it may be called; any where there are none, for which a token is
            needed: a page under another name does not have the cookie of this one.
        token: what a page must show once, in its address; None if being here is enough.
    """

    def __init__(self, app: App, port: int, hosts: tuple[str, ...], token: str | None) -> None:
        if not hosts and token is None:
            raise ValueError("without a token, only hosts that are named may call")
        self._app, self._token = app, token
        # At the port that http has by itself, browsers leave it out.
        self._hosts = {name for host in hosts for name in (
            [f"{host}:{port}", host] if port == 80 else [f"{host}:{port}"]
        )}  # fmt: skip
        self._cookie = f"walras-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with 401, 403, 404, 405 or 421."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts and host not in self._hosts:
            await _refuse(scope, send, 421, "this is not the address that was printed")
        elif not _own(scope, host, origin):
            await _refuse(scope, send, 403, "a page from elsewhere may not talk to this one")
        elif self._token is None or self._known(headers.get("cookie", "")):
            await self._let_in(scope, receive, send)
        elif scope["type"] == "http" and (rest := self._shown(scope)) is not None:
            cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(send, 303, b"", [
                (b"location", rest.encode()), (b"set-cookie", cookie.encode()),
                (b"cache-control", b"no-store"),
            ])  # fmt: skip
        else:
            await _refuse(scope, send, 401, "open the address that was printed, with its token")

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] != SOCKET:
            await _refuse(scope, send, 404, "there is no such socket")
        elif scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            await _refuse(scope, send, 405, "a page only reads")
        else:
            await self._app(scope, receive, _with_headers(send))

    def _known(self, cookie: str) -> bool:
        jar = http.cookies.SimpleCookie()
        with suppress(http.cookies.CookieError):
            jar.load(cookie)
        return self._cookie in jar and self._same(jar[self._cookie].value)

    def _shown(self, scope: Scope) -> str | None:
        """Return the address without its token; None if that is not the right one."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self._same(value) for name, value in query):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + quote(str(scope["path"]).lstrip("/"))  # never another host's, nor a header
        return f"{path}?{rest}" if rest else path

    def _same(self, given: str) -> bool:
        return bool(hmac.compare_digest(given.encode(), (self._token or "").encode()))


def _own(scope: Scope, host: str, origin: str | None) -> bool:
    """Return whether a request comes from a page of ours; browsers always say so of sockets."""
    if origin is None:
        return bool(scope["type"] == "http")
    try:
        return str(urlsplit(origin).netloc) == host
    except ValueError:
        return False  # no address at all


def _with_headers(send: Send) -> Send:
    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return told


async def _refuse(scope: Scope, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": 1008})
        return
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await _answer(send, status, why.encode(), [(b"content-type", b"text/plain")], kind)


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]],
    kind: str = "http.response",
) -> None:  # fmt: skip
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
