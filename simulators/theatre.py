"""A whole operating room at the other end of the wires: probe, area monitor, tracker, console.

The drivers that read it are the shipped ones; what they are told is where to connect.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np

from devices.clock import Clock
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.console.sender import send_study
from simulators.console.study import foretell_frame_of_reference_uid, make_study
from simulators.ports import PtyPort, open_pty_port
from simulators.probes.amptek import SimulatedAmptek
from simulators.probes.mightyohm import SimulatedMightyOhm
from simulators.scene import Scene, Surgeon
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker

DESCRIPTION = (
    "SIMULATED gamma probe: an Amptek DP5 on a pseudo-terminal, swept over the skin by a simulated hand",
    "SIMULATED room monitor: a MightyOhm Geiger counter on a pseudo-terminal",
    "SIMULATED tracker: an OpenIGTLink server, 60 poses a second of probe and patient",
    "SIMULATED console: sends a SPECT/CT study, scanned before the tissue moved 8 mm, over DICOM",
)
"""One line for each thing that is not real."""

PROBE_TOOL, PATIENT_TOOL = "Probe", "Patient"
"""What the simulated tracker calls its tools."""

ROOM_BACKGROUND_CPS = 0.4
"""Of the Geiger tube on the wall: 24 counts a minute, as natural background gives an SBM-20."""

TOOL_FROM_TIP = RigidTransform.from_quaternion(
    (0.0, 1.0, 0.0, 0.0), (0.0, 12.0, -142.0), to=Frame.TOOL, from_=Frame.TIP
)
"""The marker sits on the probe's handle, turned about x, 142 mm behind the tip."""

PATIENT_FROM_REFERENCE = RigidTransform.from_quaternion(
    (0.5, 0.5, 0.5, 0.5), (30.0, -140.0, -90.0), to=Frame.PATIENT, from_=Frame.REFERENCE
)
"""The reference is clamped above the patient's belly."""


def _tracker_from_reference(now_s: float) -> RigidTransform:
    """Move the table a little, so that only poses relative to the reference are right."""
    sway_mm = 15.0 * np.sin(2 * np.pi * now_s / 37.0)
    return RigidTransform.from_quaternion(
        (0.92, 0.1, -0.3, 0.2), (120.0 + sway_mm, -60.0, -1400.0), to=Frame.TRACKER, from_=Frame.REFERENCE
    )


class Holder(Protocol):
    """Who has the probe in hand."""

    def poses(self, now_s: float) -> Mapping[str, RigidTransform | None]:
        """Give ``tracker_from_tool`` of each tool at a clock reading."""

    def events(self, start_s: float, end_s: float) -> int:
        """Events in the energy window between two clock readings."""


class _Operating:
    """The surgeon who moves the probe through the scene, beside a table that sways."""

    def __init__(self, surgeon: Surgeon, started_s: float) -> None:
        self.events = surgeon.events
        self._surgeon = surgeon
        self._started_s = started_s

    def poses(self, now_s: float) -> dict[str, RigidTransform | None]:
        tracker_from_reference = _tracker_from_reference(now_s - self._started_s)
        patient_from_tip = self._surgeon.patient_from_tip(now_s)
        tracker_from_tip = tracker_from_reference @ PATIENT_FROM_REFERENCE.inverse @ patient_from_tip
        marker = RigidTransform(
            to=Frame.TRACKER,
            from_=Frame.TOOL,
            rotation=tracker_from_reference.rotation,
            translation_mm=tracker_from_reference.translation_mm,
        )
        return {PROBE_TOOL: tracker_from_tip @ TOOL_FROM_TIP.inverse, PATIENT_TOOL: marker}


