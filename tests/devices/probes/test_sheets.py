"""Instrument sheets: drivers without code, equal to the coded ones."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.errors import DeviceError, DeviceFault, FrameError
from devices.probes import gammascout, ludlum375, mightyohm
from devices.probes.sheet import Sheet
from devices.probes.sheet_checksum import Rule, checksum
from devices.probes.sheet_dialogue import Settings, SheetDialogue
from devices.probes.sheet_file import SheetError, read_sheet
from devices.readings import CountStatus
from simulators.faults import Fault, babbling, corrupting, dropping, duplicating, intact, truncating
from simulators.ports import Instrument
from simulators.probes.gammascout import SimulatedGammaScout
from simulators.probes.gmc import SimulatedGmc
from simulators.probes.ludlum375 import SimulatedLudlum375
from simulators.probes.mightyohm import BANNER, SimulatedMightyOhm
from simulators.probes.ratemeter import MeteredRate
from tests.devices.probes.talk import Given, Talk, chunked, counter, steady

SHEETS = Path(__file__).parents[3] / "config" / "instruments"
PORT = "/dev/ttyUSB0"
CODED: dict[str, mightyohm.Settings | gammascout.Settings | ludlum375.Settings] = {
    "mightyohm": mightyohm.Settings(driver="mightyohm", port=PORT),
    "gammascout": gammascout.Settings(driver="gammascout", port=PORT),
    "ludlum375": ludlum375.Settings(driver="ludlum375", port=PORT, cps_per_unit=1.0, time_constant_s=2.0),
}
WIRES: dict[str, Callable[[np.random.Generator], Fault]] = {
    "intact": lambda _: intact,
    "chunks": chunked,
    "loss": lambda rng: dropping(0.02, rng),
    "flips": lambda rng: corrupting(0.01, rng),
    "doubles": lambda rng: duplicating(0.2, rng),
    "truncation": lambda rng: truncating(0.2, rng),
    "banner": lambda rng: babbling(0.2, rng),
}


def sheet_dialogue(name: str) -> SheetDialogue:
    """Give the talk that a shipped sheet makes."""
    return Settings(driver="sheet", port=PORT, sheet=SHEETS / f"{name}.toml", silence_s=4.5).dialogue("gamma")


def simulated(name: str) -> Instrument:
    """Give the instrument, always with the same events."""
    counted = counter(steady(150.0, np.random.default_rng(2)))
    if name == "mightyohm":
        return SimulatedMightyOhm(
            counted.events, powered_at_s=counted.powered_at_s, rng=counted.rng, dead_time_s=0.0
        )
    if name == "gammascout":
        return SimulatedGammaScout(counted)
    return SimulatedLudlum375(MeteredRate(counter=counted, time_constant_s=2.0, rate_cps=150.0), cps_per_unit=1.0)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", CODED)
def test_a_sheet_is_equal_to_the_coded_driver(name: str, wire: str) -> None:
    """On every wire the sheet gives the readings that the driver gives, status too, and refuses as much."""
    made = WIRES[wire]
    coded = Talk(CODED[name].dialogue("gamma"), simulated(name), fault=made(np.random.default_rng(9)))
    sheet = Talk(sheet_dialogue(name), simulated(name), fault=made(np.random.default_rng(9)))
    readings = coded.run(90.0)
    assert len(readings) > 15
    assert sheet.run(90.0) == readings
    assert sheet.dialogue.rejected == coded.dialogue.rejected
    assert sheet.dialogue.farewell() == coded.dialogue.farewell()


@pytest.mark.parametrize("name", CODED)
@given(data=st.data())
def test_a_sheet_reads_any_stream_as_the_coded_driver_does(name: str, data: st.DataObject) -> None:
    """Whole messages, halves and noise in any order: the same readings."""
    words = {
        "mightyohm": [
            b"CPS, 3, CPM, 18, uSv/hr, 0.10, SLOW",
            b"CPS, 65535, CPM, 3932100",
            b"CPS, 9, CPM, 8",
            b"CPS, 65536, CPM, 3932160",
            BANNER,
        ],
        "gammascout": [b"I0002000013", b"S00020000000003", b"I000a000044", b"I0002ffffff"],
        "ludlum375": [b"0012.3000010", b"1234.0110110", b"0002.0000010", b"0012.3000000", b"0012.30000"],
    }[name]
    pieces = data.draw(st.lists(st.sampled_from([*words, b"\r\n", b"\n", b"CPS, ", b"\xff\x00"]), max_size=25))
    coded, sheet = CODED[name].dialogue("gamma"), sheet_dialogue(name)
    for dialogue in (coded, sheet):
        dialogue.begin(0.0)
        if name == "gammascout":
            dialogue.feed(b"S00020000000003\r\n", 0.0)
    for place, piece in enumerate(pieces):
        try:
            coded.feed(piece, 1.0 + 0.7 * place)
        except DeviceFault:  # out of order twice in a row: its link is closed, of which a sheet knows nothing
            break
        sheet.feed(piece, 1.0 + 0.7 * place)
    assert sheet.take_readings() == coded.take_readings()
    assert sheet.rejected == coded.rejected


def test_bare_bytes_are_read_by_sheet_too() -> None:
    """Binary and without a frame: the GMC's heartbeat, cut by time and masked, after its version was asked."""
    numbers = Given(least=300)
    running = Talk(
        sheet_dialogue("gmc300"), SimulatedGmc(counter(numbers)), fault=chunked(np.random.default_rng(1))
    )
    readings = running.run(10.0)
    assert running.dialogue.identity == "GQ GMC, GMC-300Re 2.10"
    assert [reading.counts for reading in readings] == numbers.numbers[: len(readings)]
    assert len(readings) >= 8
    assert running.dialogue.farewell() == b"<HEARTBEAT0>>"


