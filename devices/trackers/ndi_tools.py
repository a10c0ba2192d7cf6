"""Gives each tool of the site file a port handle of an NDI tracker, and has it tracked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devices.errors import DeviceError, DeviceFault, DeviceUnavailable
from devices.trackers.ndi_session import NdiSession

PASSIVE_PORT = "*********1****"
"""PHRQ's arguments: any device and system, a passive tool, any port."""
CHUNK_BYTES = 64
LARGEST_ROM_BYTES = 1 << 16
"""PVWR's addresses have 16 bits; files in use have about a kilobyte."""
ROM_START = b"NDI"

ALL_HANDLES, STALE_HANDLES, NEW_HANDLES, READY_HANDLES = "00", "01", "02", "03"
"""PHSR's options: every handle, those to be freed, those to be initialised, those to be enabled."""
HANDLES = re.compile(r"(?P<count>[0-9A-F]{2})(?P<entries>(?:[0-9A-F]{5})*)")
"""PHSR's answer: how many, and for each the handle in two digits and its port status in three."""

PLUG_OPTIONS = "0021"
"""PHINF's options: who the tool is, and where it is plugged in."""
SERIAL_NUMBER, WIRELESS = slice(23, 31), 33 + 9
"""Where PHINF tells them: 8 characters of tool type, 12 of maker, 3 of revision, 8 of serial number, 2 of port
status; then 8 of device, 1 of system, 1 that is 0 for a wired tool and 1 for a wireless one, 4 of port.
"""

PRIORITIES = {"dynamic": "D", "static": "S", "buttons": "B"}


class NdiTool(BaseModel):
    """One tool in the site file.

    Attributes
    ----------
    rom
        Tool definition file of a passive or wireless tool, ``.rom``; a wired tool brings its own.
    serial_number
        Serial number of a wired tool as PHINF tells it, eight hexadecimal digits.
    mobility
        ``dynamic`` for what is held, ``static`` for what is fixed to the patient or the table, ``buttons`` for a
        box without markers (PENA's D, S and B).

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rom: Path | None = None
    serial_number: str | None = Field(default=None, pattern=r"^[0-9A-F]{8}$")
    mobility: Literal["dynamic", "static", "buttons"] = "dynamic"

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.rom is None) == (self.serial_number is None):
            raise ValueError("a tool has either rom (a passive one) or serial_number (one with a plug)")
        return self


def read_rom(device: str, tool: str, path: Path) -> bytes:
    """Read a tool definition file, filled up with zeros to whole chunks.

    Raises
    ------
    DeviceUnavailable
        Where it cannot be read, or is no tool definition.

    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise DeviceUnavailable(
            device, f"tool {tool}: {path} cannot be read ({exc.strerror}): name its .rom file in the site file"
        ) from exc
    if not raw.startswith(ROM_START) or len(raw) > LARGEST_ROM_BYTES:
        raise DeviceUnavailable(
            device,
            f"tool {tool}: {path} is no tool definition: it begins with {raw[:8]!r}, not with {ROM_START!r}. "
            "Make it with NDI's 6D Architect, or take the one that came with the tool",
        )
    return raw + bytes(-len(raw) % CHUNK_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plug:
    """What a port handle stands for."""

    serial_number: str
    is_wired: bool


class NdiTools:
    """Sets the tools of the site file up; ``track`` once for each session."""

    def __init__(self, device: str, session: NdiSession, tools: Mapping[str, NdiTool]) -> None:
        self._device = device
        self._session = session
        self._tools = tools
        self._names: dict[int, str] = {}

    async def track(self) -> Mapping[int, str]:
        """Free what a former host left, load, initialise and enable; give each port handle's tool.

        Raises
        ------
        DeviceError
            With the tool's name: where its file is none, it is not plugged in, or the tracker refuses it.

        """
        await self._free_former()
        for name, tool in self._tools.items():
            if tool.rom is not None:
                await self._load(name, tool.rom)
        for handle in await self._handles(NEW_HANDLES):
            await self._about(handle, "PINIT", f"{handle:02X}")
        await self._find_wired()
        ready = await self._handles(READY_HANDLES)
        for handle, name in self._names.items():
            if handle not in ready:
                raise DeviceUnavailable(
                    self._device, f"tool {name} cannot be tracked: the tracker does not list it as initialised"
                )
            await self._about(handle, "PENA", f"{handle:02X}{PRIORITIES[self._tools[name].mobility]}")
        return self._names

    async def _handles(self, option: str) -> list[int]:
        text = await self._session.set_up("PHSR", option)
        match = HANDLES.fullmatch(text)
        if match is None or len(match["entries"]) != 5 * int(match["count"], 16):
            raise DeviceUnavailable(self._device, f"PHSR was answered by {text[:60]!r}: update its firmware")
        entries = match["entries"]
        return [int(entries[start : start + 2], 16) for start in range(0, len(entries), 5)]

    async def _free_former(self) -> None:
        """Free what is plugged out, and passive tools of a former host: two of one tool disturb each other."""
        former = await self._handles(STALE_HANDLES)
        former += [
            handle for handle in await self._handles(ALL_HANDLES) if not (await self._plug(handle)).is_wired
        ]
        for handle in dict.fromkeys(former):
            await self._session.set_up("PHF", f"{handle:02X}")

    async def _plug(self, handle: int) -> "_Plug":
        """Ask which plug a handle stands for; one that has none left is not wired."""
        text = await self._session.set_up("PHINF", f"{handle:02X}{PLUG_OPTIONS}")
        return _Plug(serial_number=text[SERIAL_NUMBER], is_wired=text[WIRELESS : WIRELESS + 1] == "0")

    async def _load(self, name: str, path: Path) -> None:
        rom = read_rom(self._device, name, path)
        text = await self._session.set_up("PHRQ", PASSIVE_PORT)
        if not re.fullmatch(r"[0-9A-F]{2}", text):
            raise DeviceUnavailable(self._device, f"PHRQ was answered by {text[:60]!r}: update its firmware")
        handle = int(text, 16)
        self._names[handle] = name
        for address in range(0, len(rom), CHUNK_BYTES):
            chunk = rom[address : address + CHUNK_BYTES].hex().upper()
            await self._about(handle, "PVWR", f"{handle:02X}{address:04X}{chunk}")

    async def _find_wired(self) -> None:
        wired = {tool.serial_number: name for name, tool in self._tools.items() if tool.serial_number}
        if not wired:
            return
        strangers = [handle for handle in await self._handles(READY_HANDLES) if handle not in self._names]
        present = {(await self._plug(handle)).serial_number: handle for handle in strangers}
        for serial_number, name in wired.items():
            if serial_number not in present:
                seen = ", ".join(sorted(present)) or "none"
                raise DeviceUnavailable(
                    self._device,
                    f"tool {name} (serial number {serial_number}) is not plugged in; plugged in: {seen}",
                )
            self._names[present[serial_number]] = name

    async def _about(self, handle: int, command: str, arguments: str) -> None:
        """Send a command about a handle; an error names the tool."""
        try:
            await self._session.set_up(command, arguments)
        except DeviceFault as exc:
            if handle not in self._names:
                return  # a wired tool that the site file does not name need not work
            said = str(exc).removeprefix(f"{self._device}: ")
            raise DeviceFault(self._device, exc.code, f"tool {self._names[handle]}: {said}") from exc
        except DeviceError as exc:
            said = str(exc).removeprefix(f"{self._device}: ")
            raise DeviceUnavailable(self._device, f"tool {self._names.get(handle, handle)}: {said}") from exc
