"""NDI's numbers mean in our words what they mean in those of NDI's own library and guide."""

import ndicapy
import pytest

from devices.trackers.ndi_words import ERRORS, SYSTEM_STATES, error_words, port_words, system_words, tool_words

TOLD_BY_NDI = (
    *range(0x01, 0x26),
    *range(0x28, 0x31),
    *range(0x32, 0x3A),
    *range(0x3B, 0x3E),
    0x40,
    0x41,
    0x42,
    0xF1,
)
"""Numbers of which ``ndiErrorString`` knows the meaning; of 0xF4 to 0xF6 it tells that of the next."""

STEMS = {
    "Invalid command": "does not know the command",
    "too long": "too long",
    "too short": "too short",
    "CRC calculated": "wrong CRC",
    "Time-out": "took too long",
    "communication parameters": "line parameters",
    "Incorrect number": "wrong number of parameters",
    "port handle selected": "no such port handle",
    "tracking priority": "tracking priority",
    "LED selected": "no such LED",
    "LED state": "state of an LED",
    "current mode": "present mode",
    "No tool assigned": "no tool is assigned",
    "not initialized": "not initialised",
    "not enabled": "not enabled",
    "stop tracking": "cannot stop tracking",
    "start tracking": "cannot start tracking",
    "Tool-in-Port": "cannot initialise the tool",
    "characterization": "characterisation is invalid",
    "initialize the Measurement": "cannot initialise itself",
    "start diagnostic": "start its diagnosis",
    "stop diagnostic": "stop its diagnosis",
    "magnetic interference": "magnetic interference",
    "device's firmware version": "firmware's version",
    "Internal": "internal error",
    "infrared": "infrared",
    "firing": "firing",
    "search for SROM": "search for the tools' memories",
    "read SROM": "read the tool's memory",
    "write SROM": "write the tool's memory",
    "select SROM": "select the tool's memory",
    "current test": "test the tool's current",
    "wavelength": "wavelength",
    "parameter out of range": "parameter is out of range",
    "by volume": "camera parameters for this volume",
    "features list": "features",
    "Too many tools": "too many tools",
    "corrupt": "corrupt",
    "heap is full": "memory is full",
    "not been allocated": "not allocated",
    "unoccupied": "unoccupied",
    "All handles": "all port handles are taken",
    "Incompatible firmware": "versions of its firmware do not fit",
    "port description": "description of the port",
    "already assigned": "has a handle already",
    "Invalid operation": "cannot be done with this tool",
    "Feature not": "not have this feature",
    "parameter does not exist": "no such parameter",
    "value type": "wrong type",
    "value set is out of": "value is out of range",
    "index": "index is out of range",
    "size is incorrect": "size is wrong",
    "Permission denied": "does not allow that",
    "File not found": "no such file",
    "writing to file": "write a file",
    "reading from file": "read a file",
    "Definition File": "definition file is damaged",
    "characteristics not": "does not support the tool's characteristics",
    "Device not present": "not connected",
}
"""What NDI's sentence has, and what ours then must have."""


@pytest.mark.parametrize("code", TOLD_BY_NDI, ids=hex)
def test_an_error_means_what_ndi_says(code: int) -> None:
    """Whatever the library's sentence names stands in ours, and something of it is named."""
    theirs = ndicapy.ndiErrorString(code)
    named = {ours for stem, ours in STEMS.items() if stem in theirs}
    assert named, theirs
    ours = error_words(code)
    assert all(words in ours for words in named), (theirs, ours)


def test_every_error_says_what_to_do() -> None:
    """No remedy is empty, and none is what is wrong once more."""
    for code, (wrong, remedy) in ERRORS.items():
        assert remedy, hex(code)
        assert remedy != wrong, hex(code)
        assert error_words(code) == f"{wrong}: {remedy} (ERROR{code:02X})"


SYSTEM = {
    ndicapy.NDI_COMM_SYNC_ERROR: "out of step",
    ndicapy.NDI_TOO_MUCH_EXTERNAL_INFRARED: "too much infrared",
    ndicapy.NDI_COMM_CRC_ERROR: "CRC",
    0x0008: "recovered from a failure",
    0x0010: "hardware has failed",
    0x0020: "hardware was changed",
    0x0040: "was plugged in",
    0x0080: "was unplugged",
    0x0100: "diagnosis",
    0x0200: "temperature is out of range",
}
"""Bits of the system status: those that ndicapi.h names, the others by NDI's guide to its combined API (TX)."""

TOOL = {
    3: "partly outside the volume",
    9: "outside the volume",
    13: "too few of its markers",
    14: "infrared disturbs it",
    17: "do not fit its definition",
    18: "buffer",
    19: "computation",
    20: "fell behind",
    21: "out of step",
    22: "failed",
    31: "not in sight",
    32: "not enabled",
    33: "unplugged",
}
"""States of a tool by NDI's guide (BX2, 6D component)."""


@pytest.mark.parametrize("bit", SYSTEM, ids=hex)
def test_a_bit_of_the_system_status_means_what_ndi_says(bit: int) -> None:
    """In words, and but for a tool that was plugged in with what to do."""
    assert SYSTEM[bit] in system_words(bit)
    assert bit == 0x0040 or ": " in system_words(bit)
    assert set(SYSTEM) == set(SYSTEM_STATES)


def test_two_bits_at_once_are_both_said() -> None:
    """One does not hide the other, nor one that nobody knows."""
    words = system_words(0x8202)
    assert "too much infrared" in words
    assert "temperature is out of range" in words
    assert "0x8000" in words


@pytest.mark.parametrize("state", TOOL)
def test_a_tools_state_means_what_ndi_says(state: int) -> None:
    """Its low byte alone, whatever bits for averaging and face stand above it."""
    assert TOOL[state] in tool_words(state)
    assert tool_words(0x2200 | state) == tool_words(state)


def test_outside_and_partly_outside_the_volume_are_told_apart() -> None:
    """With the one the pose is gone, with the other it will be soon."""
    assert port_words(0x71).startswith("outside the volume: ")
    assert port_words(0xB1).startswith("partly outside the volume: ")
