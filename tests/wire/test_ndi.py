"""NDI's combined API, byte for byte: checksums that NDI's own library has written out, layouts, must-reject."""

import math
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FrameError
from devices.trackers import ndi_words
from devices.trackers.ndi_frames import CameraFrames, FrameTool
from devices.trackers.ndi_protocol import Answer, AnswerReader, Command, binary_answer, checksum, text_answer
from devices.trackers.ndi_reports import NdiPose, Report, ToolReport
from devices.trackers.ndi_session import BAUD_CODES
from navigation.errors import NavigationError

POSE = NdiPose(wxyz=(0.9659, -0.2588, 0.0, 0.0), position_mm=(12.34, -56.78, -1400.0), error_mm=0.0987)
TX = (
    b"03"
    b"0A+09659-02588+00000+00000+001234-005678-140000+009870000003100000F00\n"
    b"0BMISSING0000003100000F00\n"
    b"0CDISABLED0000001100000F00\n"
    b"0000"
)


@pytest.mark.parametrize(
    ("command", "written"),
    [
        (Command(name="INIT"), b"INIT:E3A5\r"),
        (Command(name="VER", arguments="0"), b"VER:065EE\r"),
        (
            Command(name="GETINFO", arguments="Features.Firmware.Version"),
            b"GETINFO:Features.Firmware.Version0492\r",
        ),
    ],
)
def test_commands_are_those_that_ndicapi_has_written_out(command: Command, written: bytes) -> None:
    """Commands are byte for byte those of ndicapi.cxx (ndiSerialProbe), and are read back."""
    assert command.to_bytes() == written
    assert Command.from_bytes(written[:-1]) == command


@pytest.mark.parametrize(("text", "written"), [(b"OKAY", b"OKAYA896\r"), (b"RESET", b"RESETBE6F\r")])
def test_answers_are_those_that_ndicapi_waits_for(text: bytes, written: bytes) -> None:
    """Answers in words are byte for byte those that ndicapi.cxx compares with."""
    assert text_answer(text) == written
    answer = AnswerReader().feed(written, 7.0)
    assert answer == Answer(content=text, is_binary=False, began_at_s=7.0)


def test_a_command_with_a_space_has_no_checksum() -> None:
    """``BEEP 2`` is taken as it stands."""
    assert Command.from_bytes(b"BEEP 2") == Command(name="BEEP", arguments="2")


@pytest.mark.parametrize("raw", [b"INIT:E3A6", b"INIT:", b"", b"init:E3A5", b"BEEP:1\xff1234"])
def test_damaged_commands_are_refused(raw: bytes) -> None:
    """A wrong checksum, and what is no command, is no command."""
    with pytest.raises(FrameError):
        Command.from_bytes(raw)


def test_a_tx_answer_is_read_to_the_last_digit() -> None:
    """Scales are those of ndicapi.cxx: quaternion 1e-4, position 1e-2 mm, residual 1e-4 mm."""
    report = Report.from_tx(TX)
    seen, missing, disabled = report.tools
    assert seen == ToolReport(handle=0x0A, pose=POSE, status=0x31, frame=0xF00)
    assert seen.believed == POSE
    assert missing.pose is None
    assert "line of sight" in missing.words
    assert disabled.is_disabled
    assert report.to_tx() == TX


def test_unoccupied_handles_are_left_out() -> None:
    """An unoccupied handle has nothing behind it, with or without a line's end."""
    for end in (b"", b"\n"):
        report = Report.from_tx(b"02" + b"01UNOCCUPIED" + end + b"02MISSING0000003100000001\n" + b"0040")
        assert [tool.handle for tool in report.tools] == [2]
        assert report.system_status == 0x40


def test_a_bx_answer_is_laid_out_as_ndicapi_reads_it() -> None:
    """Start 0xA5C4, length, CRC, then id, state, eight float32, status, frame; little-endian throughout."""
    report = Report(tools=(ToolReport(handle=1, pose=POSE, frame=0x01020304),), system_status=0x0102)
    raw = binary_answer(report.to_bx())
    assert raw[:4] == b"\xc4\xa5" + struct.pack("<H", 1 + 2 + 32 + 8 + 2)
    assert raw[4:6] == struct.pack("<H", checksum(raw[:4]))
    assert raw[6:9] == b"\x01\x01\x01"
    assert struct.unpack("<8f", raw[9:41]) == pytest.approx((*POSE.wxyz, *POSE.position_mm, POSE.error_mm))
    assert raw[41:51] == b"\x31\x00\x00\x00\x04\x03\x02\x01\x02\x01"
    # the header with its own CRC leaves a reflected CRC at zero, so that ndicapi may count it in
    assert raw[51:] == struct.pack("<H", checksum(raw[:51]))
    answer = AnswerReader().feed(raw, 0.0)
    assert answer is not None
    read = Report.from_bx(answer.content)
    assert read.tools[0].frame == 0x01020304
    assert read.system_status == 0x0102


