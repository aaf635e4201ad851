"""`walras dashboard`: a page beside a market that runs, on this machine."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .market.schema.errors import BadInputError, Problem, plain

PORT = 8732
"""Where the page is, unless said otherwise."""


def dashboard_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="[NAME_OR_DIR]", help="A scenario, or the folder of a run or of a sweep."
        ),
    ] = "",
    beside: Annotated[
        str, typer.Argument(metavar="[OTHER]", help="Another one that it is compared with.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = PORT,
    host: Annotated[
        str, typer.Option(help="Another one than this machine's own wants a token to be shown.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Open the live dashboard; it ends with the last page, or with Ctrl-C."""
    try:
        from .analysis.dashboard.guard import LOCAL
        from .analysis.dashboard.server import PortTakenError, listener, serve
    except ModuleNotFoundError as error:
        raise BadInputError([Problem(
            "W100", f"the dashboard needs {error.name}, which is not installed", field="dashboard",
            hint="pip install 'walras[dash]'",
        )]) from None  # fmt: skip
    from .analysis.dashboard.opened import opened

    targets, config = opened(_whole(target), _whole(beside))
    try:
        listening = listener(host, port)
    except PortTakenError as error:
        raise _wrong("port", str(error.strerror), "--port 0 takes any that is free") from None
    except OSError as error:
        told = f"nothing can listen at `{plain(host)}`: {error.strerror or error}"
        raise _wrong("host", told, "127.0.0.1 is this machine") from None
    local = host in LOCAL
    token = None if local else secrets.token_urlsafe(24)
    name = f"[{host}]" if ":" in host else host  # RFC 3986, 3.2.2
    address = f"http://{name}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    typer.echo(f"dashboard: {address}")
    terminal.tell("it ends with its last page, or with Ctrl-C")
    if browser and local and _desktop():
        import webbrowser

        webbrowser.open(address)
    serve(listening, targets, config, hosts=LOCAL if local else (), token=token)


def _whole(target: str) -> str:
    """Return the path of a folder or file as one that other folders know, a name as it is."""
    try:
        there = bool(target) and Path(target).exists()
    except (OSError, ValueError):
        return target  # a name no file can have
    return str(Path(target).resolve()) if there else target


def _desktop() -> bool:
    """Return whether somebody sits before a screen."""
    screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return screen and sys.stdout.isatty()


def _wrong(field: str, message: str, hint: str) -> BadInputError:
    return BadInputError([Problem("W100", message, field=field, hint=hint)])


__all__ = ["PORT", "dashboard_command"]
