"""The OpenIGTLink client against our simulated tracker, against hand-made servers, and against pyigtl."""

import asyncio
import itertools
import json
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from devices.clock import monotonic
from devices.errors import DeviceFault, DeviceUnavailable
from devices.protocols import DeviceSettings
from devices.readings import PoseReading, PoseStatus
from devices.trackers.igtl import Message
from devices.trackers.igtl_bodies import (
    StartTracking,
    Status,
    TrackedTool,
    TrackingAnswer,
    TrackingFrame,
    Transform,
)
from devices.trackers.igtl_envelope import Metadata
from devices.trackers.igtl_quaternions import Position, QuaternionFrame, QuaternionTool
from devices.trackers.igtl_values import HERTZ_UNIT, Capability, Sensor, Words
from devices.trackers.openigtlink import OpenIgtLinkTracker, Settings
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker

QUARTER_TURN = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
POSE = (*QUARTER_TURN, 1.5, -2.0, 100.0)
Script: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PEER = Path(__file__).with_name("pyigtl_peer.py")


def settings(port: int, **keys: Any) -> Settings:
    """A tracker on this machine with one tool, which may stand still for as long as any may."""
    given = {"host": "127.0.0.1", "port": port, "tools": ("Probe",), "silence_s": 0.9, "frozen_after_s": 10.0}
    return Settings.model_validate({"driver": "openigtlink"} | given | keys)


def pose(x_mm: float) -> RigidTransform:
    """A quarter turn about z, somewhere on x."""
    rotation = np.reshape(QUARTER_TURN, (3, 3)).T
    return RigidTransform(
        to=Frame.TRACKER, from_=Frame.TOOL, rotation=rotation, translation_mm=np.array((x_mm, -2.0, 100.0))
    )


def transform(
    elements: tuple[float, ...] = POSE, *, tool: str = "Probe", status: str | None = None, timestamp: int = 0
) -> bytes:
    """A TRANSFORM; of version 2 with ``TransformStatus`` where a status is given."""
    metadata = () if status is None else (Metadata(key="TransformStatus", value=status.encode()),)
    message = Message(
        kind="TRANSFORM",
        device_name=tool,
        version=1 if status is None else 2,
        metadata=metadata,
        timestamp=timestamp,
        content=Transform(elements=elements).to_bytes(),
    )
    return message.to_bytes()


def frame(*tools: str, kind: int = 2) -> bytes:
    """A TDATA message with these tools."""
    content = TrackingFrame(tools=tuple(TrackedTool(name=tool, elements=POSE, kind=kind) for tool in tools))
    return Message(kind="TDATA", device_name="Tracker", content=content.to_bytes()).to_bytes()


def status(code: int, *, about: str = "Tracker", text: str = "") -> bytes:
    """A STATUS message."""
    return Message(kind="STATUS", device_name=about, content=Status(code=code, text=text).to_bytes()).to_bytes()


@asynccontextmanager
async def server(
    script: Script,
) -> AsyncIterator[int]:
    """Serve each client by a script; the link is closed when the script ends. Gives the port."""
    done = asyncio.Event()
    scripts: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scripts.add(asyncio.current_task())
        try:
            await script(reader, writer)
            await writer.drain()
        finally:
            writer.close()
            scripts.discard(asyncio.current_task())
            done.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        while scripts:
            done.clear()
            await done.wait()


@asynccontextmanager
async def connected(script: Script, **keys: Any) -> AsyncIterator[OpenIgtLinkTracker]:
    """Connect to a server that follows this script."""
    async with (
        asyncio.timeout(40),
        server(script) as port,
        settings(port, **keys).connect("tracker", clock=monotonic) as tracker,
    ):
        yield tracker


@asynccontextmanager
async def tracker_that_sends(*chunks: bytes, **keys: Any) -> AsyncIterator[OpenIgtLinkTracker]:
    """Connect to a server that sends these bytes and then holds the link."""
    left = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        await left.wait()

    async with connected(script, **keys) as tracker:
        try:
            yield tracker
        finally:
            left.set()