class Grip:
    """The probe, in whosever hand it is: the surgeon's, or another's meanwhile."""

    def __init__(self, surgeon: Holder) -> None:
        self._surgeon = surgeon
        self._holder = surgeon

    def give(self, holder: Holder | None) -> None:
        """Give the probe to another hand; None: back to the surgeon."""
        self._holder = holder or self._surgeon

    def poses(self, now_s: float) -> Mapping[str, RigidTransform | None]:
        """Give ``tracker_from_tool`` of each tool at a clock reading."""
        return self._holder.poses(now_s)

    def events(self, start_s: float, end_s: float) -> int:
        """Events in the energy window between two clock readings."""
        return self._holder.events(start_s, end_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where its devices are.

    Attributes
    ----------
    ports
        Of the instruments, as pyserial opens them, by the names of simulated.toml.
    tracker_host, tracker_port
        Of the OpenIGTLink server.

    """

    ports: Mapping[str, str]
    tracker_host: str
    tracker_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """The running room.

    Attributes
    ----------
    surgeon
        Moves the probe through the scene, which is the truth.
    grip
        Where its tools are and what the probe counts, for other trackers that look at the same room too.
    probe, monitor
        Ports of the two instruments.
    tracker
        The OpenIGTLink server.

    """

    surgeon: Surgeon
    grip: Grip
    probe: PtyPort
    monitor: PtyPort
    tracker: SimulatedTracker
    _folder: Path
    _study_rng: np.random.Generator

    @property
    def scene(self) -> Scene:
        """Where everything is."""
        return self.surgeon.scene

    def excise(self, name: str) -> None:
        """Cut a source out of the patient, from one count to the next, and carry it away.

        Raises
        ------
        ValueError
            Where there is none of that name.

        """
        self.surgeon.scene = self.scene.without(name)

    @property
    def ports(self) -> Mapping[str, PtyPort]:
        """The instruments' ports by the names of simulated.toml."""
        return {"gamma": self.probe, "monitor": self.monitor}

    @property
    def frame_of_reference_uid(self) -> str:
        """Of the study that is sent next."""
        return foretell_frame_of_reference_uid(self._study_rng)

    @property
    def addresses(self) -> Addresses:
        """Where a service finds them."""
        return Addresses(
            ports={name: port.url for name, port in self.ports.items()},
            tracker_host=self.tracker.host,
            tracker_port=self.tracker.port,
        )

    async def send_study(self, host: str, port: int, *, called_ae: str) -> None:
        """Scan the patient, some hours ago, and send the study as a console does."""
        taken_at = datetime.now(tz=UTC) - timedelta(hours=self.scene.hours_since_scan)
        folder = self._folder / "console"
        making = asyncio.create_task(
            asyncio.to_thread(make_study, self.scene, folder, rng=self._study_rng, taken_at=taken_at),
            name="simulated scan",
        )
        try:
            paths = await asyncio.shield(making)
        except asyncio.CancelledError:
            # the thread goes on writing, and the folder must not go before it, however often it is told to end
            while not making.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait((making,))
            raise
        await send_study(paths, host, port, calling_ae="SPECTCT", called_ae=called_ae)


@asynccontextmanager
async def open_theatre(
    scene: Scene, folder: Path, *, rng: np.random.Generator, clock: Clock
) -> AsyncIterator[Theatre]:
    """Start every simulated device; ``folder`` takes their ports' links and the console's files."""
    started_s = clock()
    study_rng = rng.spawn(1)[0]  # the study is made in a thread of its own
    surgeon = Surgeon(scene, started_s=started_s, rng=rng)

    def room_events(start_s: float, end_s: float) -> int:
        return int(rng.poisson(ROOM_BACKGROUND_CPS * (end_s - start_s)))

    grip = Grip(_Operating(surgeon, started_s))
    instrument = SimulatedAmptek(
        grip.events, powered_at_s=started_s, rng=rng, dead_time_s=scene.physics.dead_time_s
    )
    monitor = SimulatedMightyOhm(room_events, powered_at_s=started_s, rng=rng)
    async with AsyncExitStack() as stack:
        yield Theatre(
            surgeon=surgeon,
            grip=grip,
            probe=await stack.enter_async_context(
                open_pty_port(instrument, folder / "ports" / "gamma", clock=clock)
            ),
            monitor=await stack.enter_async_context(
                open_pty_port(monitor, folder / "ports" / "monitor", clock=clock)
            ),
            tracker=await stack.enter_async_context(
                serve_tracker(grip.poses, rng=rng, position_sigma_mm=0.2, rotation_sigma_deg=0.2, clock=clock)
            ),
            _folder=folder,
            _study_rng=study_rng,
        )
