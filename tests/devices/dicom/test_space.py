"""Too little room on the disk is told while it is so, and no longer."""

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from devices.dicom.client import StorageNode
from devices.dicom.messages import Impaired, Listening, Need, Refused
from devices.dicom.storage.space import SpaceWatch
from devices.dicom.storage.store import ObjectStore
from devices.readings import LinkState


class Disk(NamedTuple):
    """What the disk says of itself, blocks and their bytes."""

    f_bavail: int
    f_frsize: int


def test_each_change_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the floor in words, above it again with none; in between nothing."""
    free_mb, told = 500, list[str]()
    monkeypatch.setattr(os, "statvfs", lambda _: Disk(f_bavail=free_mb * 1000, f_frsize=1000))
    with ObjectStore.open(tmp_path, free_floor_mb=400) as store:
        watch = SpaceWatch(store, tell=told.append)
        for free_mb in (500, 399, 398, 400, 399):  # noqa: B007 - the disk reads it
            watch.look()
    sentence = f"MB are free in {tmp_path}, less than the floor of 400 MB: make room, or lower free_floor_mb"
    assert told == [f"399 {sentence}", "", f"399 {sentence}"]


async def test_room_again_is_told_when_nobody_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is looked at from time to time: whoever waits to send again need not try to find out."""
    free_mb, told = 399, list[str]()
    monkeypatch.setattr(os, "statvfs", lambda _: Disk(f_bavail=free_mb * 1000, f_frsize=1000))
    monkeypatch.setattr("devices.dicom.storage.space.LOOK_EVERY_S", 0.01)
    with ObjectStore.open(tmp_path, free_floor_mb=400) as store:
        watching = asyncio.create_task(SpaceWatch(store, tell=told.append).run())
        async with asyncio.timeout(20):
            while not told:  # noqa: ASYNC110 - the watch sets no event
                await asyncio.sleep(0.01)
            free_mb = 400
            while len(told) < 2:  # noqa: ASYNC110 - the watch sets no event
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.wait([watching])
    assert told[1] == ""


def test_a_disk_that_vanishes_is_told(tmp_path: Path) -> None:
    """A folder whose disk does not answer any more is as bad as a full one."""
    told = list[str]()
    SpaceWatch(ObjectStore(tmp_path / "gone", free_floor_mb=0), tell=told.append).look()
    assert "No such file" in told[0]


def refused(reason: str, total: int) -> Refused:
    return Refused(calling_ae="CT", address="10.0.0.7", reason=reason, total=total)


def test_the_health_tells_what_is_wrong_now() -> None:
    """A full disk stands before any refusal; with room again it is said how many objects must come again.

    Of many that are refused alike some only are told singly: all count.
    """
    node = StorageNode("dicom", Listening(host="127.0.0.1", port=1), process_id=1, clock=lambda: 0.0)
    node.take(refused("a stranger", total=1))
    node.take(Impaired(what=Need.DISK, reason="3 MB are free"))
    node.take(Impaired(what=Need.INDEX, reason="no database"))
    node.take(refused("3 MB are free", total=2))
    node.take(refused("3 MB are free; with it 1998 more", total=2001))
    assert (node.health.state, node.health.rejected) == (LinkState.LIVE, 2001)
    assert node.health.detail == "3 MB are free; no database; refused: CT at 10.0.0.7: a stranger"
    node.take(Impaired(what=Need.DISK, reason=""))
    assert node.health.detail == "no database; 2000 refused while the disk was full: send them again"
    node.take(Impaired(what=Need.INDEX, reason=""))
    assert node.health.detail == "2000 refused while the disk was full: send them again"


def test_a_full_disk_that_refused_nothing_is_forgotten() -> None:
    """With room again the last refusal of before stands there, as if nothing had been."""
    node = StorageNode("dicom", Listening(host="127.0.0.1", port=1), process_id=1, clock=lambda: 0.0)
    node.take(refused("a stranger", total=1))
    node.take(Impaired(what=Need.DISK, reason="3 MB are free"))
    node.take(Impaired(what=Need.DISK, reason=""))
    assert node.health.detail == "refused: CT at 10.0.0.7: a stranger"