@asynccontextmanager
async def simulated(
    poses: Callable[[float], Mapping[str, RigidTransform | None]],
    *,
    keys: dict[str, Any] | None = None,
    **serving: Any,
) -> AsyncIterator[tuple[SimulatedTracker, OpenIgtLinkTracker]]:
    """Serve these poses and connect to them."""
    rng = np.random.default_rng(1)
    async with (
        asyncio.timeout(10),
        serve_tracker(poses, rng=rng, **serving) as served,
        settings(served.port, **(keys or {})).connect("tracker", clock=monotonic) as tracker,
    ):
        yield served, tracker


async def take(tracker: OpenIgtLinkTracker, count: int) -> list[PoseReading]:
    """The next so many readings."""
    return [await anext(tracker) for _ in range(count)]


async def count_to_the_end(tracker: OpenIgtLinkTracker) -> int:
    """Read until the link is lost; count the readings, each of which must have a pose."""
    count = 0
    try:
        async for reading in tracker:
            assert reading.status is PoseStatus.OK
            count += 1
    except DeviceUnavailable:
        return count
    raise AssertionError("iteration ended by itself")


def test_settings_are_a_device() -> None:
    """The settings are what the supervisor takes for a tracker."""
    device: DeviceSettings[PoseReading] = settings(1)
    assert device.silence_s == 0.9
    assert Settings.model_validate({"driver": "openigtlink", "host": "h", "tools": ["a"]}).silence_s == 0.5


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"tools": ("ProbeToReferenceTransform",)}, "write 'ProbeToReferenceTran'"),
        ({"tools": ()}, "at least 1"),
        ({"tools": ("Probe", "Probe")}, "named twice"),
        ({"lost_after_s": 10.0}, "below silence_s"),
        ({"hots": "x"}, "hots"),
        ({"silence_s": 0.0}, "greater than 0"),
        ({"silence_s": 0.95}, "less than or equal to 0.9"),
        ({"frozen_after_s": 10.1}, "less than or equal to 10"),
    ],
)
def test_settings_refuse_what_cannot_work(keys: dict[str, Any], sentence: str) -> None:
    """A setting that cannot work is refused with words that say what to write."""
    with pytest.raises(ValidationError, match=sentence):
        settings(18944, **keys)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["TDATA", "TRANSFORM"])
async def test_poses_arrive_in_order(kind: Any, version: Any) -> None:
    """Each frame's pose arrives once, in order, stamped by the host's clock, under both headers and types."""
    made_at_s: list[float] = []

    def poses(now_s: float) -> Mapping[str, RigidTransform | None]:
        made_at_s.append(now_s)
        return {"Probe": pose(float(len(made_at_s))), "Other": pose(0.0)}

    async with simulated(poses, rate_hz=200, kind=kind, version=version) as (_, tracker):
        readings = await take(tracker, 20)
        assert (tracker.identity, tracker.rejected) == ("", 0)
    for number, reading in enumerate(readings, start=1):
        assert (reading.device, reading.tool, reading.status) == ("tracker", "Probe", PoseStatus.OK)
        assert reading.tracker_from_tool is not None
        assert reading.tracker_from_tool.translation_mm[0] == number
        np.testing.assert_array_equal(reading.tracker_from_tool.rotation, pose(0).rotation)
        assert reading.taken_at_s >= made_at_s[number - 1]


async def test_batch_is_drained_in_order() -> None:
    """Many messages in one packet give all their readings, all with the packet's time."""
    batch = b"".join(transform((*QUARTER_TURN, float(x), 0.0, 0.0)) for x in range(500))
    async with tracker_that_sends(batch) as tracker:
        readings = await take(tracker, 500)
    poses = [reading.tracker_from_tool for reading in readings]
    assert [found.translation_mm[0] for found in poses if found] == list(range(500))


async def test_tool_left_out_of_tdata_is_missing_once_for_each_message() -> None:
    """A tool that was in the frames and is left out is missing at once, with each frame, until it is back."""
    async with tracker_that_sends(
        frame("Probe", "Patient"), frame("Patient"), frame(), frame("Probe", "Patient"), tools=("Probe", "Patient")
    ) as tracker:
        readings = await take(tracker, 8)
    by_tool = {
        tool: [reading.status.value for reading in readings if reading.tool == tool]
        for tool in ("Probe", "Patient")
    }
    assert by_tool == {"Probe": ["ok", "missing", "missing", "ok"], "Patient": ["ok", "ok", "missing", "ok"]}


