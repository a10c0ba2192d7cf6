"""A room that the page can look at: the real server, and states that a test publishes."""

import asyncio
import contextlib
import functools
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from acquisition.estimate.agreement import TOLERANCE
from acquisition.session.chapter import Chapter
from acquisition.session.journal import Journal
from acquisition.session.procedure import Procedure
from acquisition.session.rate_trend import RateTrend
from acquisition.session.steps import Step
from acquisition.session.swept_path import Space, SweptPath
from acquisition.session.yardstick import Yardstick
from acquisition.studies.surfaces import find_surfaces
from devices.clock import monotonic
from display.access.admission import Admission
from display.app import Exhibits, create_app
from display.hub import Hub
from display.messages.device import ConditionState
from display.messages.estimate import AgreementState, PosteriorState, TargetState
from display.messages.feed import (
    VERSION,
    AdviceState,
    DeviceState,
    GuidanceState,
    Hello,
    PoseState,
    RateState,
    State,
)
from display.messages.key import KeyState
from display.messages.measures import Matrix, Point
from display.messages.procedure import ProcedureRequest
from display.messages.resection import ResectionRequest
from display.messages.study import FramesRequest, SeriesEntry, StudyChoice, StudyEntry, StudyList
from display.messages.volume import StudyState
from display.routes.calibration import Calibrator
from display.server import Certificate, Server, listen
from display.shelf import Shelf, ShelvedSurface, ShelvedVolume, shelve, shelve_surface
from display.states.kept import keep_rate, live_rate, show_kept, show_path
from display.states.procedure import measure_by
from display.trend import TrendMemory
from navigation.volume import Volume, VolumeGeometry
from tests.acquisition.received import hotspot
from tests.conftest import SYSTEM_PATH
from tests.display.recorded import UNBEGUN, kept_nowhere, unreported
from tests.display.resected import UNRESECTED

PATIENCE_MS = 30_000
"""The longest that a busy host may let a page wait for its turn."""
expect.set_options(timeout=PATIENCE_MS)

SHOWN_WITHIN_S = 1.0
"""The longest that anything may look live after it is not."""
ATTEMPTS = 3

STALE_AFTER_S = 0.5
FRAME_S = 0.05
NODE_MM = np.array([62.0, -58.0, 12.0])
"""In the patient's left front (LPS)."""
TIP_MM = np.array([72.0, -84.0, 20.0])

RECORD_WORDS = """
window.__words = {};
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (words, x, y, ...rest) {
  (window.__words[this.canvas.id] ??= {})[words] = [x / this.canvas.clientWidth, y / this.canvas.clientHeight];
  return fillText.call(this, words, x, y, ...rest);
};
window.__marked = {};
new MutationObserver((changes) => {
  for (const { target } of changes) {
    const { state, feed } = target.dataset;
    window.__marked[`${target.id || target.localName} ${state ?? feed}`] = Date.now();
  }
}).observe(document, { subtree: true, attributeFilter: ["data-state", "data-feed"] });
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (said) {
  const { type, last_seq } = JSON.parse(said);
  if (type === "next") window.__drawn = last_seq;
  return send.call(this, said);
};
"""
"""Notes where on each canvas, in shares of its sides, the page writes which words, when it marks what, and which
state it drew last."""

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def point(values: NDArray[np.float64]) -> Point:
    """Three numbers as the feed sends them."""
    return float(values[0]), float(values[1]), float(values[2])


def matrix(rows: NDArray[np.float64]) -> Matrix:
    """Three rows as the feed sends them."""
    return point(rows[0]), point(rows[1]), point(rows[2])


