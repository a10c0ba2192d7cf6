"""The OpenIGTLink codec under any input."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from devices.errors import FrameError
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import (
    StartTracking,
    Status,
    TrackedTool,
    TrackingFrame,
    Transform,
    elements_of,
    pose_of,
)
from devices.trackers.igtl_envelope import HEADER, Metadata
from devices.trackers.igtl_quaternions import (
    Position,
    QuaternionFrame,
    QuaternionTool,
    elements_of_quaternion,
)
from devices.trackers.igtl_values import Capability, Point, Points, Sensor, Words
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

printable = st.characters(min_codepoint=33, max_codepoint=126)
names = st.text(printable, max_size=20)
kinds = st.text(printable, min_size=1, max_size=12)
matrices = st.tuples(*[st.floats(width=32, allow_nan=False) for _ in range(12)])
metadata = st.lists(
    st.builds(
        Metadata,
        key=st.text(printable, max_size=9),
        value=st.binary(max_size=9),
        character_set=st.integers(0, 65535),
    ),
    max_size=3,
).map(tuple)
old_messages = st.builds(
    Message, kind=kinds, device_name=names, content=st.binary(max_size=99), timestamp=st.integers(0, 2**64 - 1)
)
new_messages = st.builds(
    Message,
    kind=kinds,
    device_name=names,
    content=st.binary(max_size=99),
    timestamp=st.integers(0, 2**64 - 1),
    version=st.just(2),
    number=st.integers(0, 2**32 - 1),
    metadata=metadata,
)
messages = old_messages | new_messages
tools = st.builds(TrackedTool, name=names, elements=matrices, kind=st.integers(0, 255))


singles = st.floats(width=32, allow_nan=False)
triples = st.tuples(*[singles] * 3)
quadruples = st.tuples(*[singles] * 4)
offsets_mm = st.tuples(*[st.floats(-4000, 4000, width=32)] * 3)
points = st.builds(
    Point,
    name=st.text(printable, max_size=64),
    group=st.text(printable, max_size=32),
    rgba=st.tuples(*[st.integers(0, 255)] * 4),
    position_mm=triples,
    diameter_mm=singles,
    owner=names,
)
further_contents = (
    st.builds(Position, position_mm=triples, xyzw=st.none() | quadruples)
    | st.builds(
        QuaternionFrame,
        tools=st.lists(
            st.builds(QuaternionTool, name=names, position_mm=triples, xyzw=quadruples, kind=st.integers(0, 255)),
            max_size=3,
        ).map(tuple),
    )
    | st.builds(
        Sensor,
        values=st.lists(st.floats(allow_nan=False), max_size=255).map(tuple),
        unit=st.integers(0, 2**64 - 1),
    )
    | st.builds(Points, points=st.lists(points, max_size=3).map(tuple))
    | st.builds(Words, text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
    | st.builds(Capability, kinds=st.lists(kinds, max_size=5).map(tuple))
)


@given(further_contents)
def test_further_content_round_trip(
    content: Position | QuaternionFrame | Sensor | Points | Words | Capability,
) -> None:
    """POSITION, QTDATA, SENSOR, POINT, STRING and CAPABILITY decode to what was encoded."""
    assert type(content).from_bytes(content.to_bytes()) == content


@given(
    st.sampled_from([Position, QuaternionFrame, Sensor, Points, Words, Capability]),
    st.binary(max_size=300),
)
def test_further_content_of_any_bytes(kind: type[Sensor], raw: bytes) -> None:
    """Any bytes are a content or a ``FrameError``, never another error."""
    try:
        kind.from_bytes(raw)
    except FrameError as exc:
        assert exc.raw == raw  # noqa: PT017 - most inputs are refused, some are not


@given(
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: float(np.linalg.norm(q)) > 0.1),
    offsets_mm,
)
def test_quaternion_is_the_same_rotation(quaternion: tuple[float, ...], at_mm: tuple[float, ...]) -> None:
    """A unit quaternion becomes the rotation that scipy makes of it, by columns; another length is refused."""
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    pose = pose_of(elements_of_quaternion(at_mm, unit.tolist()))
    np.testing.assert_allclose(pose.rotation, Rotation.from_quat(unit).as_matrix(), atol=1e-12)
    with pytest.raises(NavigationError):
        pose_of(elements_of_quaternion(at_mm, (1.01 * unit).tolist()))


@given(messages)
def test_message_round_trip(message: Message) -> None:
    """What is encoded decodes to the same."""
    assert Message.from_bytes(message.to_bytes()) == message


@given(
    st.builds(Transform, elements=matrices)
    | st.builds(TrackingFrame, tools=st.lists(tools, max_size=3).map(tuple))
    | st.builds(
        Status,
        code=st.integers(0, 65535),
        subcode=st.integers(-(2**63), 2**63 - 1),
        error_name=names,
        text=st.text(printable),
    )
    | st.builds(StartTracking, resolution_ms=st.integers(0, 2**32 - 1), coordinate_name=names)
)
def test_content_round_trip(content: Transform | TrackingFrame | Status | StartTracking) -> None:
    """Every content decodes to what was encoded."""
    assert type(content).from_bytes(content.to_bytes()) == content


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 80), max_size=60))
def test_any_chunking_gives_the_same_messages(sent: list[Message], sizes: list[int]) -> None:
    """However the stream is cut, the messages are the same, each stamped with its first byte's time."""
    raw = b"".join(message.to_bytes() for message in sent)
    starts = np.cumsum([0, *[len(message.to_bytes()) for message in sent]])[:-1]
    decoder, got, position = Decoder(), [], 0
    chunk_at: list[int] = []
    for size in [*sizes, len(raw) + 1]:
        chunk = raw[position : position + size]
        decoder.feed(chunk, float(len(chunk_at)))
        chunk_at.append(position)
        got += list(decoder)
        position += len(chunk)
    assert [arrival.message for arrival in got] == sent
    expected = [max(index for index, at in enumerate(chunk_at) if at <= start) for start in starts]
    assert [arrival.taken_at_s for arrival in got] == expected
    assert decoder.buffered_bytes == 0


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_only_ever_raises_frame_error(chunks: list[bytes]) -> None:
    """Bytes that mean nothing end the stream with ``FrameError`` or wait for more, within bounds."""
    decoder = Decoder(largest_body_bytes=256)
    for chunk in chunks:
        decoder.feed(chunk, 0.0)
        try:
            list(decoder)
        except FrameError:
            return
        assert decoder.buffered_bytes <= HEADER.size + 256