async def test_tools_of_two_senders_do_not_miss_each_other() -> None:
    """Two TDATA streams on one link with different tools: neither makes the other's missing."""
    other = Message(
        kind="TDATA",
        device_name="Second",
        content=TrackingFrame(tools=(TrackedTool(name="Patient", elements=POSE),)).to_bytes(),
    ).to_bytes()
    async with tracker_that_sends((frame("Probe") + other) * 3, tools=("Probe", "Patient")) as tracker:
        readings = await take(tracker, 6)
    assert {reading.status for reading in readings} == {PoseStatus.OK}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (transform((0.0,) * 12), PoseStatus.MISSING),
        (transform((1.0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)), PoseStatus.MISSING),
        (transform(status="MISSING"), PoseStatus.MISSING),
        (transform(status="OUT_OF_VIEW"), PoseStatus.MISSING),
        (transform(status="UNKNOWN"), PoseStatus.MISSING),
        (status(16, about="Probe"), PoseStatus.MISSING),
        (transform((math.nan,) * 12), PoseStatus.REFUSED),
        (transform((*QUARTER_TURN, math.inf, 0, 0)), PoseStatus.REFUSED),
        (transform((0.0, -1.0, *QUARTER_TURN[2:], 0, 0, 0)), PoseStatus.REFUSED),
        (transform((0.0, 2.0, *QUARTER_TURN[2:], 0, 0, 0)), PoseStatus.REFUSED),
    ],
)
async def test_what_is_not_seen_or_no_pose_says_so(raw: bytes, expected: PoseStatus) -> None:
    """Every way of saying "not seen", and everything that is no pose, gives a reading without a pose."""
    async with tracker_that_sends(
        transform(), raw, transform(status="OK"), transform(status="SWITCH1_IS_ON")
    ) as tracker:
        readings = await take(tracker, 4)
        assert tracker.rejected == 0
    assert [reading.status for reading in readings] == [PoseStatus.OK, expected, PoseStatus.OK, PoseStatus.OK]
    assert readings[1].tracker_from_tool is None


@pytest.mark.parametrize("kind", [3, 4])
async def test_a_tool_that_does_not_know_its_turn_is_refused(kind: int) -> None:
    """A TDATA tool of type 3D or 5D has no pose, and says why; the next message of a whole one has."""
    async with tracker_that_sends(frame("Probe"), frame("Probe", kind=kind), frame("Probe")) as tracker:
        readings = await take(tracker, 3)
        assert tracker.rejected == 0
    assert [reading.status for reading in readings] == [PoseStatus.OK, PoseStatus.REFUSED, PoseStatus.OK]
    assert readings[1].said == f"tool type {kind} does not know its turn about its axis"


@pytest.mark.parametrize("kind", ["TRANSFORM", "TDATA"])
async def test_a_stream_that_has_frozen_is_no_live_pose(kind: str) -> None:
    """The same pose of the same time, again and again, is one reading; then the tool is missing till a new one."""
    if kind == "TDATA":
        content = TrackingFrame(tools=(TrackedTool(name="Probe", elements=POSE),)).to_bytes()
    else:
        content = Transform(elements=POSE).to_bytes()
    frozen = Message(kind=kind, device_name="Probe", content=content, timestamp=7 << 32).to_bytes()
    fresh = Message(kind=kind, device_name="Probe", content=content, timestamp=8 << 32).to_bytes()
    mended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not mended.is_set():
            writer.write(frozen)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(fresh)
        await writer.drain()
        await reader.read()

    with capture_logs() as logs:
        async with connected(script, lost_after_s=0.1) as tracker:
            statuses = [(await anext(tracker)).status for _ in range(3)]
            assert statuses == [PoseStatus.OK, PoseStatus.MISSING, PoseStatus.MISSING]
            mended.set()
            while (await anext(tracker)).status is not PoseStatus.OK:
                pass
    assert [line["event"] for line in logs].count("pose_repeated") == 1