def a_sheet(**parts: object) -> Sheet:
    """Give a sheet of a console that nobody knows."""
    return Sheet.model_validate(
        {
            "name": "Console",
            "baud_rate": 9600,
            "framing": {"kind": "packet", "start_hex": "AA 55", "length": 7},
            "fields": {"struct": ">2xBHxB", "names": ["state", "counts", "check"]},
            "counting": {"field": "counts", "quantity": "counts", "period_s": 0.2, "full_at": 65535},
            "checksum": {"rule": "xor8", "covers_from": 2},
            "marks": [{"field": "state", "equals": "4", "status": "overload"}],
        }
        | parts
    )


def packet(state: int, counts: int) -> bytes:
    """Write what that console would send."""
    body = bytes([state]) + counts.to_bytes(2) + b"\x00"
    return b"\xaa\x55" + body + bytes([checksum("xor8", body)])


def test_packets_with_a_checksum_by_sheet() -> None:
    """Start bytes, fields by struct, exclusive or, overload by a field: noise and flipped bits are refused."""
    dialogue = SheetDialogue("gamma", a_sheet(), port=PORT)
    dialogue.begin(0.0)
    flipped = bytearray(packet(0, 500))
    flipped[4] ^= 1
    stream = b"\x00\xaa" + packet(0, 17) + bytes(flipped) + packet(4, 18) + packet(0, 65535)
    for place, number in enumerate(stream):
        dialogue.feed(bytes([number]), 0.01 * place)
    readings = dialogue.take_readings()
    assert [(reading.counts, reading.status) for reading in readings] == [
        (17, CountStatus.RESYNCED),
        (18, CountStatus.OVERLOAD),
        (65535, CountStatus.SATURATED),
    ]
    assert dialogue.rejected == 2
    assert readings[0].real_time_s == 0.2