@pytest.mark.parametrize("wxyz", [(2.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 0.0)])
def test_what_is_no_rotation_is_no_pose(wxyz: tuple[float, ...]) -> None:
    """A quaternion that is not of length 1, or not a number, is refused; a rounded one is normalised."""
    with pytest.raises(NavigationError, match="no rotation"):
        NdiPose(wxyz=wxyz, position_mm=(0.0, 0.0, 0.0), error_mm=0.1).transform()
    turned = POSE.transform()
    assert turned.translation_mm.tolist() == [12.34, -56.78, -1400.0]
    assert turned.rotation[2, 1] == pytest.approx(-0.5, abs=2e-4)


def test_a_position_that_is_no_number_is_no_pose() -> None:
    """NaN and infinity in a BX answer's position are refused."""
    for broken in (math.nan, math.inf):
        with pytest.raises(NavigationError):
            NdiPose(wxyz=(1.0, 0.0, 0.0, 0.0), position_mm=(0.0, broken, 0.0), error_mm=0.1).transform()


@pytest.mark.parametrize(
    ("status", "is_believed", "words"),
    [
        (0x31, True, ""),
        (0x3F, True, ""),  # switches
        (0xB1, True, "partly outside the volume"),
        (0x71, False, "outside the volume"),
        (0x11, False, "not enabled"),
        (0x21, False, "not initialised"),
        (0x30, False, "not in its port"),
    ],
)
def test_port_status_says_whether_a_pose_is_believed(status: int, is_believed: bool, words: str) -> None:  # noqa: FBT001
    """Only what is in its port, initialised, enabled and in the volume is believed, and the words say why not."""
    tool = ToolReport(handle=1, pose=POSE, status=status, frame=1)
    assert (tool.believed is not None) == is_believed
    assert words in tool.words
    assert bool(words) == bool(tool.words)


@pytest.mark.parametrize(
    ("state", "is_believed"),
    [(0, True), (3, True), (5, True), *((state, False) for state in (9, 13, 14, 17, 31, 99))],
)
def test_the_state_in_a_bx2_answer_says_whether_a_pose_is_believed(state: int, is_believed: bool) -> None:  # noqa: FBT001
    """Partly outside, or averaged over fewer frames, it was measured; in any other state its pose is none."""
    tool = FrameTool(handle=1, pose=POSE, status=state, frame=1)
    assert (tool.believed is not None) == is_believed
    assert bool(tool.words) == (state != 0)


def test_bx2_tells_each_frame_and_why_a_tool_is_not_seen() -> None:
    """Nested GBF: frame header of 16 bytes, tools of 36 or 4 bytes, alerts; lengths as ndicapi steps over them."""
    frames = CameraFrames(
        tools=(
            FrameTool(handle=1, pose=POSE, frame=7),
            FrameTool(handle=2, pose=None, status=0x0100 | 13, frame=7),
            FrameTool(handle=1, pose=POSE, status=9, frame=8),
        ),
        alerts=((4, 6),),
    )
    raw = frames.to_bytes()
    assert raw[:4] == b"\x01\x00\x02\x00"
    tools_of_7, tools_of_8 = 12 + 36 + 4, 12 + 36
    assert struct.unpack_from("<HIHI", raw, 4) == (1, 12 + 16 + 4 + tools_of_7 + 16 + 4 + tools_of_8, 0, 2)
    assert struct.unpack_from("<BBHI", raw, 16)[3] == 7
    seen, hidden, outside = CameraFrames.from_bytes(raw).tools
    assert seen.believed is not None
    assert hidden.believed is None
    assert "markers" in hidden.words
    assert outside.believed is None
    assert "outside the volume" in outside.words
    assert CameraFrames.from_bytes(raw).alerts == ((4, 6),)
    assert "PTP" in ndi_words.alert_words(4, 6)