def tip_axes(ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation whose columns are left, up and ahead, up as near the head as can be."""
    ahead = ahead / np.linalg.norm(ahead)
    up = np.array([0.0, 0.0, 1.0]) - ahead[2] * ahead
    up /= np.linalg.norm(up)
    return np.column_stack([np.cross(up, ahead), up, ahead])


def make_pose(
    tip_mm: NDArray[np.float64] = TIP_MM, look: tuple[float, float, float] = (-0.2, 1.0, -0.1)
) -> PoseState:
    """A probe held against the skin, looking into the patient."""
    axes = tip_axes(np.array(look))
    return PoseState(
        tip_mm=point(tip_mm),
        axis=point(axes[:, 2]),
        patient_from_tip=matrix(axes),
        tracker_error_mm=0.2,
        registration_error_mm=2.4,
        age_s=0.02,
    )


def make_target(
    pose: PoseState,
    *,
    name: str = "Node 1",
    centre_mm: NDArray[np.float64] = NODE_MM,
    semi_mm: Point = (7.5, 4.0, 3.5),
    injection: bool = False,
) -> TargetState:
    """A located target as the posterior would give it for this pose."""
    axes = np.array(pose.patient_from_tip)
    away = axes.T @ (centre_mm - np.array(pose.tip_mm))
    region = tip_axes(np.array([-0.3, 1.0, -0.2])).T[::-1]
    covariance = region.T @ np.diag(np.square(semi_mm) / 7.815) @ region
    distance_mm = float(np.linalg.norm(away))
    return TargetState(
        name=name,
        kind="injection" if injection else "target",
        probability=0.97,
        localisable=True,
        reason="",
        centre_mm=point(centre_mm),
        covariance_mm2=matrix(covariance),
        region_semi_axes_mm=semi_mm,
        region_axes=matrix(region),
        mapped_mm=point(centre_mm + 3.0),
        activity_mbq=0.4,
        tip_right_mm=-float(away[0]),
        tip_up_mm=float(away[1]),
        tip_ahead_mm=float(away[2]),
        distance_mm=distance_mm,
        distance_half_width_mm=4.2,
        off_axis_deg=float(np.degrees(np.arccos(away[2] / distance_mm))),
    )


def make_rate(rate_cps: float = 1243.0, *, age_s: float = 0.05) -> RateState:
    """One second of counting at this rate."""
    error_cps = float(np.sqrt(max(rate_cps, 1.0)))
    return RateState(
        device="probe",
        rate_cps=rate_cps,
        low_cps=rate_cps - error_cps,
        high_cps=rate_cps + error_cps,
        counts=round(rate_cps),
        integration_s=1.0,
        dead_fraction=0.03,
        background_cps=18.0,
        status="ok",
        age_s=age_s,
    )


def make_agreement(ratio: float = 1.03, *, half: float = 0.06) -> AgreementState:
    """What was counted over what was expected, chance reaching so far to either side."""
    low, high = ratio - half, ratio + half
    return AgreementState(
        measured_cps=1200.0 * ratio,
        expected_cps=1200.0,
        low=low,
        high=high,
        live_time_s=2.0,
        verdict="more" if low > 1 + TOLERANCE else "fewer" if high < 1 - TOLERANCE else "agrees",
    )


def make_advice(
    pose: PoseState,
    *,
    way_mm: Point = (18.0, 0.0, 6.0),
    look: tuple[float, float, float] = (-0.5, 1.0, 0.25),
    **changes: Any,
) -> AdviceState:
    """Where to hold the probe next: so far from the tip, looking that way."""
    axes, axis = np.array(pose.patient_from_tip), np.array(look) / np.linalg.norm(look)
    left_mm, up_mm, ahead_mm = axes.T @ np.array(way_mm)
    aside = axes.T @ axis
    angle_deg = np.degrees(np.arccos(aside[2])) / max(float(np.hypot(aside[0], aside[1])), 1e-9)
    there: dict[str, Any] = {
        "target": "Node 1",
        "tip_mm": point(np.array(pose.tip_mm) + way_mm),
        "axis": point(axis),
        "way_mm": way_mm,
        "right_mm": -float(left_mm),
        "up_mm": float(up_mm),
        "ahead_mm": float(ahead_mm),
        "tilt_right_deg": -float(aside[0] * angle_deg),
        "tilt_up_deg": float(aside[1] * angle_deg),
        "reached": False,
        "dwell_s": 1.4,
        "semi_axis_now_mm": 8.0,
        "semi_axis_after_mm": 5.0,
        "information_bit": None,
        "reason": "Expected to shrink the region of Node 1 from 8.0 to 5.0 mm in 2 s",
        "age_s": 0.3,
        "stale_after_s": 3.0,
    }
    return AdviceState(**(there | changes))


def make_device(name: str, **changes: Any) -> DeviceState:
    """A live input."""
    live: dict[str, Any] = {
        "name": name,
        "kind": name,
        "label": name.capitalize(),
        "state": "live",
        "age_s": 0.05,
        "detail": "",
        "primary": True,
    }
    live["streams"] = (live | changes)["kind"] in {"probe", "tracker"}
    return DeviceState(**(live | changes))


def make_condition(
    *, battery_v: float | None = None, battery_low: bool | None = None, alarm: bool = False
) -> ConditionState:
    """What a device says of itself, a second ago."""
    return ConditionState(
        age_s=1.0, battery_v=battery_v, battery_low=battery_low, alarm=alarm,
        board_degc=None, detector_degc=None, high_voltage_v=None,
    )  # fmt: skip


def body(x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], z_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """CT numbers of a chest: fat, muscle, two lungs, spine and ribs."""
    outer = (x_mm / 165) ** 2 + (y_mm / 105) ** 2
    hu = np.where(outer < 1, -90.0, -1000.0)
    hu = np.where((x_mm / 145) ** 2 + (y_mm / 86) ** 2 < 1, 45.0, hu)
    rib = np.abs((x_mm / 128) ** 2 + (y_mm / 72) ** 2 - 1) < 0.09
    hu = np.where(rib & ((z_mm + 0.4 * y_mm) % 28 < 9), 420.0, hu)
    for side in (-1, 1):
        lung = ((x_mm - side * 62) / 44) ** 2 + ((y_mm + 4) / 55) ** 2 + (z_mm / 95) ** 2
        hu = np.where(lung < 1, -820.0, hu)
    hu = np.where(((x_mm + 0) / 20) ** 2 + ((y_mm - 52) / 18) ** 2 < 1, 380.0, hu)
    return np.where(((x_mm - 16) / 34) ** 2 + ((y_mm + 28) / 30) ** 2 + ((z_mm + 10) / 45) ** 2 < 1, 55.0, hu)


def make_volume(shape: tuple[int, int, int], step_mm: Point, *, is_activity: bool) -> Volume:
    """A chest, or the activity in it: one node in the left front, an injection site below it."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *step_mm, 1.0
    middle = [(count - 1) / 2 * step for count, step in zip(shape, step_mm, strict=True)]
    affine[:3, 3] = [-middle[2], -middle[1], -middle[0]]
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2.3")
    position = geometry.positions_mm(np.moveaxis(np.indices(shape), 0, -1))
    x_mm, y_mm, z_mm = np.moveaxis(position, -1, 0)
    noise = np.random.default_rng(7).normal(0.0, 12.0, shape)
    if not is_activity:
        values = body(x_mm, y_mm, z_mm) + noise
        return Volume(geometry=geometry, values=values.astype(np.float32), quantity="attenuation", unit="HU")
    values = np.full(shape, 2.0)
    for centre_mm, height, width_mm in (
        (NODE_MM + 3.0, 100.0, 7.0),
        (np.array([30.0, -70.0, -52.0]), 2500.0, 8.0),
    ):
        values += height * np.exp(-0.5 * (np.linalg.norm(position - centre_mm, axis=-1) / width_mm) ** 2)
    return Volume(
        geometry=geometry, values=values.astype(np.float32), quantity="activity concentration", unit="Bq/mL"
    )


@functools.cache
def shelved(*, is_activity: bool) -> ShelvedVolume:
    """The scene's volumes, made once for all tests."""
    if is_activity:
        return shelve(make_volume((64, 64, 80), (4.0, 4.0, 4.8), is_activity=True))
    return shelve(make_volume((96, 150, 220), (2.5, 1.6, 1.6), is_activity=False))


@functools.cache
def shelved_surfaces() -> tuple[ShelvedSurface, ...]:
    """The scene's surfaces, made once for all tests."""
    anatomy = make_volume((96, 150, 220), (2.5, 1.6, 1.6), is_activity=False)
    activity = make_volume((64, 64, 80), (4.0, 4.0, 4.8), is_activity=True)
    spot = replace(hotspot(), centre_mm=NODE_MM + 3.0, peak=100.0)
    return tuple(shelve_surface(each) for each in find_surfaces(anatomy, activity, (spot,)))


def make_study() -> StudyState:
    """The study in use: CT and SPECT of the scene."""
    return StudyState(
        study_uid="1.2.840.1",
        patient_id="PT-0417",
        patient_name="Lindqvist^Anna",
        description="SLN SPECT/CT",
        taken_at_utc="2026-11-22T07:40:00Z",
        anatomy=shelved(is_activity=False).state,
        activity=shelved(is_activity=True).state,
        surfaces=tuple(each.state for each in shelved_surfaces()),
    )


def make_entry(study_uid: str, **changes: Any) -> StudyEntry:
    """A received study with one series in use and one refused."""
    entry: dict[str, Any] = {
        "study_uid": study_uid,
        "patient_id": "PT-0417",
        "patient_name": "Lindqvist^Anna",
        "description": "SLN SPECT/CT",
        "taken_at_utc": "2026-11-22T07:40:00Z",
        "received_from": "SPECTCT1",
        "objects": 98,
        "conflicts": 0,
        "in_use": True,
        "usable": True,
        "series": (
            SeriesEntry(
                series_uid="1", modality="NM", description="Recon tomo", objects=1, accepted=True, reason=""
            ),
            SeriesEntry(
                series_uid="2",
                modality="CT",
                description="Scout",
                objects=1,
                accepted=False,
                reason="no Image Position (Patient) (0020,0032)",
            ),
        ),
    }
    return StudyEntry(**(entry | changes))


@dataclass
class Room:
    """What the service would know; ``now`` is published 20 times a second until ``is_silent``."""

    hub: Hub = field(default_factory=Hub)
    shelf: Shelf = field(default_factory=Shelf)
    session_id: str = "first"
    language: Literal["en", "ru"] = "en"
    keys: tuple[KeyState, ...] = ()
    site: str = "St. Olav"
    name: str = "Theatre 4"
    is_simulated: bool = True
    is_replayed: bool = False
    is_silent: bool = False
    stale_after_s: float = STALE_AFTER_S
    version: str = VERSION
    port: int = 0
    made_ago_s: float = 0.0
    wall_utc: str = "2026-11-22T08:00:00Z"
    """The service's time of day; empty for the true one."""
    seq: int = 0
    entries: tuple[StudyEntry, ...] = (make_entry("1.2.840.1"),)
    choices: list[StudyChoice] = field(default_factory=list)
    requests: list[ResectionRequest] = field(default_factory=list)
    acts: list[ProcedureRequest] = field(default_factory=list)
    frames: list[FramesRequest] = field(default_factory=list)
    journal: Journal = field(default_factory=kept_nowhere)
    trend: TrendMemory = field(init=False)
    yardstick: Yardstick = field(init=False)
    path: SweptPath = field(init=False)
    admission: Admission | None = None
    calibrator: Calibrator | None = None
    refusal: str | None = None
    now: dict[str, Any] = field(default_factory=dict)
    registration: list[list[float]] = field(default_factory=lambda: np.eye(4).tolist())

    def __post_init__(self) -> None:
        self.shelf.replace(shelved(is_activity=False), shelved(is_activity=True), *shelved_surfaces())
        pose = make_pose()
        injection = make_target(
            pose,
            name="Injection",
            centre_mm=np.array([30.0, -70.0, -52.0]),
            semi_mm=(9.0, 8.0, 7.0),
            injection=True,
        )
        self.now = {
            "devices": (
                make_device("probe", label="Gamma probe"),
                make_device("tracker", label="Tracker"),
                make_device("dicom", label="DICOM node", age_s=None, primary=False),
            ),
            "rate": make_rate(),
            "pose": pose,
            "targets": (make_target(pose), injection),
            "guidance": GuidanceState(
                target="Node 1",
                sentence="Node 1: 29 mm ± 4, tilt to the patient's right",
                expected_rate_cps=1200.0,
                motion="toward",
                depth_mm=26.0,
                depth_half_width_mm=3.4,
                probability_near=0.9,
                advice=None,
            ),
            "posterior": PosteriorState(
                readings=412,
                age_s=0.1,
                update_ms=31.0,
                response="Probe A, Tc-99m, 2026-11-22",
                consistent=True,
                within_calibration=True,
                restarts=0,
                map_shift=None,
                agreement=make_agreement(),
            ),
            "shine": None,
            "rejections": (),
            "calibrated_at": "2026-11-22",
            "registered": True,
            "study": make_study(),
            "live_image": None,
            "resection": UNRESECTED,
            "procedure": UNBEGUN,
            "studies_revision": 1,
        }
        self.begin_keeping()

    def begin_keeping(self) -> None:
        """Begin as a service that was just started: of what is kept, all that the record has."""
        chapter = Chapter(self.procedure, self.journal, note=self._note)
        self.yardstick, self.path = Yardstick(chapter), SweptPath(chapter)
        self.trend = TrendMemory(RateTrend(chapter, device="probe", now=lambda: datetime.now(tz=UTC)))

    def procedure(self) -> Procedure:
        """The procedure that is published."""
        shown = self.now["procedure"]
        return Procedure(number=shown.number, step=Step(shown.step))

    def keep(self) -> None:
        """Keep what the service would of what is published now."""
        rate, pose, study = self.now["rate"], self.now["pose"], self.now["study"]
        self.yardstick.take(
            keep_rate(live_rate(rate, self.now["devices"])),
            device=rate.device if rate else "probe",
            patient_id=study.patient_id if study else "",
            now_s=monotonic(),
        )
        space = study and Space(
            study_uid=study.study_uid,
            frame_of_reference_uid="1.2.3",
            patient_from_reference=self.registration,
        )
        self.path.follow(space, pose.tip_mm if pose else None, now_s=monotonic())

    def _note(self, kind: str, told: Mapping[str, Any]) -> None:
        self.journal.add(kind, told)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def hello(self) -> Hello:
        """First message of a connection."""
        return Hello(
            version=self.version,
            session_id=self.session_id,
            simulated=self.is_simulated,
            replayed=self.is_replayed,
            site=self.site,
            room=self.name,
            server_monotonic_s=monotonic(),
            server_time_utc="2026-11-22T08:00:00Z",
            stale_after_s=self.stale_after_s,
            language=self.language,
            keys=self.keys,
        )

    def publish(self) -> None:
        """Publish what is known now."""
        self.seq += 1
        self.keep()
        state = State(
            seq=self.seq,
            session_id=self.session_id,
            simulated=self.is_simulated,
            replayed=self.is_replayed,
            server_monotonic_s=monotonic() - self.made_ago_s,
            server_time_utc=self.wall_utc or datetime.now(tz=UTC).isoformat(),
            spared=0,
            peak=show_kept(self.yardstick.peak),
            background=show_kept(self.yardstick.background),
            path=show_path(self.path),
            **self.now,
        )
        self.hub.publish(state)
        self.trend.note(state)

    def change_target(self, **changes: Any) -> None:
        """Alter the first target."""
        first, *others = self.now["targets"]
        self.now["targets"] = (msgspec.structs.replace(first, **changes), *others)

    def change_device(self, name: str, **changes: Any) -> None:
        """Alter one input."""
        self.now["devices"] = tuple(
            msgspec.structs.replace(device, **changes) if device.name == name else device
            for device in self.now["devices"]
        )

    async def choose(self, choice: StudyChoice) -> str | None:
        """Take a study into use unless the room refuses."""
        self.choices.append(choice)
        return self.refusal

    async def resect(self, request: ResectionRequest) -> str | None:
        """Take what is marked or counted unless the room refuses."""
        self.requests.append(request)
        return self.refusal

    async def proceed(self, request: ProcedureRequest) -> str | int:
        """Take a step unless the room refuses."""
        self.acts.append(request)
        if self.refusal is None and request.action in {"begin_peak", "choose_background", "leave_background"}:
            return measure_by(self.yardstick, request.action, self.hub.newest) or 0
        return self.refusal or self.journal.add(request.action, {})

    async def confirm_frames(self, request: FramesRequest) -> str | None:
        """Take a person's word unless the room refuses."""
        self.frames.append(request)
        return self.refusal

    def studies(self) -> StudyList:
        """List what was received."""
        return StudyList(revision=self.now["studies_revision"], studies=self.entries)

    async def keep_publishing(self) -> None:
        """Publish at the feed's rate."""
        while True:
            if not self.is_silent:
                self.publish()
            await asyncio.sleep(FRAME_S)


@contextlib.asynccontextmanager
async def serve(room: Room, *, tls: Certificate | None = None) -> AsyncIterator[None]:
    """Serve the room until the end of the block, on the port it had before or else a free one."""
    app = create_app(
        Exhibits(
            hub=room.hub,
            shelf=room.shelf,
            hello=room.hello,
            studies=room.studies,
            choose=room.choose,
            report=unreported,
            frames=room.confirm_frames,
            resect=room.resect,
            proceed=room.proceed,
            journal=room.journal,
            trend=room.trend,
            path=room.path,
            clock=monotonic,
        ),
        admission=room.admission,
        calibrator=room.calibrator,
    )
    with contextlib.closing(listen("127.0.0.1", room.port)) as listening:
        room.port = listening.getsockname()[1]
        server = Server(app, tls=tls)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listening]), name="server")
            jobs = [
                tasks.create_task(room.keep_publishing(), name="publishing"),
                tasks.create_task(room.path.run(), name="swept path"),
            ]
            try:
                yield
            finally:
                for job in jobs:
                    job.cancel()
                server.close()
                await serving


