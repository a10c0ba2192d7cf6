"""The real commands in processes of their own, and displays that look at them."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from display.messages.feed import SUBPROTOCOL, DeviceState, Heartbeat, Hello, Next, ServerMessage, State
from display.messages.study import FramesRequest, StudyChoice, StudyEntry, StudyList, StudyReport
from tests.conftest import SYSTEM_PATH

PATIENCE_S = 60.0
"""The longest wait for what has no figure of its own, on a busy machine."""

ENVIRONMENT_BIN = Path(sys.executable).parent

Message = TypeVar("Message", Hello, State, Heartbeat)


def command(name: str) -> str:
    """Find one of the two commands as they are installed."""
    found = shutil.which(name, path=str(ENVIRONMENT_BIN))
    assert found is not None, f"{name} is not installed: run make env"
    return found


def peer(name: str) -> str:
    """Find a system program; the environment's own, such as pynetdicom's storescu, are no independent peers."""
    folders = [folder for folder in SYSTEM_PATH.split(os.pathsep) if Path(folder) != ENVIRONMENT_BIN]
    found = shutil.which(name, path=os.pathsep.join(folders))
    assert found is not None
    return found


class _Lines:
    """What a process writes, read as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._written = ""
        self._is_over = False
        self._changed = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._written += line
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        """All of it so far."""
        return self._written

    def wait_for(self, pattern: str, within_s: float) -> re.Match[str]:
        """Wait until a pattern has been written."""
        with self._changed:
            self._changed.wait_for(lambda: re.search(pattern, self._written) or self._is_over, within_s)
            found = re.search(pattern, self._written)
        assert found is not None, f"{pattern!r} was not written, but:\n{self._written}"
        return found

    def close(self) -> None:
        """Read to the end."""
        self._reading.join()
        self._stream.close()