@pytest.mark.parametrize(
    ("rule", "expected"), [("sum8", 0x2E), ("twos8", 0xD2), ("xor8", 0xDE), ("sum16", 0x022E), ("twos16", 0xFDD2)]
)
def test_checksum_rules(rule: Rule, expected: int) -> None:
    """Each rule over bytes summed by hand: F5 + FA + 3F = 22E, F5 ^ FA ^ 3F = 30, here with EE."""
    body = b"\xf5\xfa\x3f" if rule != "xor8" else b"\xf5\xfa\x3f\xee"
    assert checksum(rule, body) == expected
    assert (sum(b"\xf5\xfa\x01\x01\x00\x00") + checksum("twos16", b"\xf5\xfa\x01\x01\x00\x00")) & 0xFFFF == 0
    assert checksum("twos16", b"\xf5\xfa\x01\x01\x00\x00") == 0xFE0F  # the DP5's status request


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("crc8-smbus", 0xF4),
        ("crc8-maxim", 0xA1),
        ("crc16-modbus", 0x4B37),
        ("crc16-arc", 0xBB3D),
        ("crc16-ccitt", 0x29B1),
        ("crc16-xmodem", 0x31C3),
        ("crc16-kermit", 0x2189),
    ],
)
def test_cyclic_checksums_are_the_catalogued_ones(rule: Rule, expected: int) -> None:
    """Each gives the catalogue's check value, that of the digits 1 to 9."""
    assert checksum(rule, b"123456789") == expected


def test_a_line_of_nmea() -> None:
    """NMEA's own example: exclusive or between dollar and star, neither of them covered."""
    sheet = a_sheet(
        framing={"kind": "line"},
        fields={"pattern": r"\$GPGGA,(?P<counts>\d+),.*\*(?P<sum>[0-9A-F]{2})"},
        checksum={"rule": "xor8", "field": "sum", "covers_from": 1, "omits": 1},
        marks=[],
    )
    line = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"
    assert sheet.decode(line)["counts"] == "123519"
    with pytest.raises(FrameError, match="xor8 gives 46"):
        sheet.decode(line.replace(b"123519", b"123518"))
    with pytest.raises(FrameError, match="is not 2 hexadecimal digits"):
        a_sheet(
            framing={"kind": "line"},
            fields={"pattern": r"(?P<counts>\d+)\*(?P<sum>.*)"},
            checksum={"rule": "xor8", "field": "sum"},
            marks=[],
        ).decode(b"12*")


def test_a_packet_of_modbus() -> None:
    """A request of Modbus over a serial line: a cyclic checksum, the lower byte first."""
    sheet = a_sheet(
        framing={"kind": "packet", "start_hex": "01 03", "length": 8},
        fields={"struct": ">2xHH2x", "names": ["register", "counts"]},
        checksum={"rule": "crc16-modbus", "lower_first": True},
        marks=[],
    )
    assert sheet.decode(bytes.fromhex("01 03 00 00 00 0A C5 CD"))["counts"] == 10
    with pytest.raises(FrameError, match="checksum is CDC5, crc16-modbus gives"):
        sheet.decode(bytes.fromhex("01 03 00 00 00 0B C5 CD"))


def test_a_line_with_its_checksum_in_a_group() -> None:
    """As LB 134 and NMEA do it: hexadecimal behind a star, over what stands before it."""
    sheet = a_sheet(
        framing={"kind": "line"},
        fields={"pattern": r"\$(?P<counts>\d+)\*(?P<sum>[0-9A-F]{2})"},
        checksum={"rule": "sum8", "field": "sum"},
        marks=[],
    )
    body = b"$123*"
    assert sheet.decode(body + b"%02X" % (sum(body) & 0xFF))["counts"] == "123"
    with pytest.raises(FrameError, match="checksum is 0, sum8 gives"):
        sheet.decode(body + b"00")