@contextlib.asynccontextmanager
async def browse(*, is_kiosk: bool = True) -> AsyncIterator[Browser]:
    """Run Chromium without a screen; in a kiosk sound may start by itself."""
    policy = "no-user-gesture-required" if is_kiosk else "document-user-activation-required"
    program = shutil.which("chromium", path=SYSTEM_PATH)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=[*CHROMIUM_FLAGS, f"--autoplay-policy={policy}"]
        )
        try:
            yield browser
        finally:
            await browser.close()


async def open_late(room: Room, page: Page) -> Page:
    """Open another display of the room, in the browser of a first one and as large."""
    browser = page.context.browser
    assert browser is not None
    late = await browser.new_page(viewport=page.viewport_size)
    await late.goto(room.url)
    return late


NO_FAULTS = (
    "ERR_CONNECTION_REFUSED",
    "401 (Unauthorized)",
    "403 (Forbidden)",
    "409 (Conflict)",
    "404 (Not Found) /v1/volumes/",
    "404 (Not Found) /v1/calibrations",
)
"""Logged by the browser without a fault of the page: a service that is away, a choice that it refuses, a volume
that was replaced just as it was asked for, calibrations where there is no tracker."""


@contextlib.asynccontextmanager
async def look(room: Room, *, is_kiosk: bool = True) -> AsyncIterator[Page]:
    """Look at a room that is served already, on a screen of 1920 x 1080; fail on any error that the page logs."""
    complaints: list[str] = []
    async with browse(is_kiosk=is_kiosk) as browser:
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(complaint(said)) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.add_init_script(RECORD_WORDS)
        await page.goto(room.url)
        yield page
    faults = [complaint for complaint in complaints if not any(known in complaint for known in NO_FAULTS)]
    assert not faults, faults