@pytest.mark.parametrize("stamp_step", [1 << 32, 0])
async def test_a_sender_that_stamps_anew_what_it_repeats_has_frozen_too(stamp_step: int) -> None:
    """A pose that stays the same to the last bit is none any more, in words, until it is another one."""
    other = (*QUARTER_TURN, 1.5, -2.0, 100.001)
    mended = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.count(1):
            content = Transform(elements=other if mended.is_set() else POSE).to_bytes()
            stamp = number * stamp_step
            sent = Message(kind="TRANSFORM", device_name="Probe", content=content, timestamp=stamp)
            writer.write(sent.to_bytes())
            await writer.drain()
            if mended.is_set():
                return
            await asyncio.sleep(0.01)

    with capture_logs() as logs:
        async with connected(script, lost_after_s=0.1, frozen_after_s=0.2) as tracker:
            while (reading := await anext(tracker)).status is PoseStatus.OK:
                pass
            assert (reading.status, reading.tracker_from_tool) == (PoseStatus.MISSING, None)
            assert reading.said == "the same pose comes again and again: its sender has frozen, restart it"
            assert (await anext(tracker)).status is PoseStatus.MISSING
            mended.set()
            while (reading := await anext(tracker)).status is not PoseStatus.OK:
                pass
            assert reading.tracker_from_tool is not None
            assert reading.tracker_from_tool.translation_mm[2] == pytest.approx(100.001, abs=1e-4)
    assert [line["event"] for line in logs].count("pose_repeated") == 1


async def test_an_old_pose_is_not_live_again_because_its_tool_was_lost_meanwhile() -> None:
    """Sent again of the same time, after longer than ``lost_after_s``, it is no measurement: still missing."""
    content = Transform(elements=POSE).to_bytes()
    frozen = Message(kind="TRANSFORM", device_name="Probe", content=content, timestamp=7 << 32).to_bytes()
    lost, left = asyncio.Event(), asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frozen)
        for number in itertools.count():
            if lost.is_set():
                lost.clear()
                writer.write(frozen)
            writer.write(transform((*QUARTER_TURN, 1.5, -2.0, float(number)), tool="Patient"))
            await writer.drain()
            if left.is_set():
                return
            await asyncio.sleep(0.01)

    statuses: list[PoseStatus] = []
    async with connected(script, tools=("Probe", "Patient"), lost_after_s=0.05) as tracker:
        while len(statuses) < 4:
            if (reading := await anext(tracker)).tool == "Probe":
                statuses.append(reading.status)
                if reading.status is PoseStatus.MISSING:
                    lost.set()
        left.set()
        with pytest.raises(DeviceUnavailable):
            await take(tracker, 1000)
    assert statuses == [PoseStatus.OK, *[PoseStatus.MISSING] * 3]


@pytest.mark.parametrize(
    "hidden", [transform(status="MISSING", timestamp=7), transform((0.0,) * 12), status(16, about="Probe")]
)
async def test_an_old_pose_is_not_live_again_because_its_tool_was_hidden_meanwhile(hidden: bytes) -> None:
    """Seen, said to be hidden, and sent again of the same time it is no measurement; of a later time it is one."""
    seen, moved = transform(timestamp=7), (*QUARTER_TURN, 1.5, -2.0, 101.0)
    async with tracker_that_sends(seen, hidden, seen, seen, transform(moved, timestamp=8)) as tracker:
        readings = await take(tracker, 3)
    assert [reading.status for reading in readings] == [PoseStatus.OK, PoseStatus.MISSING, PoseStatus.OK]
    assert readings[2].tracker_from_tool is not None
    assert readings[2].tracker_from_tool.translation_mm[2] == 101.0


async def test_a_frozen_tool_that_is_no_longer_sent_is_lost_and_not_frozen() -> None:
    """While other tools are sent: nobody is told to restart a sender that has only lost sight of one."""
    frozen = transform(timestamp=7)
    stopped, left = asyncio.Event(), asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.count():
            writer.write(transform((*QUARTER_TURN, 1.5, -2.0, float(number)), tool="Patient"))
            if not stopped.is_set():
                writer.write(frozen)
            await writer.drain()
            if left.is_set():
                return
            await asyncio.sleep(0.01)

    said: list[str] = []
    async with connected(script, tools=("Probe", "Patient"), lost_after_s=0.05, frozen_after_s=1.0) as tracker:
        while said.count("") < 3:
            reading = await anext(tracker)
            if reading.status is PoseStatus.MISSING:
                said.append(reading.said)
                if reading.said:
                    stopped.set()
        left.set()
        with pytest.raises(DeviceUnavailable):
            await take(tracker, 1000)
    # what was on its way when it stopped may be one more
    assert [bool(words) for words in said] in ([True, *[False] * 3], [True, True, *[False] * 3])


