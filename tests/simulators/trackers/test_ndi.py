"""The simulated NDI tracker answers whatever it is asked, as the combined API's guide says."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.clock import monotonic
from devices.trackers.ndi_protocol import Command, checksum, text_answer
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.ports import open_tcp_port
from simulators.trackers.ndi import VERSION, SimulatedNdi

HERE = RigidTransform.identity(Frame.TRACKER, Frame.TOOL)
ROM = b"NDI\0" + bytes(60)
ASKED = ("INIT", "RESET", "VER", "BEEP", "COMM", "TSTART", "TSTOP", "TX", "BX", "BX2", "GETINFO")
ABOUT_HANDLES = ("PHSR", "PHRQ", "PVWR", "PINIT", "PENA", "PDIS", "PHF", "PHINF")
LONGEST_S = 30.0

malformed = st.text("0123456789ABCDEFXZ*-_+ =:", max_size=40) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), max_size=200
)
requests = st.one_of(
    st.builds(
        lambda name, arguments: Command(name=name, arguments=arguments).to_bytes(),
        st.sampled_from(ASKED + ABOUT_HANDLES),
        malformed | st.builds("01{}".format, malformed),
    ),
    st.binary(max_size=100),
    st.builds(lambda length: b"BEEP 1" + b"1" * length + b"\r", st.integers(4000, 9000)),
)


def instrument() -> SimulatedNdi:
    """One that has a wired tool and knows a definition file."""
    return SimulatedNdi(
        lambda _: {"Probe": HERE, "Patient": HERE},
        rng=np.random.default_rng(1),
        powered_at_s=monotonic(),
        roms={ROM: "Probe"},
        wired={"3A000001": "Patient"},
    )


def answer(to: SimulatedNdi, name: str, arguments: str = "") -> bytes:
    """What it says to a command; its CRC is right."""
    said = to.receive(Command(name=name, arguments=arguments).to_bytes(), monotonic())
    assert said.endswith(b"%04X\r" % checksum(said[:-5]))
    return said[:-5]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("BEEP:", 0x07),
        ("BEEP:0", 0x07),
        ("BEEP:12", 0x07),
        ("BEEP:+1", 0x07),
        ("COMM:5", 0x07),
        ("COMM:90000", 0x06),
        ("INIT:1", 0x07),
        ("TSTART:41", 0x07),
        ("PHSR:05", 0x07),
        ("PHRQ:1", 0x07),
        ("PVWR:010000AB", 0x07),
        ("PINIT:01X", 0x07),
        ("PINIT:0", 0x07),
        ("PENA:01", 0x09),
        ("PENA:01DD", 0x07),
        ("PDIS:0x", 0x07),
        ("PHF:01XX", 0x07),
        ("PHF:7F", 0x2B),
        ("PHINF:01ZZZZ", 0x07),
        ("PHINF:01+001", 0x07),
        ("PHINF:018000", 0x07),
    ],
)
def test_a_malformed_parameter_is_answered_by_its_error(asked: str, error: int) -> None:
    """Not as many parameters as there must be, or none that could be: ERROR07, or what the guide has for it."""
    there = instrument()
    assert answer(there, "INIT") == b"OKAY"
    name, _, arguments = asked.partition(":")
    assert answer(there, name, arguments) == b"ERROR%02X" % error
    assert there.beeps == 0
    assert there.baud_code == "0"
    assert answer(there, "PHSR") == b"0101001", "the handle is as it was"


def test_a_malformed_parameter_is_no_answer_while_it_tracks() -> None:
    """Options of TX, BX and BX2 that are none are refused; those that a host sends are taken."""
    there = instrument()
    for name, arguments in (("INIT", ""), ("TSTART", "80")):
        assert answer(there, name, arguments) == b"OKAY"
    for name, arguments in (("TX", "0002"), ("BX", "1"), ("BX2", "6d"), ("TSTOP", "0")):
        assert answer(there, name, arguments) == b"ERROR07"
    assert answer(there, "TX", "0801").startswith(b"01")
    assert answer(there, "TSTOP") == b"OKAY"


def test_there_are_no_more_handles_than_two_digits_can_name() -> None:
    """The 256th request is refused: all port handles are taken."""
    there = instrument()
    answer(there, "INIT")
    given_out = [answer(there, "PHRQ", "*********1****") for _ in range(255)]
    assert given_out == [*(b"%02X" % handle for handle in range(2, 256)), b"ERROR2D"]


def test_a_command_that_is_too_long_is_told_so() -> None:
    """It is answered by ERROR02, and the next command is obeyed."""
    there = instrument()
    said = there.receive(b"BEEP 1" + b"1" * 5000 + b"\rBEEP 2\r", monotonic())
    assert said == text_answer(b"ERROR02") + text_answer(b"1")
    assert there.beeps == 2


@given(asked=st.lists(requests, max_size=12), is_tracking=st.booleans())
@settings(deadline=None, max_examples=40)
def test_no_request_ends_the_connection_or_leaves_a_trace(asked: list[bytes], is_tracking: bool) -> None:  # noqa: FBT001
    """Whatever a host sends, the tracker answers the next command on the same connection."""
    asyncio.run(ask(asked, is_tracking=is_tracking))


async def ask(asked: list[bytes], *, is_tracking: bool) -> None:
    """Ask a tracker all that, and then for its version."""
    traces: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, trace: traces.append(trace))
    started = [Command(name="INIT").to_bytes()] + [Command(name="TSTART").to_bytes()] * is_tracking
    version = text_answer(VERSION.encode())
    async with asyncio.timeout(LONGEST_S), open_tcp_port(instrument()) as port:
        host, _, number = port.url.removeprefix("socket://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(number))
        writer.write(b"".join([*started, *asked, b"\r", Command(name="VER", arguments="0").to_bytes()]))
        said = b""
        while not said.endswith(version):
            piece = await reader.read(65536)
            assert piece, f"it hung up after {said[-200:]!r}"
            said += piece
        writer.close()
        await writer.wait_closed()
    assert traces == []