class Service:
    """One of the commands, running."""

    def __init__(self, *arguments: object, folder: Path, name: str = "radionav") -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [command(name), *map(str, arguments)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout, self._stderr = _Lines(self._process.stdout), _Lines(self._process.stderr)

    def said(self, pattern: str, *, within_s: float = PATIENCE_S) -> re.Match[str]:
        """Wait until a pattern stands on its standard error."""
        return self._stderr.wait_for(pattern, within_s)

    @property
    def display(self) -> str:
        """Host and port of its display, once it says so."""
        return self.said(r"the display is at http://(\S+)/\n")[1]

    @property
    def node_port(self) -> int:
        """Port of its storage node, once it says so."""
        return int(self.said(r"the DICOM node listens at \S+:(\d+)\n")[1])

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end, as an init system does."""
        self._process.terminate()

    def ended(self, *, within_s: float = PATIENCE_S) -> int:
        """Wait for its end and return its exit code."""
        code = self._process.wait(within_s)
        for lines in (self._stdout, self._stderr):
            lines.close()
        return code

    @property
    def output(self) -> str:
        """What it has written on standard output."""
        return self._stdout.text

    @property
    def complaints(self) -> str:
        """What it has written on standard error."""
        return self._stderr.text

    def descendants(self) -> list[int]:
        """Processes that it has started, and those that these have."""
        found, asked = [], [self._process.pid]
        while asked:
            threads = Path(f"/proc/{asked.pop()}/task").iterdir()
            children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
            found += children
            asked += children
        return found

    def studies(self) -> tuple[StudyEntry, ...]:
        """Ask which studies it has received."""
        return self.listed().studies

    def listed(self) -> StudyList:
        """Ask for the list of studies as it is now."""
        connection = http.client.HTTPConnection(self.display, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/v1/studies")
            return msgspec.json.decode(connection.getresponse().read(), type=StudyList)
        finally:
            connection.close()

    def report(self, study_uid: str) -> StudyReport | None:
        """Ask what it made of a study; None where it knows none of it yet."""
        connection = http.client.HTTPConnection(self.display, timeout=PATIENCE_S)
        try:
            connection.request("GET", f"/v1/studies/{study_uid}")
            response = connection.getresponse()
            body = response.read()
            assert response.status in {200, 404}, body
            return msgspec.json.decode(body, type=StudyReport) if response.status == 200 else None
        finally:
            connection.close()

    def confirm_frames(self, request: FramesRequest) -> tuple[int, str]:
        """Say that two frames of reference are one space, or no longer; gives status and sentence."""
        connection = http.client.HTTPConnection(self.display, timeout=PATIENCE_S)
        try:
            body = msgspec.json.encode(request)
            connection.request("POST", "/v1/frames", body, {"Origin": f"http://{self.display}"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def choose(self, study: StudyEntry) -> None:
        """Confirm that the patient of this study lies on the table."""
        choice = StudyChoice(
            study_uid=study.study_uid,
            patient_id=study.patient_id,
            patient_name=study.patient_name,
            revision=self.listed().revision,
        )
        connection = http.client.HTTPConnection(self.display, timeout=PATIENCE_S)
        try:
            connection.request(
                "POST", "/v1/procedure", msgspec.json.encode(choice), {"Origin": f"http://{self.display}"}
            )
            response = connection.getresponse()
            assert response.status == 204, response.read()
        finally:
            connection.close()

    def end(self) -> None:
        """End it if it still runs, whatever state it is in."""
        if self._process.poll() is None:
            self._process.kill()
        self.ended()


@contextmanager
def running(*arguments: object, folder: Path, name: str = "radionav") -> Iterator[Service]:
    """Run a command until the end of the block."""
    service = Service(*arguments, folder=folder, name=name)
    try:
        yield service
    finally:
        service.end()


def finish(*arguments: object, folder: Path, name: str = "radionav") -> tuple[int, str, str]:
    """Run a command to its own end; returns exit code, standard output and standard error."""
    with running(*arguments, folder=folder, name=name) as service:
        code = service.ended(within_s=2 * PATIENCE_S)  # it starts, and does its work
        return code, service.output, service.complaints


def send(files: Sequence[Path], *, port: int, calling_ae: str = "STRANGER") -> None:
    """Send objects with DCMTK's storescu."""
    told = ["-aet", calling_ae, "-aec", "RADIONAV", "127.0.0.1", str(port)]
    sent = subprocess.run(  # noqa: S603 - a peer that the test names
        [peer("storescu"), *told, *map(str, files)],
        env=os.environ | {"TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr


class Display:
    """A display that draws at once and remembers all that it was sent."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._received: list[tuple[float, ServerMessage]] = []
        self._is_over = False
        self._changed = threading.Condition()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()

    def _look(self) -> None:
        drawn = -1
        try:
            while True:
                message: ServerMessage = msgspec.json.decode(self._connection.recv(), type=ServerMessage)
                with self._changed:
                    self._received.append((time.monotonic(), message))
                    self._changed.notify_all()
                if isinstance(message, State):
                    drawn = message.seq
                if isinstance(message, State | Hello):
                    self._connection.send(msgspec.json.encode(Next(last_seq=drawn)).decode())
        except ConnectionClosed:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def received(self, kind: type[Message]) -> list[tuple[float, Message]]:
        """All messages of a kind, with the host's monotonic time at which each came, s."""
        return [(came_s, message) for came_s, message in tuple(self._received) if isinstance(message, kind)]

    @property
    def states(self) -> list[State]:
        """All states so far."""
        return [state for _, state in self.received(State)]

    def until(
        self, is_so: Callable[[State], object], *, after_seq: int = -1, within_s: float = PATIENCE_S
    ) -> State:
        """Wait for the first state later than ``after_seq`` of which something is so."""
        looked_at, deadline_s = 0, time.monotonic() + within_s
        while new := self._received_after(looked_at, deadline_s):
            looked_at += len(new)
            for message in new:
                if isinstance(message, State) and message.seq > after_seq and is_so(message):
                    return message
        pytest.fail(f"it never came to be so; the last message was {self._received[-1:]}")

    def _received_after(self, count: int, deadline_s: float) -> list[ServerMessage]:
        """Wait for more than so many messages and return the rest; none where none comes."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._received) > count or self._is_over, deadline_s - time.monotonic()
            )
            return [message for _, message in self._received[count:]]

    def close(self) -> None:
        """Leave."""
        self._connection.close()
        self._looking.join()


@contextmanager
def looking(address: str) -> Iterator[Display]:
    """Look at a service until the end of the block."""
    spoken = [Subprotocol(SUBPROTOCOL)]
    with connect(f"ws://{address}/v1/feed", subprotocols=spoken, proxy=None, ping_interval=None) as connection:
        display = Display(connection)
        try:
            yield display
        finally:
            display.close()


def device(state: State, name: str) -> DeviceState:
    """One input of a state."""
    return next(each for each in state.devices if each.name == name)


def is_live(name: str) -> Callable[[State], bool]:
    """Tell whether an input is live."""
    return lambda state: device(state, name).state == "live"


def summary(output: str) -> dict[str, Any]:
    """The one JSON line of a run that has ended."""
    (line,) = output.splitlines()
    told: dict[str, Any] = json.loads(line)
    return told