async def test_a_pose_that_waited_on_its_way_is_not_live() -> None:
    """Sent in one go after 2 s, by the sender's stamps: the older is refused in words, the newest is believed."""
    now_s, chunks = 100.0, asyncio.Queue[bytes]()

    def stamped(made_at_s: float) -> bytes:
        return transform((*QUARTER_TURN, made_at_s, -2.0, 100.0), timestamp=round(made_at_s * 2**32))

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await chunks.get():
            writer.write(chunk)
            await writer.drain()

    async with asyncio.timeout(10), server(script) as port:
        async with settings(port).connect("tracker", clock=lambda: now_s) as tracker:
            chunks.put_nowait(stamped(7000.0))
            before = await anext(tracker)
            now_s = 102.0
            chunks.put_nowait(stamped(7000.2) + stamped(7002.0))
            waited, newest = await take(tracker, 2)
        chunks.put_nowait(b"")
    statuses = [reading.status for reading in (before, waited, newest)]
    assert statuses == [PoseStatus.OK, PoseStatus.REFUSED, PoseStatus.OK]
    assert waited.said == "its poses come 1.8 s late: free the tracker's computer and the network of other work"
    assert newest.tracker_from_tool is not None
    assert newest.tracker_from_tool.translation_mm[0] == 7002.0


async def test_a_tool_that_is_hidden_after_its_sender_froze_is_no_longer_called_frozen() -> None:
    """Where ``TransformStatus`` says that it is not seen, and then nothing more comes, no restart is wanted."""
    content = Transform(elements=POSE).to_bytes()
    frozen = Message(kind="TRANSFORM", device_name="Probe", content=content, timestamp=7 << 32).to_bytes()
    hidden, left = asyncio.Event(), asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not hidden.is_set():
            writer.write(frozen)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(transform(status="MISSING"))
        while not left.is_set():
            writer.write(status(1))
            await writer.drain()
            await asyncio.sleep(0.01)

    async with connected(script, lost_after_s=0.05) as tracker:
        while "has frozen" not in (await anext(tracker)).said:
            pass
        hidden.set()
        while (await anext(tracker)).said != "the tracker says: MISSING":
            pass
        reading = await anext(tracker)
        left.set()
        with pytest.raises(DeviceUnavailable):
            await take(tracker, 1000)
    assert (reading.status, reading.said) == (PoseStatus.MISSING, "")


async def test_tool_that_stops_while_others_go_on_is_missing() -> None:
    """A TRANSFORM tool of which nothing more comes is missing after ``lost_after_s``, and comes back."""

    def poses(_: float) -> Mapping[str, RigidTransform | None]:
        return {"Probe": pose(1.0), "Patient": pose(2.0)}

    keys = {"tools": ("Probe", "Patient"), "lost_after_s": 0.05}
    async with simulated(poses, keys=keys, rate_hz=200, kind="TRANSFORM") as (served, tracker):
        seen = await anext(tracker)
        served.drop("Probe")
        async for reading in tracker:
            if reading.tool == "Probe" and reading.status is PoseStatus.OK:
                seen = reading
            elif reading.tool == "Probe":
                break
            assert reading.status is PoseStatus.OK
        assert (reading.status, reading.tracker_from_tool) == (PoseStatus.MISSING, None)
        assert 0.05 <= reading.taken_at_s - seen.taken_at_s < 0.5
        served.restore("Probe")
        while reading.tool != "Probe" or reading.status is not PoseStatus.OK:
            reading = await anext(tracker)


async def test_stall_makes_no_tool_missing() -> None:
    """After a stall longer than ``lost_after_s``, the first tool's message does not make the second's missing."""
    both = transform(tool="Probe") + transform(tool="Patient")
    resumed = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(both)
        await resumed.wait()
        await asyncio.sleep(0.1)
        writer.write(both)

    keys = {"tools": ("Probe", "Patient"), "lost_after_s": 0.05}
    async with connected(script, **keys) as tracker:
        before = await take(tracker, 2)
        resumed.set()
        after = await take(tracker, 2)
    assert {reading.status for reading in before + after} == {PoseStatus.OK}
    assert after[0].taken_at_s - before[0].taken_at_s > 0.05


