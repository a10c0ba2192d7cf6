"""Sheets learnt from the bytes of several instruments: each loads, and reads its own session."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.links import Chunk
from devices.probes.learning.proposal import Proposal, Sending, propose
from devices.probes.learning.session import Session
from devices.probes.sheet import Sheet
from devices.probes.sheet_dialogue import SheetDialogue
from devices.readings import CountReading, CountStatus
from simulators.faults import Fault, corrupting, dropping
from simulators.probes.gammascout import SimulatedGammaScout
from simulators.probes.ludlum375 import SimulatedLudlum375
from simulators.probes.mightyohm import SimulatedMightyOhm
from simulators.probes.radeye import SimulatedRadEye
from simulators.probes.radpro import SimulatedRadPro
from simulators.probes.ratemeter import MeteredRate
from tests.devices.probes.learning.consoles import NEAR_CPS, Console, Source, checked, plain, record


def learnt(session: Session, **sending: object) -> tuple[Proposal, Sheet]:
    """Give the proposal and its sheet."""
    proposal = propose(session, name="Console", sending=Sending(**sending))  # type: ignore[arg-type]
    assert proposal.text, proposal.sentence
    return proposal, Sheet.model_validate(tomllib.loads(proposal.text))


def decoded(sheet: Sheet, session: Session) -> list[CountReading]:
    """Read a session as the driver would."""
    dialogue = SheetDialogue("gamma", sheet, port="/dev/ttyUSB0")
    dialogue.begin(0.0)
    for chunk in session.chunks:
        dialogue.feed(chunk.received, chunk.arrived_at_s)
    return dialogue.take_readings()


def counter_of(source: Source) -> SimulatedMightyOhm:
    return SimulatedMightyOhm(source, powered_at_s=0.0, rng=np.random.default_rng(1), dead_time_s=0.0)


def test_a_mightyohm_is_learnt_without_a_source() -> None:
    """Its words say which number counts; its banner is known for a restart; every second's count is read."""
    source = Source(near_from_s=1e9)
    session = record(counter_of(source), seconds=40.0)
    proposal, sheet = learnt(session)
    assert (sheet.counting.field, sheet.counting.quantity, sheet.counting.period_s) == ("cps", "counts", 1.0)
    assert len(sheet.restarts) == 2
    readings = decoded(sheet, session)
    assert [reading.counts for reading in readings] == source.numbers[: len(readings)]
    assert len(readings) >= 38
    assert readings[0].status is CountStatus.RESYNCED  # it has just started
    assert proposal.trial is not None
    assert proposal.trial.is_good
    assert "cps: likely what counts (counts): 'cps' stands beside it" in proposal.text
    assert "usv_hr: likely dose" in proposal.text


def test_a_gamma_scout_online_needs_a_source() -> None:
    """A bare hexadecimal number: it is asked for a source, and what then rises counts."""
    source = Source(near_from_s=60.0)
    session = record(
        SimulatedGammaScout(source.counter()), seconds=120.0, source_at_s=60.0, baud_rate=460800, send=b"O0"
    )
    before = replace(
        session, source_at_s=None, chunks=[chunk for chunk in session.chunks if chunk.arrived_at_s < 60]
    )
    doubt = propose(before, name="Console", sending=Sending())
    assert (doubt.needs_source, doubt.text) == (True, "")
    _, sheet = learnt(session, begin="O0", stop="X")
    assert (sheet.counting.base, sheet.counting.quantity, sheet.counting.period_s) == (16, "counts", 2.0)
    assert sheet.fields.pattern == "I0002(?P<i>[0-9A-Fa-f]{6})"
    assert (sheet.begin, sheet.stop, sheet.counting.full_at) == ("O0", "X", 0xFFFFFF)
    readings = decoded(sheet, session)
    # its first interval begins anew with each of the two commands
    assert [reading.counts for reading in readings] == source.numbers[-len(readings) :]
    assert len(readings) >= 55


