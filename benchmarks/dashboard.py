"""How soon the dashboard answers a moved control, and how much a page is sent while it watches.

`python -m benchmarks.dashboard` from the project's folder, or `make bench`. The market is the
library's `marketplace`, the full catalogue; a page's socket is timed from a question to its
answer, maps of the fluid market and all, while the event market streams beside it. The goal is
under 150 ms on a machine whose cores nobody else uses.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from walras.analysis.dashboard.opened import opened
from walras.analysis.dashboard.server import listener, serve

GOAL = 150.0
ROUNDS, WATCHED = 40, 10.0
SCENARIO = "marketplace"


def main() -> None:
    """Print the answers' times, ms, and the frames of some seconds."""
    listening = listener("127.0.0.1", 0)
    port = listening.getsockname()[1]
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listening,))
    process.start()
    listening.close()
    try:
        origin: Any = f"http://127.0.0.1:{port}"
        with connect(f"ws://127.0.0.1:{port}/socket", origin=origin, max_size=None) as stream:
            _measure(stream)
    finally:
        process.terminate()
        process.join()


def _serve(listening: Any) -> None:
    serve(listening, *opened(SCENARIO))


def _measure(stream: ClientConnection) -> None:
    _say(stream, ask={"scenario": SCENARIO})
    _heard(stream, "fluid")
    _say(stream, pace=600.0)
    _say(stream, run="play")
    for _ in range(20):
        _heard(stream, "live")
    frames, sizes, end = 0, 0, time.monotonic() + WATCHED
    while time.monotonic() < end:
        sizes += len(stream.recv())
        frames += 1
    told = f"{frames / WATCHED:.1f} messages a second, {sizes / frames / 1e3:.0f} kB each"
    sys.stdout.write(f"watching: {told}\n")
    rng = np.random.default_rng(1)
    moves: dict[str, list[dict[str, Any]]] = {
        "price of reasoning": [{"reasoning": round(float(10.0**x), 3)}
                               for x in rng.uniform(-1, 1, ROUNDS)],
        "a model's price": [{"set": [f"sellers.o1.price.output={x:.4g}"]}
                            for x in rng.uniform(30, 90, ROUNDS)],
        "arrivals of a class": [{"set": [f"tasks.chat.arrivals.rate={x:.4g}"]}
                                for x in rng.uniform(1, 2, ROUNDS)],
    }  # fmt: skip
    for name, questions in moves.items():
        inside, outside = [], []
        for question in questions:
            begin = time.perf_counter()
            _say(stream, ask={"scenario": SCENARIO, **question})
            inside.append(float(_heard(stream, "fluid")["ms"]))
            outside.append(1e3 * (time.perf_counter() - begin))
        middle = float(np.median(outside))
        said = "under" if middle < GOAL else "NOT under"
        sys.stdout.write(
            f"{name:<20} {np.median(inside):4.0f} ms to solve and draw, {middle:4.0f} ms to the "
            f"page (9 of 10 within {np.quantile(outside, 0.9):.0f}), {said} {GOAL:.0f}\n"
        )


def _say(stream: ClientConnection, **message: Any) -> None:
    stream.send(json.dumps(message))


def _heard(stream: ClientConnection, kind: str) -> Any:
    while True:
        message = json.loads(stream.recv(120))
        if kind in message:
            return message[kind]


if __name__ == "__main__":
    main()