def test_components_that_we_do_not_know_are_stepped_over() -> None:
    """Markers and buttons (types 3 and 4) in an answer do no harm."""
    known = CameraFrames(tools=(), alerts=((2, 9),)).to_bytes()[4:]
    unknown = struct.pack("<HIHI", 3, 12 + 5, 0, 1) + b"12345"
    assert CameraFrames.from_bytes(struct.pack("<HH", 1, 2) + unknown + known).alerts == ((2, 9),)


def test_the_long_form_of_a_binary_answer_is_read() -> None:
    """0xA5C8 has a length of four bytes."""
    start = struct.pack("<HI", 0xA5C8, 3)
    raw = start + struct.pack("<H", checksum(start)) + b"abc" + struct.pack("<H", checksum(b"abc"))
    answer = AnswerReader().feed(raw, 0.0)
    assert answer is not None
    assert (answer.content, answer.is_binary) == (b"abc", True)


@given(raw=st.sampled_from((TX, b"OKAY")), cuts=st.sets(st.integers(1, 170)), is_binary=st.booleans())
def test_pieces_make_no_difference(raw: bytes, cuts: set[int], is_binary: bool) -> None:  # noqa: FBT001
    """However an answer is cut, it comes once, whole, with the time of its first byte."""
    whole = binary_answer(raw) if is_binary else text_answer(raw)
    reader, found, edges = AnswerReader(), [], [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    for number, (start, end) in enumerate(pairwise(edges)):
        answer = reader.feed(whole[start:end], float(number))
        if answer is not None:
            found.append(answer)
    assert found == [Answer(content=raw, is_binary=is_binary, began_at_s=0.0)]


@given(where=st.integers(0, 10_000), is_binary=st.booleans())
def test_one_turned_bit_is_never_believed(where: int, is_binary: bool) -> None:  # noqa: FBT001
    """A single bit that turned on its way makes an answer that is refused, or one that is not complete."""
    whole = bytearray(binary_answer(TX) if is_binary else text_answer(TX))
    byte, bit = divmod(where % (8 * len(whole)), 8)
    whole[byte] ^= 1 << bit
    try:
        answer = AnswerReader().feed(bytes(whole), 0.0)
    except FrameError:
        return
    assert answer is None


@given(raw=st.binary(max_size=200))
def test_garbage_raises_frame_errors_and_nothing_else(raw: bytes) -> None:
    """Whatever comes, readers either give something or say that it is no frame."""
    for read in (Report.from_tx, Report.from_bx, CameraFrames.from_bytes, Command.from_bytes):
        try:
            read(raw)
        except FrameError:
            continue


def test_an_answer_that_claims_too_much_is_refused_before_it_is_kept() -> None:
    """A header that speaks of more than any tracker sends, and words without end, are refused."""
    start = struct.pack("<HI", 0xA5C8, 1 << 30)
    with pytest.raises(FrameError, match="at most"):
        AnswerReader().feed(start + struct.pack("<H", checksum(start)), 0.0)
    reader = AnswerReader()
    assert reader.feed(b"x" * 65536, 0.0) is None
    with pytest.raises(FrameError, match="without end"):
        reader.feed(b"x", 0.0)


def test_speeds_are_numbered_as_in_ndis_header() -> None:
    """COMM's first digit is NDI_9600 to NDI_230400 of ndicapi.h."""
    named = {9600: 0, 14400: 1, 19200: 2, 38400: 3, 57600: 4, 115200: 5, 921600: 6, 1228739: 7, 230400: 0xA}
    assert {speed: int(digit, 16) for speed, digit in BAUD_CODES.items()} == named


def test_every_number_of_ndis_header_has_words_and_a_remedy() -> None:
    """Each error of ndicapi.h that is not reserved, each state of a tool and of the system is in words."""
    reserved = {0x26, 0x27, 0x31, 0x3A, 0x3E, 0x3F}
    for code in {*range(1, 0x43), 0xF1, 0xF4, 0xF5, 0xF6} - reserved:
        words = ndi_words.error_words(code)
        assert "do not know" not in words, hex(code)
        assert ": " in words
        assert words.endswith(f"(ERROR{code:02X})")
    for state in (3, 5, 9, 13, 14, 17, 18, 19, 20, 21, 22, 31, 32, 33):
        assert "do not know" not in ndi_words.tool_words(state)
        assert ": " in ndi_words.tool_words(state)
    for bit in range(10):
        words = ndi_words.system_words(1 << bit)
        assert words
        assert "do not know" not in words
    assert "0x8000" in ndi_words.system_words(0x8000)
    assert "do not know" in ndi_words.error_words(0x7E)
    assert "do not know (99)" in ndi_words.tool_words(99)
