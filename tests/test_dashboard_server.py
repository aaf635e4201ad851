"""The dashboard's server as a page meets it: who may talk to it, what comes when things end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import walras as w
from walras.analysis.dashboard.guard import LOCAL, Guard
from walras.analysis.dashboard.tabs import Tabs
from walras.analysis.dashboard.workers import Worker, tell
from walras.analysis.dashboard.workers import heard as heard_by

_SERVE = """
import sys
from walras.analysis.dashboard.opened import opened
from walras.analysis.dashboard.server import listener, serve
if __name__ == "__main__":
    listening = listener("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    serve(listening, *opened(sys.argv[1]), idle=float(sys.argv[2]))
"""
_LINUX = pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small market."""
    task = w.TaskClass("chat", w.Poisson(1.0), value=1.0, deadline=5.0, choice=w.Logit(0.1),
                       output_tokens=w.Exponential(1.0))  # fmt: skip
    sellers = [w.Seller(n, accuracy=0.9, slots=2, price=w.per_task(0.1)) for n in ("one", "two")]
    path = tmp_path_factory.mktemp("dashboard") / "small.toml"
    path.write_text(w.to_toml(w.Market([task], sellers, name="small")))
    return str(path)


@contextmanager
def served(file: str, idle: float = 60.0) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Serve a scenario from a process of its own; yield port and process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, file, str(idle)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def port(file: str) -> Iterator[int]:
    """A server that all tests share which do not end it."""
    with served(file) as (port, _):
        yield port


@pytest.fixture(scope="module")
def watched(port: int) -> Iterator[ClientConnection]:
    """A page that is open all the while."""
    with page(port, "small") as stream:
        heard(stream, "fluid")
        yield stream


def got(port: int, path: str, **headers: str) -> tuple[int, bytes, HTTPResponse]:
    """Return status, body and response of a request."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as http:
        http.request("GET", path, headers={"Host": f"127.0.0.1:{port}"} | headers)
        answer = http.getresponse()
        return answer.status, answer.read(), answer


@contextmanager
def page(port: int, file: str = "") -> Iterator[ClientConnection]:
    """Open a page's socket."""
    origin: Any = f"http://127.0.0.1:{port}"
    with connect(f"ws://127.0.0.1:{port}/socket", origin=origin, max_size=None) as stream:
        if file:
            say(stream, ask={"scenario": file, "task": ""})
        yield stream


def say(stream: ClientConnection, **message: Any) -> None:
    """Send a message as the page does."""
    stream.send(json.dumps(message))


def heard(stream: ClientConnection, kind: str, until: float = 60.0) -> Any:
    """Return the next message of a kind."""
    end = time.monotonic() + until
    while time.monotonic() < end:
        message = json.loads(stream.recv(max(end - time.monotonic(), 0.1)))
        if kind in message:
            return message[kind]
    raise AssertionError(f"no {kind} came")


def read(stream: ClientConnection) -> None:
    """Read what comes until there is no more."""
    while True:
        stream.recv(5)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, of Python alone."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text, line = stat.read_text(), (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid and "spawn_main" in line:
            found.append(int(stat.parent.name))
    return found


def gone(pids: list[int], within: float = 15.0) -> bool:
    """Return whether processes have ended in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- who may talk to it ---------------------------------------------------------------------------


def test_pages_of_other_names_and_from_elsewhere_are_refused(port: int) -> None:
    assert got(port, "/")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", ""):
        assert got(port, "/", Host=host)[0] == 421, host
    assert got(port, "/_dash-layout", Origin="http://evil.example")[0] == 403
    for bad in ("null", "http://[::1", "http://[x]:1", "http://a\xbc/"):  # some are no address
        assert got(port, "/_dash-layout", Origin=bad)[0] == 403, bad
    for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", None):
        told: Any = origin
        for path in ("/socket", "/_dash-ws-callback"):
            with pytest.raises(InvalidStatus) as caught, connect(
                f"ws://127.0.0.1:{port}{path}", origin=told
            ):  # fmt: skip
                pass
            assert caught.value.response.status_code == 403


def test_dash_may_be_told_nothing(port: int, watched: ClientConnection) -> None:
    """Each took bodies of any size, and a malformed text left 60 lines in the log."""
    own: Any = f"http://127.0.0.1:{port}"
    with pytest.raises(InvalidStatus) as caught, connect(
        f"ws://127.0.0.1:{port}/_dash-ws-callback", origin=own
    ):  # fmt: skip
        pass
    assert caught.value.response.status_code == 404
    for method in ("POST", "PUT", "DELETE"):
        with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as http:
            http.request(method, "/_dash-update-component", body=b"[" * 1_000)
            assert http.getresponse().status == 405
    say(watched, run="step")
    assert heard(watched, "live")["time"] >= 0.0


def test_at_the_port_of_http_a_browser_names_no_port() -> None:
    assert asked("127.0.0.1", 80) == asked("localhost:80", 80) == 200
    assert asked("127.0.0.1", 8732) == asked("127.0.0.1:8732", 80) == 421


def asked(host: str, port: int) -> int:
    """Return how the guard at a port answers to a name."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"",
             "headers": [(b"host", host.encode())]}  # fmt: skip
    asyncio.run(Guard(app, port, LOCAL, None)(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


def test_nothing_may_be_loaded_from_elsewhere(port: int) -> None:
    _, body, answer = got(port, "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert b"http://" not in body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../../../pyproject.toml", "/assets/%2e%2e/%2e%2e/server.py",
        "/assets/..%2f..%2fserver.py", "/assets//etc/passwd", "/assets/%00", "//etc/passwd",
        "/_dash-component-suites/dash/../../../../../etc/passwd", "/assets/....//server.py",
        "/_dash-component-suites/%2e%2e%2f%2e%2e%2fserver.py", "/assets/board.js%00.css",
        "/file:///etc/passwd", "/assets/\\..\\server.py", "/runs/../manifest.json",
    ],
)  # fmt: skip
def test_no_path_reads_a_file(port: int, path: str) -> None:
    status, body, _ = got(port, path)
    assert b"root:" not in body
    assert b"setuptools" not in body
    assert b"def serve(" not in body
    assert status in (200, 400, 404, 500)
    if status == 200:  # the page itself
        assert b"_dash-config" in body


def test_without_its_token_a_page_gets_401() -> None:
    """The guard by itself: host, origin, token; what it lets through, and with which cookie."""
    token = "right"  # noqa: S105 - of a test

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    def ask(query: str = "", cookie: str = "", kind: str = "http", path: str = "/") -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"far.example:80"), (b"cookie", cookie.encode("latin-1"))]
        if kind == "websocket":
            headers.append((b"origin", b"http://far.example:80"))
        path = "/socket" if kind == "websocket" else path
        scope = {"type": kind, "method": "GET", "path": path, "headers": headers,
                 "query_string": query.encode(),
                 "extensions": {"websocket.http.response": {}}}  # fmt: skip
        asyncio.run(Guard(app, 80, (), token)(scope, None, send))  # type: ignore[arg-type]
        return sent[0]["status"], dict(sent[0]["headers"])

    assert ask()[0] == 401
    assert ask("token=wrong")[0] == 401
    assert ask(cookie="walras-80=wrong")[0] == 401
    assert ask(cookie="walras-80=r\xefght")[0] == 401
    assert ask(kind="websocket")[0] == 401
    assert ask("token=right", kind="websocket")[0] == 401
    status, headers = ask("a=1&token=right&b=%3C", path="//evil.example/x")
    assert status == 303
    assert headers[b"location"] == b"/evil.example/x?a=1&b=%3C"
    assert ask("token=right", path="/\r\nx: y")[1][b"location"] == b"/%0D%0Ax%3A%20y"
    assert headers[b"set-cookie"].startswith(b"walras-80=right; HttpOnly; SameSite=Strict")
    assert ask(cookie="walras-80=right")[0] == 200
    assert ask(cookie="other=1; walras-80=right", kind="websocket")[0] == 200
    with pytest.raises(ValueError, match="token"):
        Guard(app, 80, (), None)


