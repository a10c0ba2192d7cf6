"""OpenIGTLink bytes written down from its published layout, and bytes that must be refused."""

import struct

import pyigtl.messages
import pytest
from fastcrc import crc64

from devices.errors import FrameError
from devices.trackers.igtl import Decoder, Message
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
from devices.trackers.igtl_values import HERTZ_UNIT, Capability, Point, Points, Sensor, Words


def checksum(body: bytes) -> int:
    """Long division by ECMA-182's polynomial, one bit at a time, as igtl_util.c defines it."""
    remainder = 0
    for byte in body:
        remainder ^= byte << 56
        for _ in range(8):
            remainder <<= 1
            if remainder >> 64:
                remainder ^= 0x1_42F0_E1EB_A9EA_3693
    return remainder


def with_header(kind: bytes, name: bytes, body: bytes, *, version: int = 1, crc: int | None = None) -> bytes:
    """Put the 58 bytes before a body, field by field."""
    return (
        version.to_bytes(2, "big")
        + kind.ljust(12, b"\0")
        + name.ljust(20, b"\0")
        + bytes.fromhex("49 96 02 d2 80 00 00 00")  # 1234567890.5 s
        + len(body).to_bytes(8, "big")
        + (checksum(body) if crc is None else crc).to_bytes(8, "big")
        + body
    )


# a quarter turn about z (x goes to y, y to -x), 1.5 mm, -2 mm, 100 mm: by columns, IEEE 754 single precision
QUARTER_TURN = bytes.fromhex(
    "00000000 3f800000 00000000 bf800000 00000000 00000000 00000000 00000000 3f800000 3fc00000 c0000000 42c80000"
)
ELEMENTS = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.5, -2.0, 100.0)
TIMESTAMP = (1234567890 << 32) | (1 << 31)


@pytest.mark.parametrize("body", [b"123456789", QUARTER_TURN, b"", bytes(range(256))])
def test_checksum_has_three_independent_witnesses(body: bytes) -> None:
    """Long division, pyigtl's table and our library give the same checksum."""
    assert checksum(body) == crc64.ecma_182(body) == pyigtl.messages.CRC64(body)


def test_checksum_is_the_catalogued_one() -> None:
    """CRC-64/ECMA-182 of "123456789" is 6C40DF5F0B497347 in the CRC catalogue (reveng.sourceforge.io)."""
    assert crc64.ecma_182(b"123456789") == 0x6C40_DF5F_0B49_7347


def test_transform_of_version_1() -> None:
    """A TRANSFORM is 58 bytes of header and 48 of matrix by columns."""
    raw = with_header(b"TRANSFORM", b"Probe", QUARTER_TURN)
    message = Message.from_bytes(raw)
    assert (message.kind, message.device_name, message.version) == ("TRANSFORM", "Probe", 1)
    assert message.timestamp == TIMESTAMP
    assert Transform.from_bytes(message.content).elements == ELEMENTS
    again = Message(
        kind="TRANSFORM",
        device_name="Probe",
        timestamp=TIMESTAMP,
        content=Transform(elements=ELEMENTS).to_bytes(),
    )
    assert again.to_bytes() == raw


def test_transform_of_version_2() -> None:
    """Version 2 puts an extended header before the matrix and metadata after it."""
    body = (
        bytes.fromhex("000c 000a 00000011 00000007")  # 12 bytes, 10 of metadata header, 17 of metadata, number 7
        + QUARTER_TURN
        + bytes.fromhex("0001 000f 0003 00000002")  # 1 entry: 15 bytes of key, US-ASCII, 2 bytes of value
        + b"TransformStatusOK"
    )
    raw = with_header(b"TRANSFORM", b"Probe", body, version=2)
    message = Message.from_bytes(raw)
    assert (message.version, message.number) == (2, 7)
    assert message.metadata == (Metadata(key="TransformStatus", value=b"OK", character_set=3),)
    assert message.metadatum("TransformStatus") == "OK"
    assert message.metadatum("Colour") is None
    assert Transform.from_bytes(message.content).elements == ELEMENTS
    assert message.to_bytes() == raw


def test_an_extended_header_of_a_later_protocol_is_stepped_over() -> None:
    """It says its own size: four bytes more before the matrix are none of the matrix."""
    body = bytes.fromhex("0010 0000 00000000 00000007 deadbeef") + QUARTER_TURN
    message = Message.from_bytes(with_header(b"TRANSFORM", b"Probe", body, version=2))
    assert message.number == 7
    assert Transform.from_bytes(message.content).elements == ELEMENTS