def test_a_radeye_is_learnt_as_a_smoothed_rate() -> None:
    """STX, ETX and neighbours that are alike: a rate, whose smoothing is undone."""
    source = Source(near_from_s=60.0)
    radeye = SimulatedRadEye(MeteredRate(counter=source.counter(), time_constant_s=4.0, rate_cps=20.0))
    radeye.receive(b"@", 0.0)
    radeye.receive(b">X1\n", 0.01)
    session = record(radeye, seconds=160.0, source_at_s=60.0, character="7E2")
    proposal, sheet = learnt(session)
    assert (sheet.counting.quantity, sheet.counting.period_s, sheet.character) == ("rate", 1.0, "7E2")
    assert sheet.counting.time_constant_s is not None
    assert 1.0 < sheet.counting.time_constant_s < 16.0
    assert "its neighbours are alike" in proposal.text
    assert "? its unit is not known; its scatter suggests about 0.0" in proposal.text  # it shows hundredths
    readings = decoded(sheet, session)
    assert len(readings) >= 140
    counts_per_s = sum(one.counts for one in readings[-40:]) / sum(one.live_time_s for one in readings[-40:])
    assert counts_per_s == pytest.approx(100 * NEAR_CPS, rel=0.1)


def test_digits_without_marks_are_parted_where_some_never_change() -> None:
    """A Ludlum 375 writes its flags behind its reading without a blank."""
    source = Source(near_from_s=80.0)
    ludlum = SimulatedLudlum375(
        MeteredRate(counter=source.counter(), time_constant_s=2.0, rate_cps=20.0), cps_per_unit=1.0
    )
    session = record(ludlum, seconds=160.0, source_at_s=80.0)
    _, sheet = learnt(session)
    assert sheet.fields.pattern == r"(?P<field1>\d{4}\.\d)000010"
    assert (sheet.counting.quantity, sheet.counting.period_s) == ("rate", 2.0)
    assert len(decoded(sheet, session)) >= 70


def test_an_answer_to_a_question_is_learnt_as_a_total() -> None:
    """What only rises, faster with the source, is a total; the sheet asks as it was asked."""
    source = Source(near_from_s=20.0)
    session = record(
        SimulatedRadPro(source.counter()), seconds=40.0, source_at_s=20.0, ask=b"GET tubePulseCount\r\n"
    )
    proposal, sheet = learnt(session, ask="GET tubePulseCount\r\n", every_s=0.5)
    assert sheet.counting.quantity == "total"
    assert sheet.poll is not None
    assert (sheet.poll.sent, sheet.poll.every_s) == (b"GET tubePulseCount\r\n", 0.5)
    assert "# wraps_at" in proposal.text
    assert sum(reading.counts for reading in decoded(sheet, session)) == sum(source.numbers[1:])


def test_a_console_with_a_checksum() -> None:
    """The rule, what it leaves out, the line's number and the battery are found; a changed digit is not taken."""
    source = Source(near_from_s=15.0)
    console = Console(source.counter(), checked, banner=b"ACME probe console V2.13\r\nself test passed\r\n")
    session = record(console, seconds=30.0, source_at_s=15.0, baud_rate=19200)
    proposal, sheet = learnt(session)
    assert sheet.checksum is not None
    assert (sheet.checksum.rule, sheet.checksum.covers_from, sheet.checksum.omits) == ("xor8", 1, 1)
    assert sheet.restarts == (r"ACME probe console V\d+\.\d+", "self test passed")
    assert sheet.baud_rate == 19200
    assert (sheet.counting.quantity, sheet.counting.period_s) == ("counts", 0.2)
    assert "likely battery: 'v' stands beside it" in proposal.text
    assert "likely time: it rises by 1 with each line" in proposal.text
    readings = decoded(sheet, session)
    assert [reading.counts for reading in readings] == source.numbers[: len(readings)]
    line = next(one for one in session.received.split(b"\r\n") if one.startswith(b"$"))
    assert sheet.decode(line)
    with pytest.raises(ValueError, match="xor8 gives"):
        sheet.decode(line.replace(b"PRB,0", b"PRB,1"))


