"""Puts a frame together from everything that is known now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from acquisition.archive import StudyArchive
from acquisition.board import Board
from acquisition.estimate.localising import Localiser
from acquisition.resection.resection import Resection
from acquisition.resection.specimen import BenchCount
from acquisition.session.swept_path import SweptPath
from acquisition.session.yardstick import Yardstick
from acquisition.synchronise import SeenTip, Synchroniser
from acquisition.tracking.budget import TellBudget
from devices.clock import wall_time
from display.messages.feed import DeviceState, GuidanceState, PoseState, RateState, State
from display.messages.pose import TipErrorState
from display.messages.volume import StudyState
from display.states.device import ShownDevice, show_device
from display.states.estimate import show_posterior, show_rejections
from display.states.guidance import show_guidance, show_nothing
from display.states.kept import show_kept, show_path
from display.states.live_image import ShelvedImage, show_live_image
from display.states.procedure import ProcedureView
from display.states.rate import show_rate
from display.states.resection import show_resection
from display.states.shine import show_shine
from display.states.target import matrix, point, show_target, trusted_targets
from display.states.trail import Trail
from navigation.error_budget import ErrorBudget
from navigation.probe.response import Response
from navigation.registration_error import RegistrationError
from navigation.steering.guidance import Track
from navigation.transforms import RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Probe and tip at one moment.

    Attributes
    ----------
    at_s
        The moment.
    devices, rate
        As displays see them.
    seen, doubt
        Where the tip was seen last, and what speaks against where it is.
    tip, track
        Where it is now and which way it came: seen of late, no tip where anything speaks against it.

    """

    at_s: float
    devices: tuple[DeviceState, ...]
    rate: RateState | None
    seen: SeenTip | None
    doubt: str
    tip: RigidTransform | None
    track: Track | None


