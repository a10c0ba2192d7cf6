"""What the simulated tracker adds to the truth, and how it treats its clients."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from devices.trackers.igtl import Header, Message
from devices.trackers.igtl_bodies import StartTracking, Status, TrackingAnswer, TrackingFrame, pose_of
from devices.trackers.igtl_envelope import HEADER
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.trackers.openigtlink import UNSENT_LIMIT_BYTES, serve_tracker

TRUTH = RigidTransform.from_quaternion(
    (0.9, 0.1, -0.3, 0.2), (10.0, -20.0, 900.0), to=Frame.TRACKER, from_=Frame.TOOL
)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def receive(reader: asyncio.StreamReader) -> Message:
    """The next message, whatever it is."""
    raw = await reader.readexactly(HEADER.size)
    return Message.from_bytes(raw + await reader.readexactly(Header.from_bytes(raw).body_bytes))


async def receive_kind(reader: asyncio.StreamReader, kind: str) -> Message:
    """The next message of a type."""
    while (message := await receive(reader)).kind != kind:
        pass
    return message


def start(resolution_ms: int) -> bytes:
    """A request for TDATA."""
    content = StartTracking(resolution_ms=resolution_ms).to_bytes()
    return Message(kind=StartTracking.KIND, device_name="", content=content).to_bytes()


async def test_noise_has_the_stated_width_and_the_same_seed_repeats_it() -> None:
    """Position and rotation scatter by the stated standard deviation about the truth; a seed repeats them."""

    async def collect(count: int) -> list[RigidTransform]:
        rng = np.random.default_rng(7)
        async with (
            asyncio.timeout(20),
            serve_tracker(
                lambda _: {"Probe": TRUTH}, rng=rng, rate_hz=1000, position_sigma_mm=0.5, rotation_sigma_deg=0.4
            ) as tracker,
            connected(tracker.port) as (reader, _),
        ):
            frames = [TrackingFrame.from_bytes((await receive(reader)).content) for _ in range(count)]
        return [pose_of(frame.tools[0].elements) for frame in frames]

    poses = await collect(400)
    shifts_mm = np.array([pose.translation_mm - TRUTH.translation_mm for pose in poses])
    turns_deg = np.degrees([Rotation.from_matrix(TRUTH.rotation.T @ pose.rotation).as_rotvec() for pose in poses])
    # 1200 draws: the standard deviation is known to 2 %, the mean of each axis to sigma / 20
    assert np.std(shifts_mm) == pytest.approx(0.5, rel=0.1)
    assert np.std(turns_deg) == pytest.approx(0.4, rel=0.1)
    np.testing.assert_allclose(shifts_mm.mean(axis=0), 0, atol=0.5 / 20 * 4)
    again = await collect(3)
    for first, second in zip(poses, again, strict=False):
        np.testing.assert_array_equal(first.matrix, second.matrix)


async def test_each_client_has_its_own_pace_and_stop() -> None:
    """One client asks for every 100 ms, another stops; each gets its own, the stopped one keep-alives."""
    rng = np.random.default_rng(1)
    async with (
        asyncio.timeout(20),
        serve_tracker(lambda _: {"Probe": TRUTH}, rng=rng, rate_hz=200) as tracker,
        connected(tracker.port) as (slow, to_slow),
        connected(tracker.port) as (fast, to_fast),
    ):
        to_slow.write(start(100))
        answer = await receive_kind(slow, TrackingAnswer.KIND)
        assert TrackingAnswer.from_bytes(answer.content).is_taken
        stamps_s = [(await receive_kind(slow, "TDATA")).timestamp / 2**32 for _ in range(5)]
        assert np.diff(stamps_s).min() >= 0.09
        assert tracker.clients == 2
        await receive_kind(fast, "TDATA")
        to_fast.write(Message(kind="STP_TDATA", device_name="").to_bytes())
        status = await receive_kind(fast, Status.KIND)
        assert Status.from_bytes(status.content).code == 1
        assert (await receive(fast)).kind == Status.KIND
        to_fast.write(start(0))
        await receive_kind(fast, "TDATA")


async def test_client_that_does_not_read_is_passed_over() -> None:
    """A client that never reads holds neither memory nor the other clients."""
    rng = np.random.default_rng(1)
    # more than two kernels' buffers hold
    flood = Message(kind="STRING", device_name="Note", content=bytes(1 << 20)).to_bytes() * 16
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with (
            asyncio.timeout(40),
            serve_tracker(lambda _: {"Probe": TRUTH}, rng=rng, rate_hz=200) as tracker,
            connected(tracker.port) as (reader, _),
        ):
            await asyncio.get_running_loop().run_in_executor(None, deaf.connect, (tracker.host, tracker.port))

            def unsent_bytes() -> int:
                return max(client.transport.get_write_buffer_size() for client in tracker._clients)

            while tracker.clients < 2:
                await receive(reader)
            tracker.send(flood)
            stamps_s = [(await receive_kind(reader, "TDATA")).timestamp / 2**32 for _ in range(20)]
            before_bytes = unsent_bytes()
            assert before_bytes > UNSENT_LIMIT_BYTES
            stamps_s += [(await receive_kind(reader, "TDATA")).timestamp / 2**32 for _ in range(20)]
            assert (np.diff(stamps_s) > 0).all()
            assert unsent_bytes() <= before_bytes


async def test_what_is_not_openigtlink_is_cut_off() -> None:
    """A client that speaks something else is cut off, and the others go on."""
    rng = np.random.default_rng(1)
    async with (
        asyncio.timeout(20),
        serve_tracker(lambda _: {"Probe": TRUTH}, rng=rng) as tracker,
        connected(tracker.port) as (reader, writer),
        connected(tracker.port) as (other, _),
    ):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await receive_kind(reader, "nothing of this name")
        await receive_kind(other, "TDATA")
        assert tracker.clients == 1


async def test_scene_that_fails_is_not_hidden() -> None:
    """An error in the poses ends the server loudly."""

    def poses(_: float) -> dict[str, RigidTransform | None]:
        raise ZeroDivisionError

    async def serve() -> None:
        async with serve_tracker(poses, rng=np.random.default_rng(1)) as tracker, connected(tracker.port):
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(serve(), 20)