def test_tracking_frame() -> None:
    """TDATA has 70 bytes a tool: name, type, a reserved byte, matrix; none at all is a frame, too."""
    body = (
        b"Probe".ljust(20, b"\0")
        + b"\x02\x00"
        + QUARTER_TURN
        + b"Reference".ljust(20, b"\0")
        + b"\x01\x00"
        + QUARTER_TURN
    )
    frame = TrackingFrame.from_bytes(Message.from_bytes(with_header(b"TDATA", b"NDI", body)).content)
    assert frame.tools == (
        TrackedTool(name="Probe", kind=2, elements=ELEMENTS),
        TrackedTool(name="Reference", kind=1, elements=ELEMENTS),
    )
    assert frame.to_bytes() == body
    empty = Message.from_bytes(with_header(b"TDATA", b"NDI", b"", crc=0))
    assert TrackingFrame.from_bytes(empty.content).tools == ()


def test_status() -> None:
    """STATUS is code, subcode, error name, message ended by NUL."""
    body = bytes.fromhex("0010 ffffffffffffffff") + b"E42".ljust(20, b"\0") + b"Probe unplugged\0"
    status = Status.from_bytes(body)
    assert status == Status(code=16, subcode=-1, error_name="E42", text="Probe unplugged")
    assert status.words == "not present (E42, Probe unplugged)"
    assert status.to_bytes() == body


HALF = "3f3504f3"  # the square root of 1/2, the nearest single
TURNED = bytes.fromhex(f"3fc00000 c0000000 42c80000 00000000 00000000 {HALF} {HALF}")  # QUARTER_TURN's pose
ROOT = 0.7071067690849304


def test_position_in_its_three_sizes() -> None:
    """POSITION is x, y, z and the quaternion x, y, z, w; of 24 bytes without w, of 12 without a turn."""
    position = Position.from_bytes(TURNED)
    assert position == Position(position_mm=(1.5, -2.0, 100.0), xyzw=(0.0, 0.0, ROOT, ROOT))
    assert position.to_bytes() == TURNED
    assert Position.from_bytes(TURNED[:24]).xyzw == pytest.approx((0, 0, ROOT, ROOT), abs=1e-7)
    assert Position.from_bytes(TURNED[:12]) == Position(position_mm=(1.5, -2.0, 100.0), xyzw=None)


def test_quaternion_frame() -> None:
    """QTDATA has 50 bytes a tool: name, type, a reserved byte, position, quaternion."""
    body = b"Probe".ljust(20, b"\0") + b"\x02\x00" + TURNED
    frame = QuaternionFrame.from_bytes(body)
    tool = QuaternionTool(name="Probe", position_mm=(1.5, -2.0, 100.0), xyzw=(0.0, 0.0, ROOT, ROOT))
    assert frame.tools == (tool,)
    assert tool.elements == pytest.approx(ELEMENTS, abs=1e-7)
    assert frame.to_bytes() == body


def test_sensor_in_hertz() -> None:
    """A count rate is a SENSOR of one float64 in s⁻¹: unit hertz (0x0A, unit.md) to the power 1."""
    body = bytes.fromhex("01 00 0284000000000000 40934a4000000000") + b""
    assert Sensor.from_bytes(body) == Sensor(values=(1234.5625,), unit=HERTZ_UNIT)
    assert Sensor(values=(1234.5625,), unit=HERTZ_UNIT).to_bytes() == body


def test_string_and_capability() -> None:
    """STRING is character set, length, text; CAPABILITY 12 bytes for each type."""
    assert Words.from_bytes(bytes.fromhex("006a 0003") + "µm".encode()) == Words(text="µm")
    assert Words.from_bytes(bytes.fromhex("0004 0002") + b"\xb5m") == Words(text="µm")
    body = b"TDATA".ljust(12, b"\0") + b"GET_CAPABIL\0"
    assert Capability.from_bytes(body) == Capability(kinds=("TDATA", "GET_CAPABIL"))
    assert Capability(kinds=("TDATA", "GET_CAPABIL")).to_bytes() == body


