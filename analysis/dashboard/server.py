"""The web server of the dashboard: pages, their sockets, and when it all ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from .guard import LOCAL, SOCKET, Guard
from .tabs import Tab, Tabs

_MESSAGE, _QUEUE = 65_536, 16  # bytes of a page's message; messages of one that wait
_AFTER, _FIRST = 20.0, 600.0
"""Seconds without a page after which the server ends: once there was one, and before."""


class PortTakenError(OSError):
    """Another program listens there."""


def listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        PortTakenError: another program does so there.
        OSError: the host is none of this machine.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno in (13, 98, 48):  # not allowed, or in use
            raise PortTakenError(error.errno, f"port {port} is taken or not allowed") from None
        raise
    return found


def application(targets: Mapping[str, str], config: Mapping[str, Any], idle: float) -> FastAPI:
    """Return the application: the page of Dash, and a socket for each open one.

    Args:
        targets: file, or name in the library, of each scenario.
        config: what the page starts with.
        idle: seconds without a page after which the server should end.
    """
    from .page import page

    tabs = Tabs(targets)

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> Any:
        watch = asyncio.create_task(_watch(app, tabs, idle))
        yield
        watch.cancel()
        await tabs.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.state.tabs, app.state.server = tabs, None

    @app.websocket(SOCKET)
    async def open_page(stream: WebSocket) -> None:
        await stream.accept()
        tab = tabs.add()
        try:
            await _serve(stream, tab)
        finally:
            await tabs.remove(tab)

    page(app, config)
    return app


async def _watch(app: FastAPI, tabs: Tabs, idle: float) -> None:
    """Let the server end once nobody has looked for a while."""
    last, seen = time.monotonic(), False
    while True:
        await asyncio.sleep(0.25)
        if tabs.open:
            last, seen = time.monotonic(), True
        elif time.monotonic() - last > (idle if seen else max(idle, _FIRST)):
            app.state.server.should_exit = True


async def _serve(stream: WebSocket, tab: Tab) -> None:
    """Pass messages both ways until either side ends; what is no message ends the page's socket."""
    reading = asyncio.create_task(_read(stream, tab))
    sending = asyncio.create_task(_send(stream, tab))
    _, others = await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in (reading, sending):
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await task


async def _read(stream: WebSocket, tab: Tab) -> None:
    while True:
        try:
            message = json.loads(await stream.receive_text(), parse_constant=_no_number)
            if not isinstance(message, dict):
                raise TypeError("a message is a table")
            tab.hear(message)
        except (ValueError, TypeError, KeyError, RecursionError):
            await stream.close(1003, "not a message of this page")
            return


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


async def _send(stream: WebSocket, tab: Tab) -> None:
    while True:
        await tab.ready.wait()
        tab.ready.clear()
        waiting, tab.waiting = tab.waiting, {}
        for kind, told in waiting.items():
            await stream.send_text(f'{{"{kind}":{told.decode()}}}')


def serve(
    listening: socket.socket, targets: Mapping[str, str], config: Mapping[str, Any], *,
    hosts: tuple[str, ...] = LOCAL, token: str | None = None, idle: float = _AFTER,
) -> None:  # fmt: skip
    """Serve pages until nobody looks any more, or until told to end.

    Args:
        listening: from `listener`.
        targets: file, or name in the library, of each scenario.
        config: what a page starts with.
        hosts: names by which pages may call it.
        token: what pages must show; None if they are of this machine.
        idle: seconds without a page after which it ends.
    """
    port = listening.getsockname()[1]
    app = application(targets, config, idle)
    server = uvicorn.Server(uvicorn.Config(
        Guard(app, port, hosts, token), log_level="warning", lifespan="on",
        timeout_graceful_shutdown=2, ws_max_size=_MESSAGE, ws_max_queue=_QUEUE,
        server_header=False,
    ))  # fmt: skip
    app.state.server = server
    # What a refused socket leaves behind is no mistake of ours; uvicorn takes it for one.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "without completing handshake" not in record.getMessage()
    )
    with contextlib.suppress(KeyboardInterrupt):  # raised anew once all has ended
        server.run(sockets=[listening])
