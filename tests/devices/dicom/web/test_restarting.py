"""The process that speaks DICOMweb is started again, and who connects meanwhile is not kept waiting."""

import asyncio
import itertools
import sys
from contextlib import closing
from pathlib import Path

import pytest

from devices.dicom.door import listen
from devices.dicom.web import process
from devices.dicom.web.process import WebProcess
from tests.devices.dicom.conftest import Settings


def _started_s(log: Path) -> list[float]:
    return [float(line) for line in log.read_text().splitlines()] if log.exists() else []


async def test_one_that_does_not_last_is_started_ever_more_seldom(
    settings: Settings, web: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends at once: each wait is twice the one before, up to the longest; the reason is told, and once."""
    log, program, told = tmp_path / "starts", tmp_path / "python", list[str]()
    program.write_text(f"#!/bin/sh\ndate +%s.%N >> {log}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(process, "FIRST_WAIT_S", 0.25)
    monkeypatch.setattr(process, "LONGEST_WAIT_S", 1.0)
    chosen = settings(web=web)
    assert chosen.web is not None
    with closing(listen("127.0.0.1", 0)) as listener:
        keeping = WebProcess(
            chosen,
            listener,
            notify=lambda _: None,
            numbers=itertools.count(),
            tell=told.append,
            clock=lambda: 0.0,
        )
        running = asyncio.create_task(keeping.run(chosen.web))
        async with asyncio.timeout(60):
            while len(_started_s(log)) < 5:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await reader.read() == b""
            writer.close()
        running.cancel()
        await asyncio.wait((running,))
    pauses_s = [later_s - earlier_s for earlier_s, later_s in itertools.pairwise(_started_s(log)[:5])]
    assert all(pause_s >= due_s for pause_s, due_s in zip(pauses_s, (0.25, 0.5, 1.0, 1.0), strict=True)), pauses_s
    assert told == ["DICOMweb is not served: its process has ended; see the node's error output"]