def test_a_polled_total_by_sheet() -> None:
    """A sum that wraps, asked for: its rise counts, and a restart is a gap."""
    sheet = a_sheet(
        framing={"kind": "line"},
        fields={"pattern": r"OK (?P<total>\d+)"},
        counting={
            "field": "total",
            "quantity": "total",
            "period_s": 0.5,
            "wraps_at": 1000,
            "greatest_cps": 200.0,
        },
        checksum=None,
        marks=[],
        poll={"send": "GET\r\n", "every_s": 0.5},
    )
    dialogue = SheetDialogue("gamma", sheet, port=PORT)
    dialogue.begin(0.0)
    counts = []
    for place, total in enumerate((980, 995, 10, 500, 520)):
        assert dialogue.take_outgoing() == b"GET\r\n"
        dialogue.feed(b"OK %d\r\n" % total, place * 0.5 + 0.01)
        dialogue.wake(place * 0.5 + 0.5)
        counts += [(reading.counts, reading.status) for reading in dialogue.take_readings()]
    assert counts == [(15, CountStatus.OK), (15, CountStatus.OK), (20, CountStatus.RESYNCED)]
    dialogue.wake(dialogue.wake_at_s)
    assert dialogue.take_outgoing() == b"GET\r\n" * 2  # the last, and once more for the answer that did not come


@pytest.mark.parametrize("shown", ["nan", "inf", "-inf", "1e400", "1e300", "-1"])
def test_a_rate_that_is_none_is_refused(shown: str) -> None:
    """What Python reads as a number and no instrument counts is a refused frame, and reading goes on."""
    sheet = a_sheet(
        framing={"kind": "line"},
        fields={"pattern": r"(?P<rate>\S+)"},
        counting={
            "field": "rate",
            "quantity": "rate",
            "period_s": 1.0,
            "time_constant_s": 2.0,
            "cps_per_unit": 1e10,
        },
        checksum=None,
        marks=[],
    )
    dialogue = SheetDialogue("gamma", sheet, port=PORT)
    dialogue.begin(0.0)
    for second, line in enumerate(("5", "5", shown, "5", "5")):
        dialogue.feed(line.encode() + b"\r\n", float(second))
    assert dialogue.rejected == 1
    assert [reading.status for reading in dialogue.take_readings()] == [
        CountStatus.OK,
        CountStatus.RESYNCED,
        CountStatus.OK,
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e38])
def test_bytes_of_a_float_that_is_no_count_are_refused(number: float) -> None:
    """A struct's float may be anything that its bytes are; ten to the 38th is no count either."""
    sheet = a_sheet(
        framing={"kind": "packet", "start_hex": "AA 55", "length": 6},
        fields={"struct": ">2xf", "names": ["counts"]},
        checksum=None,
        marks=[],
    )
    dialogue = SheetDialogue("gamma", sheet, port=PORT)
    dialogue.begin(0.0)
    for place, value in enumerate((3.0, number, 4.0)):
        dialogue.feed(struct.pack(">2sf", b"\xaa\x55", value), 0.2 * place)
    assert [reading.counts for reading in dialogue.take_readings()] == [3, 4]
    assert dialogue.rejected > 0


def test_a_long_number_is_refused() -> None:
    """Four hundred digits are more than a float holds."""
    sheet = read_sheet(SHEETS / "mightyohm.toml")
    with pytest.raises(FrameError, match="no number that counts"):
        sheet.number({"cps": "9" * 400}, "cps")


