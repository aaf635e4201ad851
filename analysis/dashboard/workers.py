"""Processes that work for the page, and how one talks to them: JSON over a pipe.

Nothing is pickled but the start; a worker ends with the process that started it, or when its pipe
is closed. Its messages are read as they come and handed on at once, so none piles up in the pipe.
What is told to one that is busy waits, the newest of each kind: who tells it never waits for it.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from ...scenarios.sweep.job import prepare, readable

Serve = Callable[[Connection, dict[str, Any]], None]
"""What a worker does with its end of the pipe and what it was given, until the pipe is closed."""
Heard = Callable[["Worker", str, bytes], None]
"""Takes a worker, the kind of its message, and that; the kind "dead" tells that it ended."""
DEAD = "dead"
_NICE = 10
ANSWERS = {"ask": "fluid", "toml": "toml", "pin": "pinned"}
"""What the fluid market may be asked, and the kind of its answer."""


class Worker:
    """A process of its own.

    Args:
        serve: what it does; a function of a module, since the process imports it.
        given: what it starts with, plain data.
        heard: called in a thread with each message, and once with `DEAD`.
    """

    def __init__(self, serve: Serve, given: Mapping[str, Any], heard: Heard) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe(duplex=True)
        self._process = spawn.Process(
            target=_begin, args=(serve, theirs, dict(given), os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()  # so that the end of the process ends the pipe
        self._heard, self._ended = heard, False
        self._mail: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self._process.pid or 0)

    def send(self, message: Mapping[str, Any]) -> None:
        """Let a message be sent, see `keep`."""
        with self._changed:
            keep(self._mail, message)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the process; nothing of it is heard from now on."""
        self._end()
        self._process.terminate()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(1.0)
        self._writer.join(1.0)  # the end of the process ends its write
        with suppress(OSError):
            self._pipe.close()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _write(self) -> None:
        with suppress(OSError, ValueError):  # the process is gone
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._mail or self._ended)
                    if self._ended:
                        return
                    message = first(self._mail)
                self._pipe.send_bytes(json.dumps(message).encode())

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while not self._ended:
                kind, _, told = self._pipe.recv_bytes().partition(b"\0")
                if not self._ended:
                    self._heard(self, kind.decode(), told)
        if not self._ended:
            self._end()
            self._process.join(1.0)
            self._heard(self, DEAD, json.dumps(self._process.exitcode).encode())


def keep(waiting: dict[str, dict[str, Any]], message: Mapping[str, Any]) -> None:
    """Put a message among those that wait, in place of an older one of its kind.

    An order to run replaces only the same order.

    Example:
        >>> waiting = {}
        >>> for message in ({"ask": 1}, {"run": "reset"}, {"ask": 2}, {"run": "play"}):
        ...     keep(waiting, message)
        >>> [first(waiting) for _ in range(3)]
        [{'run': 'reset'}, {'ask': 2}, {'run': 'play'}]
    """
    for kind, told in message.items():
        name = f"{kind} {told}" if kind == "run" else kind
        waiting.pop(name, None)
        waiting[name] = {kind: told}


def first(waiting: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Take the message that waits longest."""
    return waiting.pop(next(iter(waiting)))


def tell(pipe: Connection, kind: str, message: Any) -> None:
    """Send a message from a worker.

    Numbers that JSON has no word for would stop the page: they are not to be among what is told.
    """
    pipe.send_bytes(kind.encode() + b"\0" + json.dumps(message, allow_nan=False).encode())


def heard(pipe: Connection, wait: float | None) -> dict[str, Any] | None:
    """Return the next message to a worker; None if none has come in so many seconds.

    Raises:
        EOFError: the page is gone.
    """
    if not pipe.poll(wait):
        return None
    found = json.loads(pipe.recv_bytes())
    return found if isinstance(found, dict) else {}


def _begin(serve: Serve, pipe: Connection, given: dict[str, Any], parent: int) -> None:
    prepare(None, parent)
    with suppress(EOFError, BrokenPipeError):
        serve(pipe, given)


# --- what workers do -----------------------------------------------------------------------------


def serve_fluid(pipe: Connection, given: dict[str, Any]) -> None:
    """Answer each message `{KIND: what is asked}` of the fluid market, KIND of `ANSWERS`."""
    from .fluid import Fluid

    fluid = Fluid(given["targets"])
    answers = {"ask": fluid.answer, "toml": fluid.toml, "pin": fluid.pin}
    while True:
        message = heard(pipe, None)
        if message is None:
            continue
        ((kind, asked),) = message.items()
        try:
            tell(pipe, ANSWERS[kind], answers[kind](asked))
        except (EOFError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the page says what it was; others go on
            problem = {"text": unforeseen(error), "code": "", "field": "", "hint": "",
                       "warning": ""}  # fmt: skip
            tell(pipe, ANSWERS[kind], {"problems": [problem]})


def serve_solver(pipe: Connection, given: dict[str, Any]) -> None:
    """Solve what each message `{"solve": ...}` asks for, telling after each step."""
    from .solver import Solver

    os.nice(_NICE)  # the page's other processes go first
    solver = Solver(given["targets"])
    while True:
        message = heard(pipe, None)
        if message is None:
            continue
        try:
            for told in solver.steps(message["solve"]):
                tell(pipe, "solved", told)
        except (EOFError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the page says what it was
            of = str(message["solve"].get("of", ""))
            why = unforeseen(error)
            tell(pipe, "solved", {"figures": {}, "of": of, "done": True, "why": why})


def serve_simulation(pipe: Connection, given: dict[str, Any]) -> None:
    """Simulate for one page: hear what it says, and send a frame after each turn."""
    from .simulator import Simulator

    def send(message: dict[str, Any]) -> None:
        for kind, told in message.items():
            tell(pipe, kind, told)

    simulator = Simulator(given["targets"], send)
    gc.freeze()  # what is imported stays, and need not be looked at with each new market
    waiting: dict[str, dict[str, Any]] = {}
    rest: float | None = None
    while True:
        # All that has come is looked at first: no big market is built for each place of a slider.
        message = heard(pipe, 0.0 if waiting else rest)
        if message is not None:
            keep(waiting, message)
            continue
        try:
            if waiting:
                simulator.hear(first(waiting))
                rest = 0.0
            elif simulator.playing:
                rest = simulator.turn()
            if not simulator.playing:
                rest = None
        except EOFError:
            raise
        except Exception as error:  # noqa: BLE001 - the page says what it was
            simulator.playing, rest = False, None
            send({"halted": unforeseen(error)})


def unforeseen(error: Exception) -> str:
    """Return an error nobody has foreseen in one line, with where it came from."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return readable(f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})")


__all__ = [
    "ANSWERS",
    "DEAD",
    "Worker",
    "first",
    "heard",
    "keep",
    "serve_fluid",
    "serve_simulation",
    "tell",
    "unforeseen",
]