def test_a_talkative_console_without_one() -> None:
    """A clock, blanks that align, high voltage and temperature beside the number that rose."""
    source = Source(near_from_s=20.0)
    session = record(Console(source.counter(), plain), seconds=40.0, source_at_s=20.0)
    proposal, sheet = learnt(session)
    assert (sheet.counting.field, sheet.counting.quantity) == ("n", "counts")
    assert "hv: likely high voltage" in proposal.text
    assert "no checksum that a sheet knows fits" in proposal.text
    readings = decoded(sheet, session)
    assert [reading.counts for reading in readings] == source.numbers[: len(readings)]
    assert sheet.decode(b"23:59:59  N=123456  HV 612 V  T=7.0C")["n"] == "123456"


def carried(session: Session, fault: Fault) -> Session:
    """Send a session over a bad wire once more."""
    chunks: list[Chunk] = []
    for chunk in session.chunks:
        chunks += [replace(chunk, received=piece) for _, piece in fault(chunk.received) if piece]
    return replace(session, chunks=chunks)


def cut(session: Session) -> Session:
    """Begin in the middle of a line."""
    first = session.chunks[0]
    return replace(session, chunks=[replace(first, received=first.received[3:]), *session.chunks[1:]])


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        lambda session: carried(session, dropping(0.002, np.random.default_rng(5))),
        lambda session: carried(session, corrupting(0.002, np.random.default_rng(5))),
    ],
    ids=["a start in mid-stream", "lost bytes", "flipped bits"],
)
@pytest.mark.parametrize(
    "made",
    [
        lambda source: Console(source.counter(), checked),
        lambda source: Console(source.counter(), plain),
        counter_of,
    ],
    ids=["checksum", "talkative", "mightyohm"],
)
def test_damage_does_not_change_what_is_learnt(
    made: Callable[[Source], Console | SimulatedMightyOhm], spoil: Callable[[Session], Session]
) -> None:
    """Half a line, lost bytes and flipped bits are refused by the sheet, and no part of it."""
    session = record(made(Source(near_from_s=40.0)), seconds=80.0, source_at_s=40.0)
    clean = replace(session, chunks=session.chunks)
    _, sheet = learnt(clean)
    proposal, again = learnt(spoil(session))
    assert again.counting == sheet.counting
    assert again.checksum == sheet.checksum
    assert again.fields == sheet.fields
    assert again.ignore == ()
    assert proposal.trial is not None
    assert proposal.trial.readings > 0.8 * len(decoded(sheet, session))


def lines(texts: Sequence[bytes], period_s: float, source_at_s: float | None = None) -> Session:
    chunks = [Chunk(received=text + b"\n", arrived_at_s=place * period_s) for place, text in enumerate(texts)]
    return Session(baud_rate=9600, character="8N1", chunks=chunks, source_at_s=source_at_s)


def refused(session: Session) -> Proposal:
    proposal = propose(session, name="Console", sending=Sending())
    assert not proposal.text
    return proposal


def test_two_kinds_of_line_that_take_turns() -> None:
    """Counts and a temperature in lines of their own: one is read, the other passed over."""
    rng = np.random.default_rng(2)
    texts = [
        text
        for place, counts in enumerate(rng.poisson(400, 30))
        for text in (b"COUNTS %d" % counts, b"T %.1f" % (22 + place % 3))
    ]
    session = lines(texts, 0.5)
    proposal, sheet = learnt(session)
    assert (sheet.counting.field, sheet.counting.period_s) == ("counts", 1.0)
    assert len(sheet.ignore) == 1
    assert proposal.trial is not None
    assert (proposal.trial.readings, proposal.trial.rejected) == (30, 0)


