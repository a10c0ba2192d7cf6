"""The process that speaks DICOMweb is started again, and who connects meanwhile is not kept waiting."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from devices.dicom.door import listen
from devices.dicom.web import process
from devices.dicom.web.process import WebProcess
from tests.devices.dicom.conftest import Make, Settings
from tests.devices.dicom.web.conftest import KIND, Open, in_parts


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


async def test_what_a_lost_one_had_taken_is_a_study_that_may_not_be_whole(open_site: Open, thing: Make) -> None:
    """Killed after the first object of a body: the study comes, says so, and the next process stores the rest."""
    taken, rest = thing(), thing(object_uid="1.2.3.4.6")

    async def body() -> AsyncIterator[bytes]:
        # more than a block: the first object is taken while the second is not whole
        begun = rest.meta.to_bytes() + rest.data_set + bytes(2_000_000)
        yield in_parts(taken.meta.to_bytes() + taken.data_set, begun)[:-100]
        await asyncio.Event().wait()

    async with open_site() as site, asyncio.timeout(60):
        sending = asyncio.create_task(
            site.http.post(f"{site.url}/studies", content=body(), headers={"content-type": KIND})
        )
        while not list(site.folder.glob("1.2.3/*.dcm")):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        os.kill(site.web_process, signal.SIGKILL)
        sending.cancel()  # it waits for its body, and does not see that nobody reads it
        study = await anext(site.node.studies())
        assert (len(study.objects), "objects may be missing" in study.reason) == (1, True)
        while True:
            try:
                stored = await site.store(rest.meta.to_bytes() + rest.data_set)
                break
            except httpx2.TransportError:  # it is being started
                await asyncio.sleep(0.1)
    assert stored.status_code == 200
