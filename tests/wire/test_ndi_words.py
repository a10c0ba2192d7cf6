"""NDI's errors mean in our words what they mean in those of NDI's own library."""

import ndicapy
import pytest

from devices.trackers.ndi_words import ERRORS, error_words

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