@given(messages, st.data())
def test_flipped_bit_in_the_body_never_passes(message: Message, data: st.DataObject) -> None:
    """A flipped bit in a body is always seen."""
    raw = bytearray(message.to_bytes())
    if len(raw) == HEADER.size:
        return
    raw[data.draw(st.integers(HEADER.size, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FrameError):
        Message.from_bytes(bytes(raw))


@given(
    st.tuples(*[st.floats(-1, 1) for _ in range(4)]).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.tuples(*[st.floats(-4000, 4000, width=32) for _ in range(3)]),
)
def test_pose_survives_single_precision(quaternion: tuple[float, ...], translation_mm: tuple[float, ...]) -> None:
    """A pose comes back orthonormal and within single precision's rounding."""
    pose = RigidTransform.from_quaternion(quaternion, translation_mm, to=Frame.TRACKER, from_=Frame.TOOL)
    raw = Transform(elements=elements_of(pose)).to_bytes()
    back = pose_of(Transform.from_bytes(raw).elements)
    np.testing.assert_allclose(back.rotation @ back.rotation.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(back.rotation, pose.rotation, atol=3e-7)
    np.testing.assert_array_equal(back.translation_mm, translation_mm)


def wire(
    rotation: NDArray[np.float64], translation_mm: tuple[float, float, float] = (1.0, 2.0, 3.0)
) -> tuple[float, ...]:
    """Twelve elements as they come off the wire."""
    return struct.unpack(">12f", struct.pack(">12f", *rotation.T.ravel(), *translation_mm))


TURN = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix()


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        (wire(TURN * np.nan), "finite"),
        (wire(TURN, (np.inf, 0.0, 0.0)), "finite"),
        (wire(TURN @ np.diag((-1.0, 1.0, 1.0))), "mirrors"),
        (wire(TURN * 1.01), "no rotation"),
        (wire(TURN @ np.array([(1.0, 0.01, 0), (0, 1, 0), (0, 0, 1)])), "no rotation"),
        (wire(TURN * 1e30), "no rotation"),
    ],
)
def test_what_is_no_pose_is_refused(elements: tuple[float, ...], reason: str) -> None:
    """Not finite, mirrored, scaled or sheared: each is refused with its reason."""
    with pytest.raises(NavigationError, match=reason):
        pose_of(elements)