def complaint(said: ConsoleMessage) -> str:
    """Say what the browser logged, of which path."""
    return f"{said.text} {urlsplit(said.location['url']).path}"


async def state_of(page: Page, element: str, state: str) -> None:
    """Wait for an element's state."""
    await expect(page.locator(element)).to_have_attribute("data-state", state)


async def drawn(room: Room, page: Page) -> None:
    """Wait until the page has drawn what is known now, and what was pressed on it before."""
    await page.wait_for_function("seq => window.__drawn >= seq", arg=room.seq + 1)


async def wait_until_live(page: Page) -> None:
    """Wait for the first state to be drawn."""
    await expect(page.locator("body")).to_have_attribute("data-feed", "live")


async def fail_and_see(
    page: Page, marks: Sequence[str], *, fail: Callable[[], None], mend: Callable[[], None]
) -> None:
    """Let something fail, and see the page mark all of it in time; it is left failed.

    A busy host may make one attempt late, but not each of a few.
    """
    delays_s: list[float] = []
    for _ in range(ATTEMPTS):
        await wait_until_live(page)
        await state_of(page, "#tone", "playing")
        failed_s = time.time()
        fail()
        for mark in marks:
            await page.wait_for_function(
                "([mark, since_ms]) => window.__marked[mark] >= since_ms", arg=[mark, int(failed_s * 1000)]
            )
        marked_ms = [await page.evaluate("mark => window.__marked[mark]", mark) for mark in marks]
        delays_s.append(max(marked_ms) / 1000 - failed_s)
        if delays_s[-1] < SHOWN_WITHIN_S:
            return
        mend()
    pytest.fail(f"the page was late {ATTEMPTS} times: {delays_s} s")
