"""What an NDI tracker's numbers mean and what to do about them: errors, and states of tool, port and system.

Numbers from ndicapi.h (NDI_… constants) and NDI's Combined Application Program Interface Guide.
"""

from collections.abc import Mapping
from typing import TypeAlias

Words: TypeAlias = tuple[str, str]
"""What is wrong, and what to do."""

RESTART = "switch the tracker off and on; if it comes again, call NDI's service"
UPDATE = "its firmware does not know what we asked: update it, or choose another reply in the site file"
OURS = "this is a fault of ours: keep the log and report it"
ROM = "check the tool's .rom file in the site file"
PLUG = "check the tool's plug"
ONE_HOST = "end other programs that use the tracker; it is opened again by itself"

ERRORS: Mapping[int, Words] = {
    0x01: ("it does not know the command", UPDATE),
    0x02: ("the command is too long", OURS),
    0x03: ("the command is too short", OURS),
    0x04: ("a command came to it with a wrong CRC", "check the cable and keep it away from motors"),
    0x05: ("it took too long over a command", RESTART),
    0x06: ("it cannot take the new line parameters", "choose another baud_rate in the site file"),
    0x07: ("a command had the wrong number of parameters", OURS),
    0x08: ("it has no such port handle", ONE_HOST),
    0x09: ("it does not know the tracking priority", "choose another mobility for the tool in the site file"),
    0x0A: ("it has no such LED", OURS),
    0x0B: ("it does not know that state of an LED", OURS),
    0x0C: ("it cannot do that in its present mode", ONE_HOST),
    0x0D: ("no tool is assigned to the port handle", ROM),
    0x0E: ("the port handle is not initialised", ONE_HOST),
    0x0F: ("the port handle is not enabled", ONE_HOST),
    0x10: ("it is not initialised", "it was switched off and on: it is opened again by itself"),
    0x11: ("it cannot stop tracking", RESTART),
    0x12: ("it cannot start tracking", "check that the camera is connected and warm, then " + RESTART),
    0x13: ("it cannot initialise the tool", ROM + ", and " + PLUG),
    0x14: ("the camera's characterisation is invalid", "call NDI's service: it must not measure"),
    0x15: ("it cannot initialise itself", "check the camera's cable, then " + RESTART),
    0x16: ("it cannot start its diagnosis", RESTART),
    0x17: ("it cannot stop its diagnosis", RESTART),
    0x18: ("it cannot tell how much infrared or magnetic interference there is", RESTART),
    0x19: ("it cannot read its firmware's version", RESTART),
    0x1A: ("it has an internal error", RESTART),
    0x1B: ("it cannot look for infrared", RESTART),
    0x1C: ("it cannot set the markers' firing", PLUG),
    0x1D: ("it cannot search for the tools' memories", PLUG),
    0x1E: ("it cannot read the tool's memory", PLUG),
    0x1F: ("it cannot write the tool's memory", ROM),
    0x20: ("it cannot select the tool's memory", PLUG),
    0x21: ("it cannot test the tool's current", PLUG),
    0x22: ("its volume does not fit the tool's wavelength", "use tools that the camera is made for"),
    0x23: ("a parameter is out of range", OURS),
    0x24: ("it has no camera parameters for this volume", "choose its volume with NDI's own program"),
    0x25: ("it cannot tell its features", RESTART),
    0x28: ("too many tools, or a kind that it cannot track", "take tools out of the site file"),
    0x29: ("its main firmware is corrupt", "call NDI's service"),
    0x2A: ("its memory is full", "take tools out of the site file, then " + RESTART),
    0x2B: ("the port handle was not allocated", ONE_HOST),
    0x2C: ("the port handle has become unoccupied", PLUG),
    0x2D: ("all port handles are taken", "take tools out of the site file, or unplug some"),
    0x2E: ("the versions of its firmware do not fit together", "update its firmware"),
    0x2F: ("the description of the port is invalid", OURS),
    0x30: ("the port has a handle already", ONE_HOST),
    0x32: ("that cannot be done with this tool", "check the tool's kind in the site file"),
    0x33: ("it does not have this feature", UPDATE),
    0x34: ("it has no such parameter", UPDATE),
    0x35: ("a parameter has the wrong type", OURS),
    0x36: ("a parameter's value is out of range", OURS),
    0x37: ("a parameter's index is out of range", OURS),
    0x38: ("a parameter's size is wrong", OURS),
    0x39: ("it does not allow that: another host is its master", ONE_HOST),
    0x3B: ("it has no such file", UPDATE),
    0x3C: ("it cannot write a file", RESTART),
    0x3D: ("it cannot read a file", RESTART),
    0x40: ("the tool's definition file is damaged or of no known format", ROM),
    0x41: ("it does not support the tool's characteristics", ROM + ": it may be made for another model"),
    0x42: ("the device is not connected to it", "check the camera's cable"),
    0xF1: ("there is too much infrared in the room", "turn lamps and sunlight away from the camera"),
    0xF4: ("it cannot erase its memory", "call NDI's service"),
    0xF5: ("it cannot write its memory", "call NDI's service"),
    0xF6: ("it cannot read its memory", "call NDI's service"),
}