async def test_only_tool_out_of_sight_is_missing_not_silence() -> None:
    """PLUS sends nothing but STATUS ok while the only tool is out of sight: missing, again and again."""
    keys = {"lost_after_s": 0.1}
    async with simulated(lambda _: {"Probe": None}, keys=keys, kind="TRANSFORM") as (_, tracker):
        readings = await take(tracker, 3)
    assert [reading.status for reading in readings] == [PoseStatus.MISSING] * 3
    apart_s = np.diff([reading.taken_at_s for reading in readings])
    assert (apart_s >= 0.1).all()
    assert (apart_s < 0.5).all()


async def test_tracker_that_falls_silent_gives_no_reading() -> None:
    """With the link up and nothing sent there is no reading at all: nobody saw that the tool is missing."""
    keys = {"lost_after_s": 0.02}
    async with simulated(lambda _: {"Probe": pose(0.0)}, keys=keys, rate_hz=200) as (served, tracker):
        await take(tracker, 3)
        served.is_silent = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(count_to_the_end(tracker), 0.3)
        served.is_silent = False
        assert (await anext(tracker)).status is PoseStatus.OK


async def test_wrong_checksum_is_counted_and_the_stream_goes_on() -> None:
    """A flipped bit, a body of a wrong size, an unknown type: the poses around them arrive."""
    flipped = bytearray(transform())
    flipped[-1] ^= 1
    short = Message(kind="TRANSFORM", device_name="Probe", content=bytes(40)).to_bytes()
    unknown = Message(kind="POLYDATA", device_name="Skin", content=bytes(400)).to_bytes()
    async with tracker_that_sends(
        transform(), bytes(flipped), transform(), short, transform(), unknown, transform()
    ) as tracker:
        readings = await take(tracker, 4)
        assert tracker.rejected == 2
    assert {reading.status for reading in readings} == {PoseStatus.OK}


@pytest.mark.parametrize(
    ("garbage", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "not OpenIGTLink.*HTTP"),
        (
            Message(kind="IMAGE", device_name="US", content=bytes(5000)).to_bytes(),
            "IMAGE of 5000 bytes; at most 4096",
        ),
    ],
)
async def test_stream_that_cannot_be_read_on_ends_with_words(garbage: bytes, words: str) -> None:
    """What came before is given; then the link ends with a sentence that shows the evidence."""
    async with tracker_that_sends(transform() + garbage, largest_body_bytes=4096) as tracker:
        assert (await anext(tracker)).status is PoseStatus.OK
        with pytest.raises(DeviceUnavailable, match=words):
            await anext(tracker)