def test_pyigtl_reads_our_points_and_words() -> None:
    """An independent decoder sees the same point and the same text."""
    point = Point(name="node", group="Labeled Point", rgba=(255, 0, 0, 255), position_mm=(1.5, -2, 100))
    point_content = Points(points=(point,)).to_bytes()
    raw = Message(kind="POINT", device_name="Target", content=point_content).to_bytes()
    theirs = pyigtl.messages.PointMessage()
    theirs.unpack(pyigtl.messages.MessageBase.parse_header(raw[:58]), raw[58:])
    assert [list(at) for at in theirs.positions] == [[1.5, -2, 100]]
    assert theirs.names == ["node"]
    raw = Message(kind="STRING", device_name="Note", content=Words(text="µm").to_bytes()).to_bytes()
    words = pyigtl.messages.StringMessage()
    words.unpack(pyigtl.messages.MessageBase.parse_header(raw[:58]), raw[58:])
    assert words.string == "µm"


def test_we_read_pyigtls_points_and_words() -> None:
    """What an independent encoder writes is read as the same."""
    theirs = pyigtl.messages.PointMessage(positions=[[1.5, -2, 100]], names=["node"], device_name="Target")
    (point,) = Points.from_bytes(Message.from_bytes(theirs.pack()).content).points
    assert (point.name, point.position_mm) == ("node", (1.5, -2, 100))
    note = Message.from_bytes(pyigtl.messages.StringMessage("ready", device_name="Note").pack())
    assert Words.from_bytes(note.content) == Words(text="ready")


def test_start_of_tracking() -> None:
    """STT_TDATA is the least time between frames, ms, and a coordinate system's name; RTS_TDATA is one byte."""
    body = bytes.fromhex("00000032") + b"Patient".ljust(32, b"\0")
    assert StartTracking.from_bytes(body) == StartTracking(resolution_ms=50, coordinate_name="Patient")
    assert StartTracking(resolution_ms=50, coordinate_name="Patient").to_bytes() == body
    assert TrackingAnswer.from_bytes(b"\0").is_taken
    assert not TrackingAnswer.from_bytes(b"\1").is_taken


def test_pyigtl_reads_what_we_write() -> None:
    """An independent decoder sees the same matrix, name and metadata in our version 2 message."""
    raw = Message(
        kind="TRANSFORM",
        device_name="Probe",
        timestamp=TIMESTAMP,
        version=2,
        metadata=(Metadata(key="TransformStatus", value=b"OK"),),
        content=QUARTER_TURN,
    ).to_bytes()
    fields = pyigtl.messages.MessageBase.parse_header(raw[:58])
    theirs = pyigtl.messages.TransformMessage()
    theirs.unpack(fields, raw[58:])
    assert theirs.device_name == "Probe"
    assert theirs.timestamp == pytest.approx(1234567890.5)
    assert theirs.metadata == {"TransformStatus": "OK"}
    assert theirs.matrix.tolist() == [[0, -1, 0, 1.5], [1, 0, 0, -2], [0, 0, 1, 100], [0, 0, 0, 1]]


@pytest.mark.parametrize("version", [1, 2])
def test_we_read_what_pyigtl_writes(version: int) -> None:
    """A message of an independent encoder gives the same matrix and name."""
    theirs = pyigtl.messages.TransformMessage(
        matrix=[[0, -1, 0, 1.5], [1, 0, 0, -2], [0, 0, 1, 100], [0, 0, 0, 1]], device_name="Probe", timestamp=7.5
    )
    theirs.header_version = version
    message = Message.from_bytes(theirs.pack())
    assert (message.device_name, message.version) == ("Probe", version)
    assert message.timestamp / 2**32 == pytest.approx(7.5)
    assert Transform.from_bytes(message.content).elements == ELEMENTS