def test_an_identity_that_may_be_left_out_is_empty() -> None:
    """A group that takes no part in the answer is no name, and no fault."""
    greeting = {"send": "ID\r\n", "answer": r"ID( \w+)?", "is_identity": True}
    dialogue = SheetDialogue("gamma", a_sheet(framing={"kind": "line"}, start=[greeting]), port=PORT)
    dialogue.begin(0.0)
    dialogue.feed(b"ID\r\nID\r\n", 0.1)
    assert dialogue.is_open


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            {"fields": {"struct": ">2x1sHxB", "names": ["state", "counts", "check"]}},
            "c, s and p give text, no numbers",
        ),
        ({"fields": {"struct": ">2é", "names": ["counts"]}}, "struct '>2é'"),
        ({"start": [{"send": "ID\r\n", "answer": r"ID \w+", "is_identity": True}]}, "has no group"),
        ({"start": [{"send": "µ→", "answer": "ID"}]}, "'→' is no character of Latin-1"),
        ({"poll": {"send": "GET→\r\n", "every_s": 0.5}}, "'→' is no character of Latin-1"),
        ({"begin": "→"}, "'→' is no character of Latin-1"),
        ({"stop": "→"}, "'→' is no character of Latin-1"),
    ],
)
def test_what_a_sheet_could_not_do_is_refused_when_it_is_read(parts: dict[str, object], sentence: str) -> None:
    """Text for a number, an identity that nothing tells, a character that is no byte: named at the reading."""
    with pytest.raises(ValidationError, match=sentence):
        a_sheet(**parts)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ('field = "cps"', 'field = "counts"', "no field is called 'counts': there are cpm, cps"),
        ("(?P<cps>", "(?P<cps", "is no regular expression over bytes"),
        ('quantity = "counts"', 'quantity = "rate"', "counting: a rate needs time_constant_s"),
        ('kind = "line"', 'kind = "packet"', "framing: a packet needs start_hex"),
        ('kind = "line"', 'kind = "line"\nstop = "X"', "stop stands above the first [table], beside name"),
        ('kind = "line"', 'kind = "line"\nlenght = 9', "framing.lenght: no such key: did you mean 'length'?"),
        ('kind = "line"', 'kind = "line"\nxxxx = 9', "no such key: there are gap_s, greatest_length, kind"),
        ("pattern = '", 'pattern = "\\d" # \'', "write patterns in 'single quotes'"),
        ("period_s", "perriod_s", "counting.period_s: Field required"),
        ("[fields]", "[fields", "is no TOML"),
        ("baud_rate = 9600", 'baud_rate = "fast"', "baud_rate: "),
    ],
)
def test_a_mistake_in_a_sheet_is_named(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    """A wrong key or value is told with the file and the key."""
    text = (SHEETS / "mightyohm.toml").read_text()
    assert right in text
    path = tmp_path / "console.toml"
    path.write_text(text.replace(right, wrong, 1))
    with pytest.raises(SheetError) as refused:
        read_sheet(path)
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)


def test_why_a_packet_is_refused_is_told() -> None:
    """A wrong checksum rule would else look as if nothing came: each refused packet is told with its reason."""
    told: list[str] = []
    dialogue = SheetDialogue("gamma", a_sheet(), port=PORT, on_frame=lambda _, became: told.append(became))
    dialogue.begin(0.0)
    dialogue.feed(packet(0, 17)[:-1] + b"\x00", 0.0)
    assert told == ["refused: checksum is 0, xor8 gives 11"]


def test_what_is_no_answer_at_the_opening_is_told_with_what_is() -> None:
    """Frames before it counts are shown beside the answer that is waited for."""
    told: list[str] = []
    greeting = {"send": "ID\r\n", "answer": r"ID (\w+)", "is_identity": True}
    sheet = a_sheet(framing={"kind": "line"}, start=[greeting])
    dialogue = SheetDialogue("gamma", sheet, port=PORT, on_frame=lambda _, became: told.append(became))
    dialogue.begin(0.0)
    dialogue.feed(b"hello\r\nID 7\r\n", 0.1)
    assert told == [r"is no answer, which is ID (\w+)", r"answers ID (\w+)"]


def test_a_missing_sheet_and_a_short_silence_are_told_of_the_device(tmp_path: Path) -> None:
    """Both are found when it is opened, and say what to do."""
    with pytest.raises(DeviceError, match=r"gamma: .*nowhere\.toml: cannot be read"):
        Settings(driver="sheet", port=PORT, sheet=tmp_path / "nowhere.toml").dialogue("gamma")
    with pytest.raises(DeviceError, match="make silence_s longer"):
        Settings(driver="sheet", port=PORT, sheet=SHEETS / "mightyohm.toml").dialogue("gamma")
