"""``radionav instrument try`` and a site file with a sheet, as whoever adds an instrument meets them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import reduce
from operator import xor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import config
import service
from devices.clock import monotonic
from devices.links import open_link
from simulators.ports import Instrument, open_pty_port, open_tcp_port
from simulators.probes.mightyohm import SimulatedMightyOhm
from tests.system.running import PATIENCE_S, command, peer

pytestmark = pytest.mark.timeout(180)

SHEETS = Path(config.__file__).parent / "instruments"


def counter() -> SimulatedMightyOhm:
    """Give a counter in a hurry."""
    rng = np.random.default_rng(1)
    return SimulatedMightyOhm(
        lambda start_s, end_s: int(rng.poisson(40 * (end_s - start_s))),
        powered_at_s=monotonic(),
        rng=rng,
        speed=50,
    )


async def radionav(*arguments: str) -> tuple[int, str, str]:
    """Run the command to its end; give exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        command("radionav"), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(2 * PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_sheet_is_tried_on_its_port() -> None:
    """A sheet that fits ends with 0 and shows lines beside counts."""
    sheet = str(SHEETS / "mightyohm.toml")
    async with open_tcp_port(counter()) as port:
        for seconds in ("3", "10", "30"):  # a machine that stands still for a while gets a longer look
            status, out, err = await radionav("instrument", "try", sheet, "--port", port.url, "--seconds", seconds)
            if status == 0:
                break
    assert status == 0, (out, err)
    assert "'CPS, " in out
    assert "it can go into the site file" in out


def test_what_cannot_be_tried_is_told_in_words(tmp_path: Path) -> None:
    """A sheet with a mistake, a port that is none and one where nobody listens: one sentence, exit status 2."""
    wrong = tmp_path / "console.toml"
    wrong.write_text('name = "Console"\nbaud_rate = 9600\nframing = {kind = "burst"}\n')
    for sheet, port, sentence in (
        (wrong, "/dev/ttyUSB0", "a burst needs its length"),
        (SHEETS / "mightyohm.toml", "COM1", "is no port"),
        (SHEETS / "mightyohm.toml", "socket://127.0.0.1:1", "nobody listens at socket://127.0.0.1:1"),
    ):
        told = CliRunner().invoke(service.radionav, ["instrument", "try", str(sheet), "--port", port])
        assert told.exit_code == 2
        assert sentence in told.stderr
        assert "Traceback" not in told.output


async def test_a_probe_by_sheet_is_reached_through_the_site_file(tmp_path: Path) -> None:
    """``radionav check`` opens it as any other; the sheet's path is relative to the site file."""
    (tmp_path / "console.toml").write_text((SHEETS / "mightyohm.toml").read_text())
    async with open_tcp_port(counter()) as port:
        (tmp_path / "site.toml").write_text(
            f"""
[site]
name = "General hospital"
room = "OR 3"
[probes.console]
driver = "sheet"
sheet = "console.toml"
port = "{port.url}"
silence_s = 1.8
"""
        )
        status, out, err = await radionav("check", "--config", str(tmp_path / "site.toml"))
    assert status == 0, (out, err)
    assert "console" in out + err
    assert "delivers readings" in out + err


PAGE = Path(config.__file__).parents[1] / "docs" / "instruments" / "sheets.md"


def example(name: str) -> str:
    """Give a whole sheet as it stands on the page that explains them."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(f'name = "{name}"')]
    return str(found)


class Nf300:
    """The console of the page's first example, as its document has it, in a hurry."""

    def __init__(self, *, period_s: float = 0.02) -> None:
        self._rng = np.random.default_rng(6)
        self._period_s = period_s
        self._is_on = False
        self.mean = 80.0
        self._spoken_at_s = 0.0
        self.heard = b""

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it answers at once
        """Obey each command that has ended."""
        self.heard += sent
        answers = b""
        for word in sent.split(b"\r")[:-1]:
            answers += b"NF300 SN 00417\r\n" * (word == b"ID?")
            self._is_on = {b"ON": True, b"OFF": False}.get(word, self._is_on)
        return answers

    def tick(self, now_s: float) -> bytes:
        """Send a line each period while it is on."""
        if not self._is_on or now_s - self._spoken_at_s < self._period_s:
            return b""
        self._spoken_at_s = now_s
        body = b"#R %05d B 3.71 S 0 " % self._rng.poisson(self.mean)
        return body + b"%02X\r\n" % (sum(body) % 256)


class Gb5:
    """The console of the second example: it speaks when it is asked, of all that it has counted."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(6)
        self._total = 4_294_967_250

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it answers at once
        """Answer each question."""
        answers = b""
        for word in sent.split(b"\r")[:-1]:
            self._total = (self._total + int(self._rng.poisson(20))) % 2**32
            body = b"GB5;T=%010d;B=87%%" % self._total
            line = body + b"*%02X" % reduce(xor, body)
            answers += {b"V": b"GB5 v1.2 #00042\r", b"?": line + b"\r"}.get(word, b"")
        return answers

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it never speaks by itself
        """Say nothing unasked."""
        return b""


class Mc2:
    """The console of the third example: bytes, and Modbus's cyclic checksum, made here bit by bit."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(6)
        self._spoken_at_s = 0.0

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it does not listen
        """Take no notice."""
        return b""

    def tick(self, now_s: float) -> bytes:
        """Send a block each 20 ms."""
        if now_s - self._spoken_at_s < 0.02:
            return b""
        self._spoken_at_s = now_s
        body = b"\xa5\x5a\x00" + int(self._rng.poisson(80)).to_bytes(2) + (3710).to_bytes(2)
        register = 0xFFFF
        for number in body:
            register ^= number
            for _ in range(8):
                register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
        return body + register.to_bytes(2, "little")


@asynccontextmanager
async def joined(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Join two ports by socat, as a cable would."""
    ends = [str(folder / end) for end in ("ours", "theirs")]
    socat = await asyncio.create_subprocess_exec(
        peer("socat"), *(f"pty,rawer,echo=0,link={end}" for end in ends), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not all(map(os.path.exists, ends)):  # noqa: ASYNC110 - a file says no word
                await asyncio.sleep(0.01)
        yield ends[0], ends[1]
    finally:
        socat.terminate()
        await socat.wait()


@asynccontextmanager
async def hosted(instrument: Instrument, port: str) -> AsyncIterator[None]:
    """Let an instrument speak at a port that is there already."""
    async with open_link(port, device="the console") as link:

        async def answer() -> None:
            while True:
                chunk = await link.read()
                await link.write(instrument.receive(chunk.received, monotonic()))

        async def speak() -> None:
            while True:
                await link.write(instrument.tick(monotonic()))
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(answer()), asyncio.create_task(speak())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.peer("socat")
@pytest.mark.parametrize(
    ("name", "instrument", "shown"),
    [
        ("NF-300", Nf300, ["'#R 000", "NF-300, NF300 SN 00417: ", "counts in 0.2 s, ok"]),
        ("GB-5", Gb5, ["'GB5;T=", "GB-5, GB5 v1.2 #00042: ", "counts in 0.2"]),
        ("MC-2", Mc2, ["a5 5a 00 00 ", "battery 3710: ", "counts in 0.1 s, ok"]),
    ],
)
async def test_a_console_is_added_by_the_sheet_on_the_page(
    name: str, instrument: type[Nf300 | Gb5 | Mc2], shown: list[str], tmp_path: Path
) -> None:
    """Who knows only the page adds a console in under 30 lines: the example, tried through socat, is fit."""
    text = example(name)
    assert len(text.splitlines()) < 31
    assert len([line for line in text.splitlines() if line.strip()]) < 30
    sheet = tmp_path / "console.toml"
    sheet.write_text(text, encoding="utf-8")
    console = instrument()
    async with joined(tmp_path) as (ours, theirs), hosted(console, theirs):
        for seconds in ("3", "10", "30"):  # a machine that stands still for a while gets a longer look
            status, out, err = await radionav(
                "instrument", "try", str(sheet), "--port", ours, "--seconds", seconds
            )
            if status == 0:
                break
    assert status == 0, (out, err)
    for words in (*shown, "it can go into the site file"):
        assert words in out
    if isinstance(console, Nf300):
        assert console.heard.startswith(b"ID?\r")
        assert console.heard.endswith(b"OFF\r")


async def learn(console: Nf300, *arguments: str) -> tuple[int, str]:
    """Run ``instrument learn`` to its end, and hold a source to the console when it asks for one."""
    process = await asyncio.create_subprocess_exec(
        command("radionav"),
        *("instrument", "learn", "--send", r"ON\r", "--stop", r"OFF\r", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(2 * PATIENCE_S):
        while line := (await process.stdout.readline()).decode():
            said += line
            if "hold a source to it now" in line:
                console.mean = 800.0
        return await process.wait(), said


async def test_a_sheet_is_learnt_and_then_tried(tmp_path: Path) -> None:
    """``learn`` asks for a source, writes sheet and session, and sends nothing that nobody named."""
    out, session = tmp_path / "console.toml", tmp_path / "console.session.jsonl"
    console = Nf300(period_s=0.1)
    async with open_pty_port(console, tmp_path / "probe") as port:
        for seconds in ("5", "20"):  # a machine that stands still for a while gets a longer look
            console.mean = 80.0
            out.unlink(missing_ok=True)
            session.unlink(missing_ok=True)
            status, said = await learn(console, "--port", port.url, "--seconds", seconds, "--out", str(out))
            if status == 0:
                break
    assert status == 0, said
    assert b"ID?" not in console.heard
    assert 'rule = "sum8"' in out.read_text(encoding="utf-8")
    tried = CliRunner().invoke(service.radionav, ["instrument", "try", str(out), "--session", str(session)])
    assert (tried.exit_code, "it can go into the site file" in tried.output) == (0, True), tried.output
    asked = ["instrument", "learn", "--session", str(session), "--out"]
    again = CliRunner().invoke(service.radionav, [*asked, str(out)])
    assert (again.exit_code, "is there already: give another --out" in again.stderr) == (2, True)
    other = tmp_path / "other.toml"
    again = CliRunner().invoke(service.radionav, [*asked, str(other)])
    assert again.exit_code == 0, again.output
    assert "[checksum]" in other.read_text(encoding="utf-8")


def test_a_session_or_a_port_but_not_both(tmp_path: Path) -> None:
    """Both commands want one of the two; a session that is none is told; nothing is written."""
    sheet = str(SHEETS / "mightyohm.toml")
    none = str(tmp_path / "none.jsonl")
    out = str(tmp_path / "console.toml")
    for arguments, sentence in (
        (["try", sheet], "give either --port, or --session"),
        (["learn", "--out", out, "--port", "/dev/x", "--session", none], "give either --port, or --session"),
        (["try", sheet, "--session", none], "cannot be read"),
        (["learn", "--out", out, "--session", none], "cannot be read"),
        (["learn", "--out", out, "--port", "COM1"], "is no port"),
        (["learn", "--out", out, "--port", "socket://127.0.0.1:1"], "nobody listens"),
        (["learn", "--out", str(tmp_path / "no" / "c.toml"), "--port", "/dev/x"], "cannot be written"),
    ):
        told = CliRunner().invoke(service.radionav, ["instrument", *arguments])
        assert (told.exit_code, sentence in told.stderr) == (2, True), told.output
    assert not Path(out).exists()