FLIPPED = bytes([QUARTER_TURN[0] ^ 1]) + QUARTER_TURN[1:]
SKIPPED = {
    "a flipped bit": with_header(b"TRANSFORM", b"Probe", FLIPPED, crc=checksum(QUARTER_TURN)),
    "no checksum": with_header(b"TRANSFORM", b"Probe", QUARTER_TURN, crc=0),
    "the checksum of xz": with_header(b"TRANSFORM", b"Probe", QUARTER_TURN, crc=crc64.xz(QUARTER_TURN)),
    "version 2 without its extended header": with_header(b"STATUS", b"Probe", b"12345", version=2),
    "an extended header of 4 bytes": with_header(
        b"TRANSFORM", b"Probe", bytes.fromhex("0004 0000 00000000 00000000") + QUARTER_TURN, version=2
    ),
    "metadata larger than the body": with_header(
        b"TRANSFORM", b"Probe", bytes.fromhex("000c 0002 ffffffff 00000000") + QUARTER_TURN, version=2
    ),
    "metadata without its header": with_header(
        b"TRANSFORM", b"Probe", bytes.fromhex("000c 0000 00000004 00000000") + QUARTER_TURN + b"keys", version=2
    ),
    "more metadata entries than there is room for": with_header(
        b"TRANSFORM", b"Probe", bytes.fromhex("000c 0002 00000000 00000000") + QUARTER_TURN + b"\0\x09", version=2
    ),
    "a metadata value that runs past the end": with_header(
        b"TRANSFORM",
        b"Probe",
        bytes.fromhex("000c 000a 00000002 00000000")
        + QUARTER_TURN
        + bytes.fromhex("0001 0001 0003 7fffffff")
        + b"ab",
        version=2,
    ),
}


@pytest.mark.parametrize("raw", SKIPPED.values(), ids=SKIPPED.keys())
def test_broken_message_is_counted_and_the_next_is_read(raw: bytes) -> None:
    """What is broken but has a length is skipped; the message behind it is given."""
    with pytest.raises(FrameError):
        Message.from_bytes(raw)
    decoder = Decoder()
    decoder.feed(raw + with_header(b"TRANSFORM", b"Good", QUARTER_TURN), 1.0)
    assert [arrival.message.device_name for arrival in decoder] == ["Good"]
    assert decoder.rejected == 1
    assert decoder.buffered_bytes == 0


ENDED = {
    "version 3": with_header(b"TRANSFORM", b"Probe", QUARTER_TURN, version=3),
    "version 0": with_header(b"TRANSFORM", b"Probe", QUARTER_TURN, version=0),
    "a body of 1 TiB": struct.pack(">H12s20sQQQ", 1, b"IMAGE", b"Scan", 0, 1 << 40, 0),
    "a body one byte over the cap": struct.pack(">H12s20sQQQ", 1, b"IMAGE", b"Scan", 0, (1 << 20) + 1, 0),
    "a type that is no text": with_header(b"TR\x07NSFORM", b"Probe", QUARTER_TURN),
    "no type": with_header(b"", b"Probe", QUARTER_TURN),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("raw", ENDED.values(), ids=ENDED.keys())
def test_impossible_header_ends_the_stream(raw: bytes) -> None:
    """Without a mark to find the next message by, an impossible header is the end; what came before is given."""
    decoder = Decoder()
    decoder.feed(with_header(b"TRANSFORM", b"Good", QUARTER_TURN) + raw, 1.0)
    arrivals = iter(decoder)
    assert next(arrivals).message.device_name == "Good"
    with pytest.raises(FrameError) as caught:
        next(arrivals)
    assert caught.value.raw


@pytest.mark.parametrize(
    ("frame", "raw"),
    [
        (Transform, QUARTER_TURN[:40]),
        (Transform, QUARTER_TURN + b"\0"),
        (TrackingFrame, bytes(69)),
        (Status, bytes(29)),
        (StartTracking, bytes(35)),
        (TrackingAnswer, b""),
        (Position, TURNED[:20]),
        (QuaternionFrame, bytes(49)),
        (Sensor, bytes.fromhex("02 00 0284000000000000 0000000000000000")),
        (Points, bytes(135)),
        (Words, bytes.fromhex("006a 0003") + b"ab"),
        (Capability, bytes(13)),
    ],
)
def test_content_of_a_wrong_size_is_refused(frame: type[Transform], raw: bytes) -> None:
    """A content whose size is not its type's is no such content."""
    with pytest.raises(FrameError):
        frame.from_bytes(raw)


def test_names_that_do_not_fit_are_not_cut() -> None:
    """A name that is too long for its field is refused: cut off, it would be another tool."""
    with pytest.raises(ValueError, match="20"):
        Message(kind="TRANSFORM", device_name="ProbeToReferenceTransform", content=QUARTER_TURN).to_bytes()
    with pytest.raises(ValueError, match="20 bytes"):
        TrackedTool(name="ProbeToReferenceTransform", elements=ELEMENTS).to_bytes()
