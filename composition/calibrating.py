"""Calibrations before the running room's own tracker and probe, begun from a display."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from acquisition.archive import StudyArchive
from acquisition.calibration import CalibrationError
from acquisition.intake import Intake
from acquisition.resection.resection import Resection
from acquisition.tracking.axis import run_axis
from acquisition.tracking.desk import Desk, Outcome, Standing
from acquisition.tracking.following import Camera, Screen
from acquisition.tracking.landmark_plan import PlanUnusable, parse_plan
from acquisition.tracking.operator import Operator
from acquisition.tracking.register import run_register, run_verify
from acquisition.tracking.registration_file import landmarks_of, newest_registration
from acquisition.tracking.settings import RegistrationSettings
from acquisition.tracking.swept_probe import Sweeping, SweptProbe
from acquisition.tracking.timing import run_timing
from acquisition.tracking.tip_file import TipCalibration
from acquisition.tracking.tool import run_tool
from acquisition.tracking.touching import Hand
from composition.errors import ServiceError
from composition.in_use import InUse
from composition.instruments import load_response, tip_chain, tip_of
from config.navigation import NavigationSettings
from config.settings import Site
from devices.clock import monotonic
from display.messages.calibration import InstallRequest, LandmarkList, RegisterRequest, VerifyRequest
from navigation.calibration.approach import Lying

LATER = "written to {}; this room goes by it when radionav is started again"
LATER_SIMULATED = "written to {}; this room goes by it when it is started again with --keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrating:
    """Begins what a display asks for; each is begun, or refused with a sentence.

    Attributes
    ----------
    desk
        Runs it.
    site, navigation
        What the site file says.
    in_use
        By which tip the room goes: a patient is registered and verified by no other.
    intake
        Has the devices open.
    archive
        Knows the study in use.
    resection
        Knows what is being counted: the counts of a calibration are none of a specimen.
    note
        Enters what came of it in the procedure's record.
    is_simulated
        Whether the room is.

    """

    desk: Desk
    site: Site
    navigation: NavigationSettings
    in_use: InUse
    intake: Intake
    archive: StudyArchive
    resection: Resection
    note: Callable[[str, Mapping[str, Any]], None]
    is_simulated: bool

    async def landmarks(self) -> LandmarkList:
        """List what a check of the registration in use can touch."""
        settings = self.navigation.registration
        try:
            registration = settings and newest_registration(settings.file, is_simulated=self.is_simulated)
        except CalibrationError as exc:
            return LandmarkList(names=(), trouble=str(exc))
        return LandmarkList(names=landmarks_of(registration).names if registration else (), trouble="")

    async def tool(self, asked: InstallRequest) -> str | None:  # noqa: ARG002 - all of it stands in the site file
        """Find tip and axis of the probe."""
        settings = self.navigation.tip
        if settings is None:
            return "the site file has no [navigation.tip]: name the file that the tip's calibration goes to"
        camera = replace(self._camera(), reference=None)
        run = partial(run_tool, camera=camera, settings=settings)
        return self._begin("tool", run, told=self._later(settings.file))

    async def axis(self, asked: InstallRequest) -> str | None:  # noqa: ARG002 - likewise
        """Hold the probe's axis against its counts."""
        settings = self.navigation.tip
        if settings is None:
            return "the site file has no [navigation.tip]: find tip and axis first"
        found = self._before_source()
        if isinstance(found, str):
            return found
        tip, sweeping = found

        async def run(**shown: Any) -> Outcome:
            return await run_axis(sweeping=sweeping(**shown), tip=tip, settings=settings)

        return self._begin("axis", run, told=f"it looks where its axis points; noted in {settings.file}")

    async def timing(self, asked: InstallRequest) -> str | None:  # noqa: ARG002 - likewise
        """Find how late counts are."""
        settings = self.navigation.timing
        if settings is None:
            return "the site file has no [navigation.timing]: name the file that the delay goes to"
        found = self._before_source()
        if isinstance(found, str):
            return found
        _, sweeping = found

        async def run(**shown: Any) -> Outcome:
            return await run_timing(sweeping=sweeping(**shown), settings=settings)

        return self._begin("timing", run, told=self._later(settings.file))

    def _later(self, path: Path) -> str:
        return (LATER_SIMULATED if self.is_simulated else LATER).format(path)

    def _before_source(self) -> tuple[TipCalibration | None, Callable[..., Sweeping]] | str:
        """Give the tip, and what moves the probe over a point source before a person, or say why not."""
        name = self.navigation.probe
        try:
            calibration = load_response(self.site, is_simulated=self.is_simulated)
            tip = tip_of(self.site, self.navigation, is_simulated=self.is_simulated)
        except ServiceError as exc:
            return str(exc)
        if calibration is None:
            return f"probes.{name}.response names no calibration: run acquire first"
        probe = SweptProbe(
            name=name,
            device=self.intake.tap_counts(name, self.site.probes[name]),
            response=calibration.response,
            tool_from_tip=tip_chain(self.site, self.navigation, tip, now=datetime.now(tz=UTC)).tool_from_tip,
        )
        return tip, partial(Sweeping, camera=replace(self._camera(), reference=None), probe=probe)

    async def register(self, asked: RegisterRequest) -> str | None:
        """Register the patient of the study in use."""
        in_use, settings = self.archive.in_use, self.navigation.registration
        if settings is None:
            return "the site file has no [navigation.registration]: name the file that it goes to"
        if in_use is None:
            return "no study is in use: confirm hers first, for the landmarks were marked in it"
        skin = in_use.map.skin if asked.with_skin else None
        if asked.with_skin and skin is None:
            return "her study has no CT whose skin could be drawn over"
        try:
            plan = parse_plan(msgspec.json.encode(asked.landmarks), "landmarks")
        except PlanUnusable as exc:
            return str(exc)
        study = in_use.study
        return self._begin_by_hand(
            "register",
            partial(run_register, plan=plan, points=asked.points, skin=skin, lying=Lying(asked.lies)),
            settings,
            patient_id=study.patient_id,
            frame_of_reference_uid=study.frame_of_reference_uid,
        )

    async def verify(self, asked: VerifyRequest) -> str | None:
        """Touch a landmark again."""
        settings = self.navigation.registration
        if settings is None:
            return "the site file has no [navigation.registration]: name the file that it goes to"
        try:
            registration = newest_registration(settings.file, is_simulated=self.is_simulated)
        except CalibrationError as exc:
            return str(exc)
        if registration is None:
            return "nothing is registered yet: register her first"
        plan = landmarks_of(registration)
        if asked.landmark not in plan.names:
            return f"no landmark is called {asked.landmark!r}: there are {', '.join(plan.names)}"
        run = partial(run_verify, plan=plan, name=asked.landmark)
        return self._begin_by_hand("verify", run, settings, patient_id=registration.patient_id)

    def _begin_by_hand(
        self,
        step: str,
        run: Callable[..., Any],
        settings: RegistrationSettings,
        *,
        patient_id: str,
        frame_of_reference_uid: str = "",
    ) -> str | None:
        tip = self.in_use.tip
        chain = tip_chain(self.site, self.navigation, tip, now=datetime.now(tz=UTC))
        superseded = self.in_use.superseded(self.site, is_simulated=self.is_simulated)
        if superseded or chain.tip_doubt:
            return superseded or chain.tip_doubt

        async def with_hand(*, operator: Operator, **shown: Any) -> Outcome:
            hand = Hand(
                camera=self._camera(),
                tool_from_tip=chain.tool_from_tip,
                serial=self.navigation.tip.serial if self.navigation.tip else "",
                operator=operator,
                patient_id=patient_id,
                tip_calibrated_at=tip.calibrated_at if tip else None,
                frame_of_reference_uid=frame_of_reference_uid,
                is_simulated=self.is_simulated,
            )
            shown.pop("is_simulated")  # the hand says it
            outcome: Outcome = await run(hand=hand, settings=settings, **shown)
            return outcome

        return self._begin(step, with_hand, told=f"written to {settings.file}: this room goes by it")

    def _begin(self, step: str, run: Callable[..., Any], *, told: str) -> str | None:
        if self.resection.counting is not None:
            return "something is being counted: stop that first"

        async def asked(operator: Operator, screen: Screen) -> Outcome:
            outcome: Outcome = await run(
                operator=operator, screen=screen, console=Console(quiet=True), is_simulated=self.is_simulated
            )
            return outcome

        return self.desk.begin(step, asked, told=told, on_ended=self._note)

    def _note(self, ended: Standing) -> None:
        """Enter what came of it, also where nothing did, or where somebody discarded it."""
        verdicts = [result.to_dict() for result in ended.results]
        told = {"step": ended.step, "passed": ended.passed, "reason": ended.reason, "results": verdicts}
        self.note("calibrated", told)

    def _camera(self) -> Camera:
        name = self.navigation.tracker
        return Camera(
            name=name,
            device=self.intake.tap_poses(name, self.site.trackers[name]),
            tool=self.site.probes[self.navigation.probe].tool or "",
            reference=self.navigation.reference_tool,
            clock=monotonic,
        )
