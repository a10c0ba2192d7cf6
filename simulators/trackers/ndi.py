"""An NDI tracker at the other end of a wire: the combined API, byte for byte, for one host.

It has the states that hosts trip over: nothing before INIT, no set-up while it tracks, no poses before TSTART,
port handles that must be loaded, initialised and enabled. Hang it into ``simulators.ports``.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, auto

import numpy as np

from devices.errors import FrameError
from devices.framing import LineSplitter
from devices.trackers.ndi_frames import CameraFrames, FrameTool
from devices.trackers.ndi_protocol import Command, binary_answer, text_answer
from devices.trackers.ndi_reports import NdiPose, Report, ToolReport
from navigation.transforms import RigidTransform
from simulators.trackers.measuring import Poses, measure
from simulators.trackers.ndi_handles import Port, PortHandles, Refused, take

VERSION = (
    "Polaris Vega Control Firmware (SIMULATED)\n"
    "NDI S/N: SIM-00217\n"
    "Characterization Date: 03/21/24\n"
    "Freeze Tag: Vega Rev 003.007\n"
    "Freeze Date: 06/15/23\n"
    "(C) Northern Digital Inc.\n"
)
RESIDUAL_MM = 0.12
TOO_LONG, BAD_CRC, BAD_LINE, WRONG_MODE, NOT_INITIALISED = 0x02, 0x04, 0x06, 0x0C, 0x10
TOO_FEW_MARKERS = 13
REPLY_OPTION = "(?:0[08]01)?"
FRAME_OPTIONS = "(?:--[0-9a-z]+=[a-z]+(?: --[0-9a-z]+=[a-z]+)*)?"
FORMS = {"TX": REPLY_OPTION, "BX": REPLY_OPTION, "BX2": FRAME_OPTIONS, "TSTOP": ""}
"""What parameters the commands take that are only obeyed while it tracks."""
LONGEST_COMMAND = 4096
KEPT_FRAMES = 32
"""So many frames wait to be told by BX2; older ones are lost."""


class _Mode(Enum):
    ON = auto()
    SET_UP = auto()
    TRACKING = auto()


class SimulatedNdi:
    """The instrument. Change what it does by its attributes and methods.

    Parameters
    ----------
    poses
        Where the tools are at a time of the clock.
    roms
        Tool by the content of its definition file: what the camera finds when it looks for these markers.
    wired
        Tool by the serial number of its plug.
    rate_hz
        Camera frames a second.
    position_sigma_mm, rotation_sigma_deg
        Standard deviation of the noise, for each axis.
    powered_at_s
        When it was switched on: time of frame 0.

    Attributes
    ----------
    beeps
        How often it has beeped.
    baud_code
        COMM's digit for the speed that it listens at.
    is_deaf
        Whether it listens at another speed than the host's, so that it hears only a break.
    is_frozen
        Where true, the camera measures no more frames; answers go on.
    first_frame
        Number of the frame that it measured when it was switched on; numbers wrap at 2³².
    system_status
        What it says of itself in TX and BX.
    port_bits
        Bits of a tool's port status that are on besides (out of volume, switches).
    states
        Why a tool is not measured, as BX2 numbers it: it is then missing, in the other answers too.
    residual_mm
        Of the poses that it measures from now on.
    alerts
        What BX2 tells once.
    damages
        How many of the next answers go out with one bit turned.

    """

    def __init__(
        self,
        poses: Poses,
        *,
        rng: np.random.Generator,
        powered_at_s: float,
        roms: Mapping[bytes, str] | None = None,
        wired: Mapping[str, str] | None = None,
        rate_hz: float = 60.0,
        position_sigma_mm: float = 0.0,
        rotation_sigma_deg: float = 0.0,
    ) -> None:
        self.beeps = 0
        self.baud_code = "0"
        self.is_deaf = False
        self.is_frozen = False
        self.first_frame = 0
        self.system_status = 0
        self.port_bits: dict[str, int] = {}
        self.states: dict[str, int] = {}
        self.residual_mm = RESIDUAL_MM
        self.alerts: list[tuple[int, int]] = []
        self.damages = 0
        self.asked: deque[Command] = deque(maxlen=1000)
        """What the host asked, newest last."""
        self._poses = poses
        self._rng = rng
        self._powered_at_s = powered_at_s
        self._handles = PortHandles(roms=roms or {}, wired=wired or {})
        self._always: Mapping[str, Callable[[str], str]] = {
            "INIT": self._initialise,
            "RESET": self._reset,
            "VER": self._tell_version,
            "BEEP": self._beep,
            "COMM": self._change_speed,
        }
        self._rate_hz = rate_hz
        self._sigmas = {
            "position_sigma_mm": position_sigma_mm,
            "rotation_sigma_rad": float(np.radians(rotation_sigma_deg)),
        }
        self._dropped: set[str] = set()
        self._errors: dict[str, int] = {}
        self._unasked = b""
        self._frame = 0
        self._newest = -1
        self._seen: dict[str, NdiPose] = {}
        self._untold: deque[tuple[int, dict[str, NdiPose]]] = deque(maxlen=KEPT_FRAMES)
        self._lines = LineSplitter(greatest_length=LONGEST_COMMAND)
        self._mode = _Mode.ON

    def drop(self, tool: str) -> None:
        """Take a tool out of sight."""
        self._dropped.add(tool)

    def restore(self, tool: str) -> None:
        """Bring it back."""
        self._dropped.discard(tool)

    def refuse(self, name: str, code: int) -> None:
        """Answer the next command of this name with an error."""
        self._errors[name] = code

    def restart(self) -> None:
        """Start anew, as after a break or with the power: say RESET and know nothing any more."""
        self._restart()
        self._unasked += text_answer(b"RESET")

    def unplug(self, tool: str) -> None:
        """Take a tool's handle away."""
        self._handles.unplug(tool)

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Take what the host sent; give the answers to the commands that it ends."""
        if self.is_deaf:
            return b""
        return b"".join(self._answers(piece, now_s) for piece in sent.splitlines(keepends=True))

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it speaks unasked only when it starts
        """Give what it says unasked."""
        unasked, self._unasked = self._unasked, b""
        return unasked

    def _restart(self) -> None:
        self._mode = _Mode.ON
        self._handles.clear()
        self.is_deaf = False
        self.baud_code = "0"

    def _answers(self, piece: bytes, now_s: float) -> bytes:
        """Give the answer to the command that a piece of one line ends, or makes too long; else nothing."""
        too_long = self._lines.rejected
        lines = self._lines.feed(piece, now_s)
        if self._lines.rejected > too_long:
            return text_answer(b"ERROR%02X" % TOO_LONG)
        return b"".join(self._answer(line.raw, now_s) for line in lines)

    def _answer(self, raw: bytes, now_s: float) -> bytes:
        try:
            answer = self._obey(Command.from_bytes(raw), now_s)
        except FrameError:
            answer = text_answer(b"ERROR%02X" % BAD_CRC)
        except Refused as exc:
            answer = text_answer(b"ERROR%02X" % exc.args[0])
        if self.damages:
            self.damages -= 1
            middle = len(answer) // 2
            answer = answer[:middle] + bytes([answer[middle] ^ 1]) + answer[middle + 1 :]
        return answer

    def _obey(self, command: Command, now_s: float) -> bytes:
        self.asked.append(command)
        if command.name in self._errors:
            raise Refused(self._errors.pop(command.name))
        if command.name in self._always:
            return text_answer(self._always[command.name](command.arguments).encode("ascii"))
        if self._mode is _Mode.ON:
            raise Refused(NOT_INITIALISED)
        is_tracking = self._mode is _Mode.TRACKING
        if command.name in FORMS:
            if not is_tracking:
                raise Refused(WRONG_MODE)
            return self._track(command, now_s)
        if is_tracking:
            raise Refused(WRONG_MODE)
        if command.name == "TSTART":
            take("(?:40|80)?", command.arguments)
            self._mode = _Mode.TRACKING
            self._newest = -1
            self._untold.clear()
            return text_answer(b"OKAY")
        return text_answer(self._handles.obey(command).encode("ascii"))

    def _initialise(self, parameters: str) -> str:
        take("", parameters)
        self._mode = _Mode.SET_UP
        self._handles.initialise_all()
        return "OKAY"

    def _reset(self, option: str) -> str:
        take("[01]?", option)
        self._restart()
        return "RESET"

    def _tell_version(self, option: str) -> str:
        take("[0-9]?", option)
        return VERSION

    def _beep(self, times: str) -> str:
        self.beeps += int(take("[1-9]", times)[0])
        return "1"

    def _change_speed(self, parameters: str) -> str:
        """Take speed, data bits, parity, stop bits and handshake, a digit each."""
        take("[0-9A-Z]{5}", parameters)
        if not re.fullmatch("[0-7A][01][0-2][01][01]", parameters):
            raise Refused(BAD_LINE)
        self.baud_code = parameters[0]
        return "OKAY"

    def _track(self, command: Command, now_s: float) -> bytes:
        take(FORMS[command.name], command.arguments)
        if command.name == "TSTOP":
            self._mode = _Mode.SET_UP
            return text_answer(b"OKAY")
        self._look(now_s)
        if command.name == "BX2":
            return binary_answer(self._frames().to_bytes())
        tools = tuple(self._report(handle, port) for handle, port in self._handles.ports.items())
        report = Report(tools=tools, system_status=self.system_status)
        return binary_answer(report.to_bx()) if command.name == "BX" else text_answer(report.to_tx())

    def _look(self, now_s: float) -> None:
        """Measure the frames since the last question, each once: TX and BX tell the newest, BX2 all of them."""
        since_power = int((now_s - self._powered_at_s) * self._rate_hz)
        if self.is_frozen:
            return
        begin = since_power if self._newest < 0 else max(self._newest + 1, since_power + 1 - KEPT_FRAMES)
        for number in range(begin, since_power + 1):
            self._newest = number
            self._frame = (self.first_frame + number) % 2**32
            poses = self._poses(self._powered_at_s + number / self._rate_hz)
            self._seen = {tool: self._measured(pose) for tool, pose in poses.items() if pose is not None}
            self._untold.append((self._frame, self._seen))

    def _measured(self, pose: RigidTransform) -> NdiPose:
        seen = measure(pose, rng=self._rng, **self._sigmas)
        return NdiPose(
            wxyz=tuple(seen.quaternion_wxyz.tolist()),
            position_mm=tuple(seen.translation_mm.tolist()),
            error_mm=self.residual_mm,
        )

    def _report(self, handle: int, port: Port) -> ToolReport:
        if not port.is_enabled:
            return ToolReport(handle=handle, pose=None, status=port.status, frame=self._frame, is_disabled=True)
        return ToolReport(
            handle=handle,
            pose=self._unless_lost(port.tool, self._seen),
            status=port.status | self.port_bits.get(port.tool, 0),
            frame=self._frame,
        )

    def _unless_lost(self, tool: str, seen: Mapping[str, NdiPose]) -> NdiPose | None:
        return None if tool in self._dropped or tool in self.states else seen.get(tool)

    def _frames(self) -> CameraFrames:
        alerts, self.alerts = tuple(self.alerts), []
        untold = list(self._untold)
        self._untold.clear()
        tools = []
        for frame, seen in untold:
            for handle, port in self._handles.ports.items():
                if port.is_enabled:
                    pose = self._unless_lost(port.tool, seen)
                    state = 0 if pose is not None else self.states.get(port.tool, TOO_FEW_MARKERS)
                    tools.append(FrameTool(handle=handle, pose=pose, status=state, frame=frame))
        return CameraFrames(tools=tuple(tools), alerts=alerts)
