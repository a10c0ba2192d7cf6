"""The port handles of a simulated NDI tracker: allocated, loaded, initialised, enabled and freed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devices.trackers.ndi_protocol import Command
from devices.trackers.ndi_words import ENABLED, IN_PORT, INITIALISED

FIRST_HANDLE, LAST_HANDLE = 0x01, 0xFF
UNKNOWN, WRONG_PARAMETERS, BAD_PRIORITY, NO_TOOL = 0x01, 0x07, 0x09, 0x0D
NOT_INITIALISED, NO_HANDLE, NO_HANDLE_LEFT, BAD_DEFINITION = 0x0E, 0x2B, 0x2D, 0x40

HANDLE = r"(?P<handle>[0-9A-F]{2})"
LIST_OPTION = r"(?:0[0-4])?"
PORT_DESCRIPTION = r"[0-9A-Z*]{8}[0-9*][01*][0-9A-F*]{2}[0-9A-Z*]{2}"
CHUNK = HANDLE + r"(?P<address>[0-9A-F]{4})(?P<chunk>[0-9A-F]{128})"
PRIORITY = HANDLE + r"(?P<priority>.?)"
DESCRIBED = HANDLE + r"(?P<options>[0-9A-F]{4})?"


class Refused(Exception):
    """Raised to answer with an error of this number."""


def take(form: str, parameters: str) -> re.Match[str]:
    """Take a command's parameters apart by the form that they must have; raise ``Refused`` where they have not."""
    match = re.fullmatch(form, parameters)
    if match is None:
        raise Refused(WRONG_PARAMETERS)
    return match


@dataclass(slots=True, kw_only=True)
class Port:
    """A port handle: what was written to it, and how far it was set up."""

    tool: str = ""
    serial_number: str = ""
    rom: bytearray = field(default_factory=bytearray)
    is_initialised: bool = False
    is_enabled: bool = False

    @property
    def status(self) -> int:
        """Port status of a tool in sight."""
        return IN_PORT | INITIALISED * self.is_initialised | ENABLED * self.is_enabled


class PortHandles:
    """Answers the commands that set tools up; ``roms`` and ``wired`` as in ``SimulatedNdi``."""

    def __init__(self, *, roms: Mapping[bytes, str], wired: Mapping[str, str]) -> None:
        self.ports: dict[int, Port] = {}
        self._roms = {content.rstrip(b"\0"): tool for content, tool in roms.items()}
        self._wired = wired
        self._commands: Mapping[str, Callable[[str], str]] = {
            "PHSR": self._list,
            "PHRQ": self._request,
            "PVWR": self._write,
            "PINIT": self._initialise,
            "PENA": self._enable,
            "PDIS": self._disable,
            "PHF": self._free,
            "PHINF": self._describe,
        }

    def clear(self) -> None:
        """Forget every handle, as at power-on."""
        self.ports.clear()

    def unplug(self, tool: str) -> None:
        """Take a tool's handle away."""
        for handle in [handle for handle, port in self.ports.items() if port.tool == tool]:
            del self.ports[handle]

    def initialise_all(self) -> None:
        """Do as INIT: find what is plugged in, and enable nothing; handles that a host had asked for stay."""
        if not self.ports:
            for index, (serial_number, tool) in enumerate(self._wired.items()):
                self.ports[FIRST_HANDLE + index] = Port(tool=tool, serial_number=serial_number)
        for port in self.ports.values():
            port.is_enabled = False

    def obey(self, command: Command) -> str:
        """Give the answer to a command; raise ``Refused`` for an error."""
        if command.name not in self._commands:
            raise Refused(UNKNOWN)
        return self._commands[command.name](command.arguments)

    def _taken(self, form: str, arguments: str) -> tuple[int, Port, re.Match[str]]:
        """Give the handle that the parameters begin with, its port, and all of the parameters."""
        match = take(form, arguments)
        handle = int(match["handle"], 16)
        if handle not in self.ports:
            raise Refused(NO_HANDLE)
        return handle, self.ports[handle], match

    def _list(self, option: str) -> str:
        take(LIST_OPTION, option)
        chosen = {
            handle: port
            for handle, port in self.ports.items()
            if {
                "00": True,
                "02": not port.is_initialised,
                "03": port.is_initialised and not port.is_enabled,
                "04": port.is_enabled,
            }.get(option or "00")
        }
        return f"{len(chosen):02X}" + "".join(f"{handle:02X}{port.status:03X}" for handle, port in chosen.items())

    def _request(self, description: str) -> str:
        take(PORT_DESCRIPTION, description)
        free = set(range(FIRST_HANDLE, LAST_HANDLE + 1)) - self.ports.keys()
        if not free:
            raise Refused(NO_HANDLE_LEFT)
        handle = min(free)
        self.ports[handle] = Port()
        return f"{handle:02X}"

    def _write(self, arguments: str) -> str:
        _, port, match = self._taken(CHUNK, arguments)
        rom, address, chunk = port.rom, int(match["address"], 16), bytes.fromhex(match["chunk"])
        rom.extend(bytes(max(0, address + len(chunk) - len(rom))))
        rom[address : address + len(chunk)] = chunk
        return "OKAY"

    def _initialise(self, arguments: str) -> str:
        _, port, _ = self._taken(HANDLE, arguments)
        if not port.serial_number:
            if not port.rom:
                raise Refused(NO_TOOL)
            tool = self._roms.get(bytes(port.rom).rstrip(b"\0"))
            if tool is None:
                raise Refused(BAD_DEFINITION)
            port.tool = tool
        port.is_initialised = True
        return "OKAY"

    def _enable(self, arguments: str) -> str:
        _, port, match = self._taken(PRIORITY, arguments)
        if match["priority"] not in {"S", "D", "B"}:
            raise Refused(BAD_PRIORITY)
        if not port.is_initialised:
            raise Refused(NOT_INITIALISED)
        port.is_enabled = True
        return "OKAY"

    def _disable(self, arguments: str) -> str:
        _, port, _ = self._taken(HANDLE, arguments)
        port.is_enabled = False
        return "OKAY"

    def _free(self, arguments: str) -> str:
        handle, _, _ = self._taken(HANDLE, arguments)
        del self.ports[handle]
        return "OKAY"

    def _describe(self, arguments: str) -> str:
        handle, port, match = self._taken(DESCRIBED, arguments)
        is_wireless = not port.serial_number
        described = ""
        options = int(match["options"] or "0001", 16)
        if options & ~0x0021:
            raise Refused(WRONG_PARAMETERS)
        if options & 0x0001:
            described += f"{'02000000'}{'NDI':12}{'001'}{port.serial_number or '00000000'}{port.status:02X}"
        if options & 0x0020:
            described += f"{'00000000'}0{int(is_wireless)}{0 if is_wireless else handle:02X}00"
        return described