def test_a_word_that_changes_may_be_any_word_and_one_that_does_not_must_stand() -> None:
    """A mode that was seen to change is passed over; kcps in place of cps is another unit, and refused."""
    rng = np.random.default_rng(2)
    texts = [b"%d cps %s" % (rng.poisson(50), (b"SLOW", b"FAST")[place // 10 % 2]) for place in range(40)]
    _, sheet = learnt(lines(texts, 1.0))
    assert sheet.decode(b"7 cps INST")["cps"] == "7"
    with pytest.raises(ValueError, match="does not match"):
        sheet.decode(b"7 kcps SLOW")


def test_what_cannot_be_told_is_said() -> None:
    """Nothing counts, nothing rises, no steady pace, too slow, too few: each in a sentence of its own."""
    rng = np.random.default_rng(2)
    flat = [b"%d,%d" % (rng.poisson(50), 7) for _ in range(60)]
    assert refused(lines(flat, 1.0)).needs_source
    assert "nothing rose beyond doubt" in refused(lines(flat, 1.0, 30.0)).sentence
    assert not refused(lines(flat, 1.0, 30.0)).needs_source
    assert refused(lines([b"cps 0"] * 30, 1.0)).needs_source
    assert (
        "set the instrument to send more often"
        in refused(lines([b"counts %d" % rng.poisson(50) for _ in range(30)], 10.0)).sentence
    )
    assert "2 lines came" in refused(lines([b"cps 1", b"cps 2"], 1.0)).sentence
    times_s = np.cumsum(rng.exponential(1.0, 60))
    uneven = [Chunk(received=b"counts %d\n" % rng.poisson(50), arrived_at_s=float(time_s)) for time_s in times_s]
    assert "no steady pace" in refused(Session(baud_rate=9600, character="8N1", chunks=uneven)).sentence


def test_counts_a_minute_are_a_rate() -> None:
    """A smoothed number a minute has a sixtieth of a count per second for its unit."""
    source, mean_cps = np.random.default_rng(2), 100.0
    texts = []
    for place in range(80):
        mean_cps = mean_cps * np.exp(-1 / 3) + source.poisson(100 if place < 40 else 900) * (1 - np.exp(-1 / 3))
        texts.append(b"RATE %d CPM" % (60 * mean_cps))
    _, sheet = learnt(lines(texts, 1.0, 39.5))
    assert sheet.counting.quantity == "rate"
    assert sheet.counting.cps_per_unit == pytest.approx(1 / 60, rel=1e-4)


def test_a_rate_a_second_that_comes_twice_a_second_is_no_count_of_half_a_second() -> None:
    """Counts of half a second, shown as twice as many a second, scatter nearly as counts do; the unit tells."""
    rng = np.random.default_rng(2)
    _, sheet = learnt(lines([b"CPS %d" % (2 * rng.poisson(50)) for _ in range(60)], 0.5))
    assert (sheet.counting.quantity, sheet.counting.cps_per_unit) == ("rate", 1.0)
    assert sheet.counting.time_constant_s is not None
    assert sheet.counting.time_constant_s >= 0.25


WORDS = [
    b"CPS",
    b"check",
    b"'",
    b"\x02",
    b"\x03",
    b" ",
    b"  ",
    b",",
    b":",
    b"=",
    b"\\",
    b"0",
    b"12",
    b"7.5",
    b"-3",
]
WORDS += [b"1e5", b"0A", b"ff", b"%", b"V", b"\xb5", b"\r", b"x"]


@settings(max_examples=60)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=4),
    counts=st.lists(st.integers(0, 99999), min_size=1, max_size=5),
    has_source=st.booleans(),
)
def test_whatever_lines_come_the_sheet_loads_or_there_is_none(
    texts: list[list[bytes]], counts: list[int], *, has_source: bool
) -> None:
    """Any words in any order, any numbers among them: never an error, and what is proposed is a sheet."""
    written = [
        b"".join(texts[place % len(texts)]) + b"%d" % counts[place % len(counts)] + b"".join(texts[0])
        for place in range(24)
    ]
    proposal = propose(lines(written, 0.5, 6.0 if has_source else None), name='µ\x7f"', sending=Sending())
    if proposal.text:
        assert Sheet.model_validate(tomllib.loads(proposal.text)).name == 'µ\x7f"'


def test_no_text_is_put_into_the_sheet_that_toml_cannot_hold() -> None:
    """Quotes, control characters and high bytes in lines leave a sheet that loads and reads them."""
    rng = np.random.default_rng(2)
    texts = [
        b"\x02'cps'=%d \"\xb5\" \\ [%s]\x03" % (rng.poisson(50), b"ab"[place % 2 : place % 2 + 1])
        for place in range(40)
    ]
    _, sheet = learnt(lines(texts, 1.0))
    assert sheet.counting.field == "cps"
    assert sheet.decode(texts[3])