@dataclass(slots=True, kw_only=True)
class Composer:
    """Makes the state frames of one room.

    Attributes
    ----------
    board, localiser, synchroniser, archive, resection, procedure
        Where what is known is held; no synchroniser where nothing is tracked.
    yardstick, path
        What the rate is held against, and where the tip was.
    devices
        How each device of the site file appears.
    probe, response
        The probe in hand and its calibration, None without one.
    integration_s
        Counting time of the rate shown.
    session_id, simulated, replayed
        Stand in every frame.
    study
        The study in use as displays see it.
    live_image
        The newest live image whose voxels can be fetched.
    registration
        Says how far the registration may be wrong; None where that is not known.
    budget
        Says how far a tip that was seen may be wrong; None where nobody does.
    stranger
        Says why the probe in hand is not the one that was calibrated; empty while it is.
    is_calibrating
        Whether a calibration is under way: no count is then taken for one of the patient.

    """

    board: Board
    localiser: Localiser
    synchroniser: Synchroniser | None
    archive: StudyArchive
    resection: Resection
    procedure: ProcedureView
    yardstick: Yardstick
    path: SweptPath
    devices: Mapping[str, ShownDevice]
    probe: str
    response: Response | None
    integration_s: float
    session_id: str
    simulated: bool
    replayed: bool = False
    study: StudyState | None = None
    live_image: ShelvedImage | None = None
    registration: Callable[[], RegistrationError | None] = field(default=lambda: None)
    budget: TellBudget | None = None
    stranger: Callable[[], str] = field(default=lambda: "")
    is_calibrating: Callable[[], bool] = field(default=lambda: False)
    _seq: int = -1
    _trail: Trail = field(default_factory=Trail)

    def look(self, *, now_s: float) -> Sight:
        """See what the next frame is of."""
        tools = self.synchroniser.chain.tools if self.synchroniser else ()
        seen = self.synchroniser.newest_tip() if self.synchroniser else None
        fresh = seen if seen and self._is_fresh(seen, now_s=now_s) else None
        doubt, track = self._doubt(fresh), self._trail.follow(fresh)
        devices = tuple(
            show_device(name, device, self.board, now_s=now_s, tools=tools)
            for name, device in self.devices.items()
        )
        rate = show_rate(
            self.board,
            self.probe,
            integration_s=self.integration_s,
            background_cps=self.response.background_cps if self.response else None,
            now_s=now_s,
        )
        tip = fresh.patient_from_tip if fresh and not doubt else None
        return Sight(at_s=now_s, devices=devices, rate=rate, seen=seen, doubt=doubt, tip=tip, track=track)

    def compose(self, sight: Sight, *, sent_s: float | None = None) -> State:
        """Make the next frame, of what was seen.

        It is stamped with ``sent_s``: another time only where a recording is played, which has a clock of its own.
        """
        now_s, seen, tip = sight.at_s, sight.seen, sight.tip
        sent_s = now_s if sent_s is None else sent_s
        self._seq += 1
        is_former = self._is_former()
        localisation = None if is_former else self.localiser.newest
        targets = trusted_targets(localisation.posterior) if localisation else ()
        return State(
            seq=self._seq,
            session_id=self.session_id,
            simulated=self.simulated,
            replayed=self.replayed,
            calibrated_at=self.response.calibrated_at[:10] if self.response else None,
            registered=bool(self.synchroniser and self.synchroniser.chain.patient_from_reference),
            server_monotonic_s=sent_s,
            server_time_utc=wall_time(sent_s).isoformat(),
            spared=0,
            devices=sight.devices,
            rate=sight.rate,
            pose=self._pose(seen, self._doubt(seen), now_s=now_s) if seen else None,
            targets=tuple(show_target(estimate, tip) for estimate in targets),
            guidance=self._guidance(tip, sight.track, sight.doubt, now_s=now_s),
            posterior=show_posterior(localisation, self.response, now_s=now_s),
            shine=show_shine(
                localisation.posterior if localisation else None, self.response, self.localiser.tissue, tip
            ),
            rejections=() if is_former else show_rejections(self.localiser.rejections),
            study=None if is_former else self.study,
            live_image=None if is_former else show_live_image(self.live_image, now_s=now_s),
            resection=show_resection(self.resection, clock=lambda: now_s),
            procedure=self.procedure.show(now_s=now_s),
            studies_revision=self.archive.revision,
            peak=show_kept(self.yardstick.peak),
            background=show_kept(self.yardstick.background),
            path=show_path(self.path),
        )

    def _is_former(self) -> bool:
        """Whether the study that was shown last is another than the one in use: then nothing of it is shown.

        Until the new one is planned by and packed there is none; what the former patient had is nobody's then.
        """
        shown, in_use = self.study, self.archive.in_use
        named = in_use and (in_use.study.study_uid, in_use.study.patient_id)
        return shown is not None and named != (shown.study_uid, shown.patient_id)

    def _is_fresh(self, seen: SeenTip, *, now_s: float) -> bool:
        """Whether a direction may be given from there: the hand has moved on since an old pose."""
        limit_s = self.devices[seen.tracker].stale_after_s
        return limit_s is None or now_s - seen.taken_at_s <= limit_s

    def _doubt(self, seen: SeenTip | None) -> str:
        """Say what speaks against where the tip was seen: nothing is aimed from there."""
        if self.synchroniser is None:
            return ""
        chain = self.synchroniser.chain
        return chain.tip_doubt or chain.registration_doubt or (seen.doubt if seen else "")

    def _pose(self, seen: SeenTip, doubt: str, *, now_s: float) -> PoseState:
        budget = None
        if self.budget is not None and self.synchroniser is not None:
            budget = self.budget(seen, self.synchroniser.chain, self.synchroniser.velocity_mm_s(seen))
        return _show_pose(seen, self.registration(), budget, doubt, now_s=now_s)

    def _guidance(
        self, tip: RigidTransform | None, track: Track | None, doubt: str, *, now_s: float
    ) -> GuidanceState:
        obstacle = self._obstacle(tip, doubt)
        if obstacle or tip is None:
            return show_nothing(obstacle)
        localisation, guidance = self.localiser.newest, self.localiser.guide(tip, track)
        if localisation is None or guidance is None:
            return show_nothing("Sweep slowly over the skin")
        return show_guidance(guidance, self.localiser.advised, localisation.posterior, tip, now_s=now_s)

    def _obstacle(self, tip: RigidTransform | None, doubt: str) -> str:
        """Say what keeps navigation from guiding at all; empty if nothing does."""
        if self.synchroniser is None:
            return "No tracker in the site file: count rate only"
        is_registered = self.synchroniser.chain.patient_from_reference is not None
        stranger, untold = self.stranger(), self.localiser.obstacle
        is_on_bench = isinstance(self.resection.counting, BenchCount)
        obstacles = (
            (self.is_calibrating(), "Calibrating: the patient is not looked at meanwhile"),
            (is_on_bench, "Counting on the bench: the patient is not looked at meanwhile"),
            (not is_registered, "Not registered to the patient: count rate only"),
            (bool(doubt), f"Position not trusted: {doubt}"),
            (self.response is None, "The probe is not calibrated: run acquire"),
            (bool(stranger), stranger),
            (self.archive.in_use is None, "No study of this patient: send one, or choose one from the list"),
            (self._is_former(), "Another study is coming into use"),
            (bool(untold), f"No position can be told: {untold}"),
            (tip is None, "The tracker does not see the probe"),
        )
        return next((sentence for is_so, sentence in obstacles if is_so), "")


def _show_error(budget: ErrorBudget) -> TipErrorState:
    parts = {f"{name}_mm": part for name, part in budget.rms_mm().items()}
    return TipErrorState(within_mm=budget.within_mm, **parts)


def _show_pose(
    seen: SeenTip, registration: RegistrationError | None, budget: ErrorBudget | None, doubt: str, *, now_s: float
) -> PoseState:
    tip = seen.patient_from_tip
    return PoseState(
        tip_mm=point(tip.translation_mm),
        axis=point(tip.rotation[:, 2]),
        patient_from_tip=matrix(tip.rotation),
        tracker_error_mm=seen.error_mm,
        registration_error_mm=registration.at(tip.translation_mm) if registration else None,
        error=_show_error(budget) if budget else None,
        doubt=doubt,
        age_s=max(0.0, now_s - seen.taken_at_s),
    )