@pytest.mark.parametrize("is_cut", [False, True])
async def test_lost_link_is_told_after_the_last_pose(is_cut: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Closed or reset, in mid-message: the whole poses are given, then ``DeviceUnavailable`` with what to do."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(transform() + transform()[:70])
        await writer.drain()
        await seen.wait()
        if is_cut:
            writer.transport.abort()

    seen = asyncio.Event()
    async with connected(script) as tracker:
        assert (await anext(tracker)).status is PoseStatus.OK
        seen.set()
        with pytest.raises(
            DeviceUnavailable, match=r"tracker: the link to 127.0.0.1:\d+ is lost.*cable"
        ) as caught:
            await anext(tracker)
    assert caught.value.device == "tracker"


async def test_tracker_that_hangs_up_is_told() -> None:
    """A tracker that ends is noticed at once, though this client never sends."""
    async with simulated(lambda _: {"Probe": pose(0.0)}) as (served, tracker):
        await take(tracker, 1)
        await served.hang_up()
        async with asyncio.timeout(0.5):  # less than the silence that a watchdog would notice
            left = await count_to_the_end(tracker)
        assert left < 60, "readings came after the end of the link"


async def test_error_of_the_tracker_is_told_in_words() -> None:
    """A STATUS about the tracker itself is a fault, with its code, its meaning and its own words."""
    async with tracker_that_sends(status(1), transform(), status(18, text="camera overheated")) as tracker:
        assert (await anext(tracker)).status is PoseStatus.OK
        with pytest.raises(DeviceFault, match="hardware failure \\(camera overheated\\)") as caught:
            await anext(tracker)
    assert caught.value.code == 18


async def test_unknown_status_code_is_passed_over() -> None:
    """A code that the protocol does not define stops nothing."""
    async with tracker_that_sends(status(4711, text="vendor's own"), transform()) as tracker:
        assert (await anext(tracker)).status is PoseStatus.OK


async def test_tdata_is_asked_for_where_the_settings_say_so() -> None:
    """A tracker that waits for STT_TDATA streams at the asked pace."""
    keys = {"stt_tdata_resolution_ms": 50}
    poses = {"Probe": pose(0.0)}
    async with simulated(lambda _: poses, keys=keys, rate_hz=200, is_waiting_for_start=True) as (_, tracker):
        readings = [reading for reading in await take(tracker, 6) if reading.status is PoseStatus.OK]
    apart_s = np.diff([reading.taken_at_s for reading in readings])
    assert 0.04 < float(np.median(apart_s)) < 0.5  # slower than the tracker's own pace, on however slow a host


async def test_request_and_its_refusal() -> None:
    """STT_TDATA goes out as the settings say; a refusal is a fault that says what to do, STP_TDATA ends."""
    received: list[Message] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(Message.from_bytes(await reader.readexactly(58 + 36)))
        answer = TrackingAnswer(is_taken=False).to_bytes()
        writer.write(Message(kind="RTS_TDATA", device_name="", content=answer).to_bytes())
        received.append(Message.from_bytes(await reader.readexactly(58)))

    async with connected(script, stt_tdata_resolution_ms=20) as tracker:
        with pytest.raises(DeviceFault, match="take stt_tdata_resolution_ms out"):
            await anext(tracker)
    assert [message.kind for message in received] == ["STT_TDATA", "STP_TDATA"]
    assert StartTracking.from_bytes(received[0].content).resolution_ms == 20


async def test_nothing_listens() -> None:
    """A refused connection says what to start."""
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    with pytest.raises(DeviceUnavailable, match=f"nothing listens at 127.0.0.1:{port}. Start"):
        async with settings(port).connect("tracker", clock=monotonic):
            pass


async def test_unknown_host() -> None:
    """A name that nobody knows is told as such."""
    with pytest.raises(DeviceUnavailable, match=r"does not know the host 'no\.such\.host\.invalid'"):
        async with settings(1, host="no.such.host.invalid").connect("tracker", clock=monotonic):
            pass


async def test_slow_reader_holds_the_socket_not_the_memory() -> None:
    """While nobody reads, the client stops taking bytes; afterwards nothing is missing."""
    count = 3_000
    unread = Message(kind="STRING", device_name="Note", content=bytes(8000)).to_bytes()
    sent = 0

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        batch = (transform() + unread) * 100
        for _number in range(count // 100):
            writer.write(batch)
            await writer.drain()
            sent += 100
        everything_sent.set()

    everything_sent = asyncio.Event()
    async with connected(script, largest_body_bytes=8192) as tracker:
        await anext(tracker)
        before = -1
        while sent != before:  # until the sockets are full
            before = sent
            await asyncio.sleep(0.05)
        assert sent < count
        assert tracker._link.decoder.buffered_bytes < 1 << 20
        given = 1 + await count_to_the_end(tracker)
    assert everything_sent.is_set()
    assert given == count


@asynccontextmanager
async def pyigtl_peer(*arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """Run pyigtl beside us; gives what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PEER), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        await process.communicate()
    assert process.returncode == 0


async def test_pyigtl_as_server() -> None:
    """Poses of an independent server arrive in order, its STRINGs passed over, under both header versions."""
    async with asyncio.timeout(30), pyigtl_peer("serve") as printed:
        port = int(await printed.readline())
        async with settings(port).connect("tracker", clock=monotonic) as tracker:
            readings = await take(tracker, 40)
        assert tracker.rejected == 0
    first = readings[0].tracker_from_tool
    assert first is not None
    for number, reading in enumerate(readings):
        assert reading.tracker_from_tool is not None
        np.testing.assert_array_equal(reading.tracker_from_tool.rotation, pose(0).rotation)
        np.testing.assert_array_equal(
            reading.tracker_from_tool.translation_mm, first.translation_mm + np.array((number, 0, 0))
        )


@pytest.mark.parametrize("version", [1, 2])
async def test_pyigtl_as_client(version: Any) -> None:
    """An independent client reads our simulated tracker's poses, times and metadata, beside our own client."""
    rng = np.random.default_rng(1)
    poses = {"Probe": pose(7.5)}
    async with (
        asyncio.timeout(30),
        serve_tracker(lambda _: poses, rng=rng, rate_hz=50, kind="TRANSFORM", version=version) as served,
        pyigtl_peer("listen", str(served.port), "Probe") as printed,
        settings(served.port).connect("tracker", clock=monotonic) as tracker,
    ):
        lines = [json.loads(await printed.readline()) for _ in range(3)]
        assert (await anext(tracker)).status is PoseStatus.OK
        assert served.clients == 2
    for line in lines:
        assert line["matrix"] == pose(7.5).matrix.tolist()
        assert line["metadata"] == ({"TransformStatus": "OK"} if version == 2 else {})
        assert line["sent_at_s"] == pytest.approx(time.time(), abs=30)


ROOT = math.sqrt(0.5)
TURNED = Position(position_mm=(1.5, -2.0, 100.0), xyzw=(0.0, 0.0, ROOT, ROOT))


def message(kind: str, name: str, content: bytes) -> bytes:
    """A version 1 message."""
    return Message(kind=kind, device_name=name, content=content).to_bytes()


async def test_quaternions_are_the_same_poses() -> None:
    """POSITION and QTDATA give the pose that TRANSFORM gives; a tool that QTDATA leaves out is missing."""
    tool = QuaternionTool(name="Probe", position_mm=TURNED.position_mm, xyzw=(0.0, 0.0, ROOT, ROOT))
    both = QuaternionFrame(tools=(tool,)).to_bytes()
    quaternions = (message("QTDATA", "Tracker", both), message("QTDATA", "Tracker", b""))
    poses = []
    for sent in ((transform(),), (message("POSITION", "Probe", TURNED.to_bytes()),), quaternions):
        async with tracker_that_sends(*sent) as tracker:
            first, *others = await take(tracker, len(sent))
        assert first.tracker_from_tool is not None
        assert [other.status for other in others] == [PoseStatus.MISSING] * (len(sent) - 1)
        poses.append(first.tracker_from_tool.matrix)
    np.testing.assert_allclose(poses[1:], [poses[0], poses[0]], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Position(position_mm=(1, 2, 3), xyzw=None), PoseStatus.REFUSED),
        (Position(position_mm=(1, 2, 3), xyzw=(math.nan, 0, 0, 1)), PoseStatus.REFUSED),
        (Position(position_mm=(1, 2, 3), xyzw=(0, 0, 0, 0.9)), PoseStatus.REFUSED),
        (Position(position_mm=(0, 0, 0), xyzw=(0, 0, 0, 1)), PoseStatus.MISSING),
        (Position(position_mm=(0, 0, 0), xyzw=(0, 0, 0, 0)), PoseStatus.MISSING),
    ],
)
async def test_position_that_is_no_pose(content: Position, expected: PoseStatus) -> None:
    """A POSITION without orientation, with NaN or a bent quaternion is refused; the origin is no tool."""
    async with tracker_that_sends(message("POSITION", "Probe", content.to_bytes())) as tracker:
        (reading,) = await take(tracker, 1)
    assert (reading.status, reading.tracker_from_tool) == (expected, None)


async def test_remarks_are_kept_by_name_and_poses_go_on() -> None:
    """SENSOR, STRING and CAPABILITY are kept, the newest of each name; one that is broken is counted."""
    older, newer = (Sensor(values=(rate,), unit=HERTZ_UNIT) for rate in (1.0, 2.0))
    sent = (
        message("SENSOR", "Counter", older.to_bytes()),
        message("SENSOR", "Counter", newer.to_bytes()),
        message("STRING", "Note", Words(text="warming up").to_bytes()),
        message("STRING", "Note", b"\0"),
        message("CAPABILITY", "", Capability(kinds=("TDATA",)).to_bytes()),
        transform(),
    )
    async with tracker_that_sends(*sent) as tracker:
        (reading,) = await take(tracker, 1)
        assert tracker.remarks == {
            ("SENSOR", "Counter"): newer,
            ("STRING", "Note"): Words(text="warming up"),
            ("CAPABILITY", ""): Capability(kinds=("TDATA",)),
        }
        assert tracker.rejected == 1
    assert reading.status is PoseStatus.OK


async def test_names_without_end_are_not_remembered_without_end() -> None:
    """A sender that invents a new name for each remark fills no memory."""
    sent = b"".join(message("STRING", f"note {n}", Words(text="x").to_bytes()) for n in range(200))
    async with tracker_that_sends(sent, transform()) as tracker:
        await take(tracker, 1)
        assert len(tracker.remarks) == 64