TOOL_STATES: Mapping[int, Words] = {
    0: ("tracked", ""),
    3: ("partly outside the volume", "move the camera so that all of the tool is inside"),
    5: ("averaged over fewer frames than asked", "hold it still for a moment"),
    9: ("outside the volume", "move the camera, or the tool into its volume"),
    13: ("too few of its markers are seen", "clear the line of sight, clean or renew the spheres"),
    14: ("infrared disturbs it", "turn lamps and reflecting things away from the camera"),
    17: ("its markers do not fit its definition", "clean or renew the spheres, and " + ROM),
    18: ("there is too much for the tracker's buffer", "take reflecting things out of its sight"),
    19: ("there is too much for the tracker's computation", "take reflecting things out of its sight"),
    20: ("the tracker fell behind", "take tools out of the site file"),
    21: ("the camera's sensors are out of step", RESTART),
    22: ("the tracker failed over it", RESTART),
    31: ("not in sight", "clear the line of sight between tool and camera"),
    32: ("tracking it is not enabled", ONE_HOST),
    33: ("unplugged", PLUG),
}
"""Low byte of a tool's status in a BX2 answer."""

SYSTEM_STATES: Mapping[int, Words] = {
    0x0001: ("its parts are out of step", "check the camera's cable"),
    0x0002: ("there is too much infrared in the room", "turn lamps and sunlight away from the camera"),
    0x0004: ("its parts misunderstand each other (CRC)", "check the camera's cable"),
    0x0008: ("it recovered from a failure", "if it comes again, call NDI's service"),
    0x0010: ("its hardware has failed", "call NDI's service: do not navigate with it"),
    0x0020: ("its hardware was changed", "it must be opened again"),
    0x0040: ("a tool was plugged in", ""),
    0x0080: ("a tool was unplugged", PLUG),
    0x0100: ("it has a diagnosis to tell", "read it with NDI's own program"),
    0x0200: ("its temperature is out of range", "let it warm up, and keep its vents clear: it measures less well"),
}
"""Bits of the system status that ends a TX or BX answer."""

ALERTS: Mapping[tuple[int, int], Words] = {
    (4, 1): ("a tool was plugged in", ""),
    (4, 2): ("a tool was unplugged", PLUG),
    (4, 5): ("its hardware was changed", "it must be opened again"),
    (4, 6): ("its clock follows another master (PTP)", "its time stamps jumped; ours do not depend on them"),
}
"""Kind (1 fault, 2 alert, 4 event) and number of a system alert in a BX2 answer; others are told by number."""

SYSTEM_FAULT = 1
"""Kind of alert after which, as after ``HARDWARE_FAILURE``, nothing that it measures may be believed."""
ALERT_KINDS = {SYSTEM_FAULT: "fault", 2: "alert", 4: "event"}

HARDWARE_FAILURE = 0x0010
"""System status after which nothing that it measures may be believed."""

IN_PORT, INITIALISED, ENABLED = 0x01, 0x10, 0x20
OUT_OF_VOLUME, PARTLY_OUT_OF_VOLUME = 0x40, 0x80
"""Bits of a port status; 0x02, 0x04 and 0x08 are the tool's switches."""


def _join(words: Words) -> str:
    wrong, remedy = words
    return f"{wrong}: {remedy}" if remedy else wrong


def error_words(code: int) -> str:
    """Put the number behind ``ERROR`` into words, with what to do."""
    return f"{_join(ERRORS.get(code, ('it has an error that we do not know', RESTART)))} (ERROR{code:02X})"


def tool_words(state: int) -> str:
    """Put a tool's state in a BX2 answer into words, with what to do."""
    return _join(TOOL_STATES.get(state & 0xFF, (f"in a state that we do not know ({state & 0xFF})", RESTART)))


def port_words(status: int) -> str:
    """Put what is wrong in a port status into words, with what to do; empty where nothing is."""
    if not status & IN_PORT:
        return _join(("not in its port", PLUG))
    if not status & INITIALISED:
        return _join(("not initialised", ONE_HOST))
    if not status & ENABLED:
        return _join(("not enabled", ONE_HOST))
    if status & OUT_OF_VOLUME:
        return tool_words(9)
    if status & PARTLY_OUT_OF_VOLUME:
        return tool_words(3)
    return ""


def system_words(status: int) -> str:
    """Put a system status into words, with what to do; empty where nothing is said."""
    known = [_join(words) for bit, words in SYSTEM_STATES.items() if status & bit]
    if rest := status & ~sum(SYSTEM_STATES):
        known.append(f"system status 0x{rest:04X}, which we do not know")
    return "; ".join(known)


def alert_words(kind: int, number: int) -> str:
    """Put a system alert of a BX2 answer into words."""
    if kind == SYSTEM_FAULT:
        return f"it has failed (fault {number}): do not navigate with it, read the fault with NDI's own program"
    known = ALERTS.get((kind, number))
    return _join(known) if known else f"{ALERT_KINDS.get(kind, 'alert')} {number}: read it with NDI's own program"
