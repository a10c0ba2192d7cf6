"""What an NDI tracker answers to TX (text) and BX (binary): for each tool its pose or why there is none.

TX, reply option 0001 (ndicapi.cxx, ndiTXHelper): number of handles in 2 hexadecimal digits; for each its handle in
2, then ``MISSING``, ``DISABLED`` or 51 characters of pose, port status in 8, frame number in 8, LF; or
``UNOCCUPIED`` alone; at the end the system status in 4. A pose is Q0 Qx Qy Qz in units of 10⁻⁴ (sign and 5
digits), Tx Ty Tz in 10⁻² mm (sign and 6), the residual in 10⁻⁴ mm (sign and 5).

BX, reply option 0001 (ndiBXHelper), little-endian: uint8 number of handles; for each uint8 handle, uint8 1 valid,
2 missing or 4 disabled; valid: eight float32 (Q0 Qx Qy Qz, Tx Ty Tz mm, residual mm); unless disabled: uint32 port
status, uint32 frame number; at the end uint16 system status.
"""

import math
import re
import struct
from dataclasses import dataclass
from typing import Self

from devices.errors import FrameError
from devices.trackers.ndi_words import ENABLED, IN_PORT, INITIALISED, OUT_OF_VOLUME, port_words, tool_words
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

REPLY_OPTION = "0001"
"""Poses and status; tools outside the volume are reported as missing, since 0800 is not asked for."""

TX_TOOL = re.compile(
    rb"(?P<handle>[0-9A-F]{2})"
    rb"(?:(?P<unoccupied>UNOCCUPIED)\n?"
    rb"|(?:(?P<absent>MISSING|DISABLED)|(?P<pose>(?:[+-]\d{5}){4}(?:[+-]\d{6}){3}[+-]\d{5}))"
    rb"(?P<status>[0-9A-F]{8})(?P<frame>[0-9A-F]{8})\n)"
)
TX_END = re.compile(rb"[0-9A-F]{4}")

BX_POSE = struct.Struct("<8f")
BX_STATUS = struct.Struct("<II")
BX_VALID, BX_MISSING, BX_DISABLED = 1, 2, 4

NORM_TOLERANCE = 1e-2
"""A quaternion further from length 1 is no rotation that was measured; TX rounds to 10⁻⁴."""

