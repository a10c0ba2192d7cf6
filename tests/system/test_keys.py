"""The morning as a technologist types it: the installed command, a terminal, an instrument on a port."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from acquisition.logbook.logbook import open_logbook
from acquisition.logbook.settings import LogbookSettings
from devices.clock import monotonic
from simulators.ports import open_pty_port
from simulators.probes.mightyohm import SimulatedMightyOhm
from tests.system.running import PATIENCE_S, command

pytestmark = pytest.mark.timeout(1200)
"""A busy host takes most of a minute to start a command."""

SITE = """
nuclide = "Tc-99m"
[site]
name = "General hospital"
room = "OR 3"
[probes.gamma]
driver = "mightyohm"
label = "Gamma probe"
port = "{port}"
silence_s = 3.0
response = "gamma.json"
[acquire.check_source]
nuclide = "Co-57"
label = "no. 1234"
reference_at = 2026-06-01T08:00:00+02:00
reference_cps = 528.0
distance_mm = 10.0
[acquire.sensitivity]
reference_cps_per_mbq = 2000.0
"""

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A person's end of a terminal on which a command runs."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        self._written = ""
        self._seen = 0
        self._is_over = False
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        try:
            self._written += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # nobody has its other end any more
            self._is_over = True
            asyncio.get_running_loop().remove_reader(self._ours)
        self._changed.set()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    async def reads(self, pattern: str) -> None:
        """Wait until a pattern is read behind the one that was read before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not self._is_over and not re.search(pattern, self.text[self._seen :], re.DOTALL):
                    self._changed.clear()
                    await self._changed.wait()
        found = re.search(pattern, self.text[self._seen :], re.DOTALL)
        assert found is not None, f"{pattern!r} is not read in {self.text[self._seen :]!r}"
        self._seen += found.end()

    @property
    def text(self) -> str:
        """All that was written, without colours, in one line."""
        return " ".join(CONTROLS.sub("", self._written).split())

    def close(self) -> None:
        """Leave it."""
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


@asynccontextmanager
async def acquiring(folder: Path, *what: str) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """Run ``acquire`` on a terminal, for an instrument that counts at a steady rate."""
    (folder / "site.toml").write_text(SITE.format(port=folder / "probe"))
    instrument = SimulatedMightyOhm(
        lambda start_s, end_s: round(5 * (end_s - start_s)),
        powered_at_s=monotonic(),
        rng=np.random.default_rng(8),
        dead_time_s=0.0,
    )
    async with open_pty_port(instrument, folder / "probe"):
        terminal = Terminal()
        process = await asyncio.create_subprocess_exec(
            *(command("acquire"), *what, "--config", "site.toml", "--person", "A. Berg"),
            stdin=terminal.theirs,
            stdout=subprocess.DEVNULL,
            stderr=terminal.theirs,
            cwd=folder,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
            start_new_session=True,
        )
        os.close(terminal.theirs)
        try:
            yield terminal, process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            terminal.close()


def report_in(folder: Path) -> str:
    """Read the one report that was written."""
    (page,) = folder.rglob("*.html")
    return page.read_text()


async def test_repeats_and_what_is_left_out_are_recorded_with_their_reasons(tmp_path: Path) -> None:
    """Asked alone on its line, nothing counting; Ctrl-C ends it, and record and report tell all until then."""
    async with acquiring(tmp_path) as (terminal, process):
        await terminal.reads("1/9 battery.*ends acquire")
        terminal.type("s\n")
        await terminal.reads("Why")
        terminal.type("\n")
        await terminal.reads("Why")
        terminal.type("meter is broken\n")
        await terminal.reads("FAIL interrupted to leave out: meter is broken.*2/9 background.*ends acquire")
        terminal.type("\n")
        await terminal.reads("s left")
        terminal.type("r\n")
        await terminal.reads("Why")
        terminal.type("door was open\n")
        await terminal.reads("FAIL interrupted to repeat: door was open.*ends acquire")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 1
        await terminal.reads("did not pass: do not use it. Ended early: interrupted by Ctrl-C")
    asked = terminal.text.split("Why")[-1].split("FAIL")[0]
    assert "s left" not in asked, "a bar goes over the question"
    with open_logbook(LogbookSettings().beside(tmp_path)) as logbook:
        (kept,) = logbook.read().records
    battery, background = kept.record.told["steps"]
    assert kept.record.told["aborted"] == "interrupted by Ctrl-C"
    assert battery["remarks"] == ["leave out: meter is broken"]
    assert background["remarks"] == ["repeat: door was open"]
    page = report_in(tmp_path)
    for words in ("leave out: meter is broken", "repeat: door was open", "Ended early: interrupted by Ctrl-C"):
        assert words in page


async def test_a_terminal_that_is_closed_ends_the_morning(tmp_path: Path) -> None:
    """The end of input, as by Ctrl-D, ends it like any other: recorded, with the reason."""
    async with acquiring(tmp_path) as (terminal, process):
        await terminal.reads("1/9 battery.*ends acquire")
        terminal.type("\x04")
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 1
    with open_logbook(LogbookSettings().beside(tmp_path)) as logbook:
        (kept,) = logbook.read().records
    assert (kept.record.passed, kept.record.told["aborted"]) == (False, "the terminal was closed")


async def test_a_count_that_is_ended_by_its_key_is_recorded(tmp_path: Path) -> None:
    """With what had been counted, in whose name; said, and none of it a count."""
    async with acquiring(tmp_path, "count", "swab 3") as (terminal, process):
        await terminal.reads("Place swab 3 before the tip.*ends acquire")
        terminal.type("\n")
        await terminal.reads("[1-9] cps .*s left")
        terminal.type("a\n")
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 1
        await terminal.reads(r"broken off: ended by the technologist; \d+ counts in .*Record 1 in the logbook")
    with open_logbook(LogbookSettings().beside(tmp_path)) as logbook:
        (kept,) = logbook.read().records
    told = kept.record.told
    assert (kept.record.passed, kept.record.person, told["label"], told["count"]) == (
        False,
        "A. Berg",
        "swab 3",
        None,
    )
    assert told["unfinished"]["counts"] > 0