def test_a_host_that_others_reach_is_served_with_a_token_alone(file: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "walras", "dashboard", file, "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        port, _, token = address.rpartition(":")[2].strip().partition("/?token=")
        try:
            assert len(token) >= 24
            assert got(int(port), "/")[0] == 401
            status, _, answer = got(int(port), f"/?token={token}")
            assert status == 303
            cookie = answer.headers["set-cookie"].partition(";")[0]
            assert got(int(port), "/", Cookie=cookie)[0] == 200
            assert got(int(port), "/assets/board.js")[0] == 401
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_the_address_of_an_ipv6_host_can_be_opened(file: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "walras", "dashboard", file, "--host", "::1", "--port", "0"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().partition(": ")[2]
            if not said:
                pytest.skip("this machine has no ::1")
            assert urlsplit(said.strip()).hostname == "::1"
            assert urlsplit(said.strip()).port
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def test_a_port_that_is_taken_and_a_folder_that_is_none_are_bad_input(
    file: str, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for more, said in (([file, "--port", port], f"port {port} is taken"),
                           ([str(tmp_path)], "neither a run nor a sweep"),
                           (["no/such/run"], "is no file"),
                           ([file, "--host", "256.1.1.1"], "nothing can listen")):  # fmt: skip
            found = subprocess.run(
                [sys.executable, "-m", "walras", "dashboard", *more], capture_output=True,
                text=True, cwd=tmp_path, timeout=60, check=False,
            )  # fmt: skip
            assert found.returncode == 2, found.stderr
            assert said in found.stderr
            assert "Traceback" not in found.stderr


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "{", "[]", "null", "7", '"text"', b"\xff\x00", "[" * 20_000, "x" * 70_000,
        '{"what": 1}', '{"ask": 1}', '{"ask": {}, "run": "play"}', "{}", '{"pace": NaN}',
        '{"pace": 1e999}', '{"pace": 1' + "0" * 400 + "}", '{"chosen": {"offers": [1, "2"]}}',
        '{"chosen": {"else": []}}', '{"run": "away"}', '{"run": ["play"]}',
        '{"pace": "\\ud800"}', '{"run": {}}', '{"chosen": 3}', '{"solve": []}',
    ],
)  # fmt: skip
def test_what_is_no_message_ends_its_page_alone(
    port: int, watched: ClientConnection, message: Any
) -> None:
    with page(port) as stream:
        stream.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            read(stream)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code in (1003, 1007, 1009)
    say(watched, run="step")
    assert heard(watched, "live")["time"] >= 0.0


def test_a_flood_of_questions_is_answered_with_the_newest(port: int) -> None:
    with page(port, "small") as stream:
        heard(stream, "fluid")
        for i in range(300):
            say(stream, ask={"scenario": "small", "seed": str(i)})
        last = {"scenario": "small", "set": ["tasks.chat.loss=0.125"]}
        say(stream, ask=last)
        answers = 0
        while True:
            answers += 1
            if "loss=0.125" in heard(stream, "fluid")["command"]:
                break
        assert answers < 100


def test_a_page_that_takes_nothing_makes_nothing_grow() -> None:
    """Of each kind a page is kept the newest message alone."""
    tab = Tabs({}).open.get(0)
    assert tab is None

    async def fill() -> dict[str, bytes]:
        tab = Tabs({}).add()
        for i in range(10_000):
            tab.post("live", str(i).encode())
            tab.post("ribbons", b"x")
        return tab.waiting

    assert asyncio.run(fill()) == {"live": b"9999", "ribbons": b"x"}


def test_a_worker_that_is_busy_keeps_nobody_waiting() -> None:
    """What a process has no time to hear waits beside it, the newest of each kind alone."""
    heard_: list[tuple[str, bytes]] = []
    worker = Worker(sleepy, {}, lambda _, kind, told: heard_.append((kind, told)))
    begin = time.monotonic()
    for i in range(2_000):
        worker.send({"chosen": [i] * 1_000})
        worker.send({"run": "step"})
    assert time.monotonic() - begin < 5.0
    deadline = time.monotonic() + 60.0
    while len(heard_) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    worker.stop()
    told = dict(heard_)
    assert json.loads(told["last"]) == 1_999
    assert json.loads(told["count"]) < 2_000  # of 4,000


def sleepy(pipe: Any, _: dict[str, Any]) -> None:
    """Hear nothing for a while, then all; tell what was chosen last, and of how many messages."""
    time.sleep(4.0)
    count, last = 0, -1
    while last != 1_999:
        message = heard_by(pipe, 10.0) or {}
        count, last = count + 1, message.get("chosen", [last])[0]
    tell(pipe, "last", last)
    tell(pipe, "count", count)


def test_two_pages_are_two_markets(port: int) -> None:
    with page(port, "small") as one, page(port, "small") as two:
        for stream in (one, two):
            heard(stream, "fluid")
            say(stream, pace=600.0)
        say(one, run="play")
        while heard(one, "live")["time"] < 300.0:
            pass
        say(two, run="step")
        while (told := heard(two, "live"))["time"] == 0.0:
            pass
        assert told["time"] == pytest.approx(60.0)
        assert not told["playing"]


# --- ends -----------------------------------------------------------------------------------------


@_LINUX
def test_a_simulator_that_is_killed_can_be_started_again(file: str) -> None:
    with served(file) as (port, process), page(port, "small") as stream:
        heard(stream, "fluid")
        say(stream, run="play")
        while heard(stream, "live")["time"] == 0.0:
            pass
        before = set(children(process.pid))
        for pid in before:  # the one that simulates and the one that solves
            os.kill(pid, signal.SIGKILL)
        assert "press play" in heard(stream, "halted")
        say(stream, run="play")
        while heard(stream, "live")["time"] == 0.0:
            pass
        say(stream, ask={"scenario": "small", "seed": "3"})
        assert heard(stream, "fluid")["tasks"] == ["chat"]
        assert gone(list(before))


@_LINUX
def test_a_simulator_that_stands_still_holds_up_no_other_page(file: str) -> None:
    """What a page says to it fills its pipe; the server must not wait for that."""
    with served(file) as (port, process), page(port, "small") as first, page(port, "mm1") as other:
        heard(first, "live")
        stopped = children(process.pid)
        heard(other, "live")
        fluid, *others = sorted(children(process.pid))
        assert fluid in stopped
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        for _ in range(100):
            say(first, chosen={"offers": [0] * 9_000})
        say(other, ask={"scenario": "mm1", "set": ["run.until=300 h"]})
        assert heard(other, "fluid", 20.0)["command"] == "walras run mm1 --set 'run.until=300 h'"
        for pid in others:
            os.kill(pid, signal.SIGCONT)
        say(first, run="step")
        while not heard(first, "live")["time"]:
            pass


@_LINUX
def test_a_page_that_closes_takes_its_simulator_along(file: str) -> None:
    with served(file) as (port, process):
        with page(port, "small") as stream:
            heard(stream, "fluid")
            say(stream, run="play")
            heard(stream, "live")
            with page(port, "small") as other:
                heard(other, "live")
                both = set(children(process.pid))
            deadline = time.monotonic() + 15
            while len(left := set(children(process.pid))) > len(both) - 1:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert len(both - left) == 1
        assert gone(list(both), within=1.0) or len(children(process.pid)) <= 1  # the fluid market's


@_LINUX
@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_server_ends(file: str, signal_: signal.Signals) -> None:
    with served(file) as (port, process), page(port, "small") as stream:
        heard(stream, "fluid")
        say(stream, run="play")
        say(stream, solve={"scenario": "small"})
        while heard(stream, "live")["time"] == 0.0:
            pass
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(signal_)
        assert process.wait(20) in (0, -signal_)
        assert gone(workers)
        if signal_ is not signal.SIGKILL:
            assert process.stdout is not None
            assert "Traceback" not in process.stdout.read()


def test_the_server_ends_after_its_last_page(file: str) -> None:
    with served(file, idle=1.0) as (port, process):
        with page(port, "small") as stream:
            heard(stream, "fluid")
            time.sleep(2.5)
            assert process.poll() is None
        assert process.wait(20) == 0