FOLLOWED = IN_PORT | INITIALISED | ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class NdiPose:
    """A tool in the tracker as it was sent: unit quaternion Q0 Qx Qy Qz, position in mm, residual in mm RMS."""

    wxyz: tuple[float, ...]
    position_mm: tuple[float, ...]
    error_mm: float

    def transform(self) -> RigidTransform:
        """Give ``tracker_from_tool``; raise ``NavigationError`` where the numbers are no pose."""
        norm = math.hypot(*self.wxyz)
        if not math.isfinite(norm) or abs(norm - 1) > NORM_TOLERANCE:
            raise NavigationError(f"a quaternion of length {norm:.3f} is no rotation")
        return RigidTransform.from_quaternion(self.wxyz, self.position_mm, to=Frame.TRACKER, from_=Frame.TOOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReport:
    """One tool in a TX or BX answer.

    Attributes
    ----------
    handle
        The port handle that stands for the tool.
    pose
        As sent; None where the tool is missing or disabled.
    status
        Port status; 0 of a disabled tool in BX, which sends none.
    frame
        Number of the camera's frame; None of a disabled tool in BX.
    is_disabled
        Whether reporting it is switched off.

    """

    handle: int
    pose: NdiPose | None
    status: int = FOLLOWED
    frame: int | None = None
    is_disabled: bool = False

    @property
    def believed(self) -> NdiPose | None:
        """The pose, where the port status lets it be believed: plugged in, initialised, enabled, in the volume."""
        is_followed = self.status & FOLLOWED == FOLLOWED and not self.status & OUT_OF_VOLUME
        return self.pose if is_followed else None

    @property
    def words(self) -> str:
        """What is wrong and what to do; empty where nothing is."""
        if self.is_disabled:
            return tool_words(32)
        return port_words(self.status) or (tool_words(31) if self.pose is None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A TX or BX answer: the tools whose handles are occupied, and the system status."""

    tools: tuple[ToolReport, ...]
    system_status: int = 0

    def to_tx(self) -> bytes:
        """Encode as TX's text."""
        tools = b"".join(_tx_tool(tool) for tool in self.tools)
        return b"%02X" % len(self.tools) + tools + b"%04X" % self.system_status

    @classmethod
    def from_tx(cls, text: bytes) -> Self:
        """Decode TX's text; raise ``FrameError`` where it is none."""
        if not re.match(rb"[0-9A-F]{2}", text):
            raise FrameError(f"no TX answer: {text[:40]!r}", text)
        tools, position = [], 2
        for _ in range(int(text[:2], 16)):
            match = TX_TOOL.match(text, position)
            if match is None:
                raise FrameError(f"no tool in a TX answer: {text[position : position + 80]!r}", text)
            position = match.end()
            if not match["unoccupied"]:
                tools.append(_read_tx_tool(match))
        if not TX_END.fullmatch(text, position):
            raise FrameError(f"no end of a TX answer: {text[position : position + 40]!r}", text)
        return cls(tools=tuple(tools), system_status=int(text[position:], 16))

    def to_bx(self) -> bytes:
        """Encode as BX's body."""
        tools = b"".join(_bx_tool(tool) for tool in self.tools)
        return bytes([len(self.tools)]) + tools + struct.pack("<H", self.system_status)

    @classmethod
    def from_bx(cls, body: bytes) -> Self:
        """Decode BX's body; raise ``FrameError`` where its parts do not fit into it."""
        try:
            tools, position = [], 1
            for _ in range(body[0]):
                tool, position = _read_bx_tool(body, position)
                tools.append(tool)
            (system_status,) = struct.unpack("<H", body[position:])
        except (IndexError, struct.error) as exc:
            raise FrameError("the parts of a BX answer do not fit into it", body) from exc
        return cls(tools=tuple(tools), system_status=system_status)


def _tx_tool(tool: ToolReport) -> bytes:
    if tool.pose is None:
        seen = "DISABLED" if tool.is_disabled else "MISSING"
    else:
        pose = tool.pose
        turned = "".join(f"{round(part * 1e4):+06d}" for part in pose.wxyz)
        placed = "".join(f"{round(part * 1e2):+07d}" for part in pose.position_mm)
        seen = f"{turned}{placed}{round(pose.error_mm * 1e4):+06d}"
    return f"{tool.handle:02X}{seen}{tool.status:08X}{tool.frame or 0:08X}\n".encode("ascii")


def _read_tx_tool(match: re.Match[bytes]) -> ToolReport:
    pose = None
    if text := match["pose"]:
        turned = [int(text[start : start + 6]) / 1e4 for start in range(0, 24, 6)]
        placed = [int(text[start : start + 7]) / 1e2 for start in range(24, 45, 7)]
        pose = NdiPose(wxyz=tuple(turned), position_mm=tuple(placed), error_mm=int(text[45:]) / 1e4)
    return ToolReport(
        handle=int(match["handle"], 16),
        pose=pose,
        status=int(match["status"], 16),
        frame=int(match["frame"], 16),
        is_disabled=match["absent"] == b"DISABLED",
    )


def _bx_tool(tool: ToolReport) -> bytes:
    if tool.is_disabled:
        return bytes([tool.handle, BX_DISABLED])
    status = BX_STATUS.pack(tool.status, tool.frame or 0)
    if tool.pose is None:
        return bytes([tool.handle, BX_MISSING]) + status
    return bytes([tool.handle, BX_VALID]) + pack_pose(tool.pose) + status


def _read_bx_tool(body: bytes, position: int) -> tuple[ToolReport, int]:
    handle, seen = body[position], body[position + 1]
    position += 2
    if seen == BX_DISABLED:
        return ToolReport(handle=handle, pose=None, status=0, is_disabled=True), position
    if seen not in {BX_VALID, BX_MISSING}:
        raise FrameError(f"a tool in state {seen} in a BX answer", body)
    pose = None
    if seen == BX_VALID:
        pose = read_pose(body, position)
        position += BX_POSE.size
    status, frame = BX_STATUS.unpack_from(body, position)
    return ToolReport(handle=handle, pose=pose, status=status, frame=frame), position + BX_STATUS.size


def pack_pose(pose: NdiPose) -> bytes:
    """Encode a pose as eight float32."""
    return BX_POSE.pack(*pose.wxyz, *pose.position_mm, pose.error_mm)


def read_pose(body: bytes, position: int) -> NdiPose:
    """Decode eight float32; raise ``struct.error`` where they do not fit."""
    numbers = BX_POSE.unpack_from(body, position)
    return NdiPose(wxyz=numbers[:4], position_mm=numbers[4:7], error_mm=numbers[7])
