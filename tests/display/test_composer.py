"""A frame: null where nothing is known, ages that grow, and no direction from where the probe was."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.estimate.advising import Advised
from acquisition.estimate.localising import Localisation, Localiser
from acquisition.studies.reading import StudyMap
from acquisition.synchronise import Synchroniser, TipChain, TrackedCount
from devices.clock import monotonic
from devices.dicom.study import ReceivedStudy
from devices.frame_timing import FrameTiming
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading, PoseStatus
from devices.traffic import Condition, Traffic
from display.composer import Composer
from display.messages.device import ConditionState, ToolState, TrafficState
from display.messages.feed import State, TimingState
from display.states.device import ShownDevice
from display.states.procedure import ProcedureView
from display.states.rate import show_rate
from navigation.error_budget import ErrorBudget, round_error
from navigation.estimation.estimate import Posterior, TargetEstimate, region_of
from navigation.frames import Frame
from navigation.steering.advice import Advice
from navigation.transforms import RigidTransform
from tests.acquisition.estimate.test_localising import LOOKING_BACK, premises, response
from tests.acquisition.received import received, study, study_map
from tests.acquisition.resected import resection
from tests.display.recorded import kept_nowhere, measured_by, swept_in, unbegun

NODE_MM = np.array([10.0, -10.0, 20.0])
TIP_MM = (0.0, -40.0, 0.0)


def drop(_: TrackedCount) -> None:
    """Nobody wants it here."""


def estimate(*, is_localisable: bool = True) -> TargetEstimate:
    covariance_mm2 = np.diag([9.0, 4.0, 1.0])
    semi_axes_mm, axes = region_of(covariance_mm2)
    return TargetEstimate(
        name="target 1",
        kind="target",
        presence=0.97,
        centre_mm=NODE_MM,
        covariance_mm2=covariance_mm2,
        log_activity_mean=0.0,
        log_activity_sigma=0.1,
        is_localisable=is_localisable,
        reason="" if is_localisable else "too few counts",
        region_semi_axes_mm=semi_axes_mm,
        region_axes=axes,
        mapped_mm=NODE_MM + 5,
    )


def believed(*targets: TargetEstimate, until_s: float) -> Localisation:
    posterior = Posterior(
        targets=targets,
        background_cps=5.0,
        readings=100,
        expected_rate_cps=400.0,
        is_consistent=True,
        misfit=0.0,
        recent_misfit=0.0,
        restarts=0,
        map_shift=None,
        is_within_calibration=True,
    )
    return Localisation(posterior=posterior, counted_until_s=until_s, update_ms=20.0)


def advised(*, until_s: float) -> Advised:
    """Advice to hold the probe 15 mm to the patient's left."""
    pose = RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.TIP,
        rotation=LOOKING_BACK,
        translation_mm=np.array(TIP_MM) + np.array([15.0, 0.0, 0.0]),
    )
    advice = Advice(
        target="target 1",
        patient_from_tip=pose,
        dwell_s=1.5,
        semi_axis_now_mm=8.4,
        semi_axis_after_mm=5.0,
        information_bit=None,
        reason="Expected to shrink it",
    )
    return Advised(advice=advice, counted_until_s=until_s, took_ms=50.0, restarts=0)


class Console:
    """Everything a frame is made from, as one room has it when all is well."""

    def __init__(self, *, reference: str | None = None, is_registered: bool = True) -> None:
        self.board = Board()
        self.localiser = Localiser(clock=monotonic)
        there = RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE) if is_registered else None
        chain = TipChain(
            tool="Probe",
            reference=reference,
            tool_from_tip=RigidTransform.identity(Frame.TOOL, Frame.TIP),
            patient_from_reference=there,
        )
        self.synchroniser = Synchroniser(chain, emit=drop)
        self.archive = StudyArchive(patient_id="A-1", read=self._read, on_use=self._use)
        self.resection = resection(self.localiser, response())
        self.map = study_map(study())
        self.journal = kept_nowhere()
        self.session = unbegun(self.resection, self.localiser, self.journal)
        self.composer = Composer(
            board=self.board,
            localiser=self.localiser,
            synchroniser=self.synchroniser,
            archive=self.archive,
            resection=self.resection,
            procedure=ProcedureView(self.session),
            yardstick=measured_by(self.session, self.journal),
            path=swept_in(self.session, self.journal),
            devices={
                "gamma": ShownDevice(
                    kind="probe", label="Gamma probe", primary=True, streams=True, stale_after_s=0.5
                ),
                "camera": ShownDevice(
                    kind="tracker", label="Tracker", primary=True, streams=True, stale_after_s=0.5
                ),
                "dicom": ShownDevice(kind="dicom", label="Scanner", primary=False, streams=False),
            },
            probe="gamma",
            response=response(),
            integration_s=1.0,
            session_id="s",
            simulated=True,
        )

    async def _read(self, _received: ReceivedStudy) -> StudyMap:
        return self.map

    async def _use(self, archived: ArchivedStudy | None) -> None:
        """Shown by the stage, not here."""

    def see(
        self,
        at_s: float,
        *,
        tool: str = "Probe",
        is_seen: bool = True,
        tip_mm: tuple[float, float, float] = TIP_MM,
    ) -> None:
        """Let the tracker see a tool, or say that it does not."""
        rotation, place = (LOOKING_BACK, np.array(tip_mm)) if tool == "Probe" else (np.eye(3), np.zeros(3))
        seen = RigidTransform(to=Frame.TRACKER, from_=Frame.TOOL, rotation=rotation, translation_mm=place)
        reading = PoseReading(
            device="camera",
            tool=tool,
            taken_at_s=at_s,
            tracker_from_tool=seen if is_seen else None,
            status=PoseStatus.OK if is_seen else PoseStatus.MISSING,
            error_mm=0.3 if is_seen else None,
        )
        self.board.pose(reading)
        self.synchroniser.add_pose(reading, now_s=at_s)

    def frame(self, now_s: float) -> State:
        """Make a frame, and see that it can be sent and read."""
        made = self.composer.compose(self.composer.look(now_s=now_s))
        assert msgspec.json.decode(msgspec.json.encode(made), type=State) == made
        return made


async def ready() -> Console:
    """A room in which nothing is missing."""
    console = Console()
    await console.archive.take(received())
    console.localiser.newest = believed(estimate(), until_s=9.9)
    console.see(10.0)
    return console


def test_before_anything_came_all_is_null() -> None:
    """No rate, no pose, no age, no target is a number, and every device is said to be connecting."""
    frame = Console().frame(10.0)
    assert (frame.rate, frame.pose, frame.posterior, frame.study, frame.targets) == (None, None, None, None, ())
    assert [(device.name, device.state, device.age_s) for device in frame.devices] == [
        ("gamma", "connecting", None),
        ("camera", "connecting", None),
        ("dicom", "connecting", None),
    ]
    assert frame.guidance.expected_rate_cps is None
    assert frame.simulated


def test_what_a_tracker_says_of_a_tool_is_shown_while_it_is_live() -> None:
    """Of the tools of navigation alone, the probe's first; with a lost link it is no longer of now."""
    console = Console(reference="Patient")
    live = DeviceHealth(device="camera", state=LinkState.LIVE, since_s=1.0, detail="")
    console.board.link(live)
    lost = PoseReading(
        device="camera",
        tool="Patient",
        taken_at_s=9.0,
        tracker_from_tool=None,
        status=PoseStatus.MISSING,
        said="outside the volume: move the camera, or the tool into its volume",
    )
    half = PoseReading(
        device="camera",
        tool="Probe",
        taken_at_s=9.0,
        tracker_from_tool=RigidTransform.identity(Frame.TRACKER, Frame.TOOL),
        said="partly outside the volume: move the camera",
    )
    for reading in (lost, half, replace(lost, tool="Pointer")):
        console.board.pose(reading)

    def tools() -> tuple[ToolState, ...]:
        return console.frame(9.1).devices[1].tools

    assert tools() == (
        ToolState(name="Probe", is_seen=True, said=half.said),
        ToolState(name="Patient", is_seen=False, said=lost.said),
    )
    console.board.link(replace(live, state=LinkState.LOST, detail="unplugged"))
    assert tools() == ()
    console.board.link(live)
    console.see(9.2, tool="Patient")
    assert [tool.name for tool in tools()] == ["Probe"]


def test_frames_are_numbered() -> None:
    """Each frame has the next number, from zero."""
    console = Console()
    assert [console.frame(1.0).seq for _ in range(3)] == [0, 1, 2]


async def test_the_target_is_seen_from_the_tip() -> None:
    """A node to the patient's left is to the right of a probe that looks at her from the front, and above it."""
    frame = (await ready()).frame(10.1)
    (target,) = frame.targets
    # the probe looks along +y with +z up, so that its left is the patient's right (-x)
    assert (target.tip_right_mm, target.tip_up_mm, target.tip_ahead_mm) == pytest.approx((10.0, 20.0, 30.0))
    assert target.distance_mm == pytest.approx(np.sqrt(1400.0))
    assert target.centre_mm == pytest.approx(tuple(NODE_MM))
    assert frame.pose is not None
    assert frame.pose.axis == pytest.approx((0.0, 1.0, 0.0))
    assert frame.pose.tip_mm == pytest.approx(TIP_MM)
    assert "right" in frame.guidance.sentence
    assert "up" in frame.guidance.sentence
    assert (frame.guidance.target, frame.guidance.expected_rate_cps) == ("target 1", 400.0)


async def test_what_cannot_be_located_has_no_position() -> None:
    """Not localisable: the probability is told, everything that could be drawn is null."""
    console = await ready()
    console.localiser.newest = believed(estimate(is_localisable=False), until_s=9.9)
    (target,) = console.frame(10.1).targets
    assert (target.localisable, target.reason, target.probability) == (False, "too few counts", 0.97)
    drawn = ("centre_mm", "covariance_mm2", "region_semi_axes_mm", "region_axes", "activity_mbq", "tip_right_mm",
             "tip_up_mm", "tip_ahead_mm", "distance_mm", "distance_half_width_mm", "off_axis_deg")  # fmt: skip
    assert [getattr(target, name) for name in drawn] == [None] * len(drawn)


async def test_a_probe_that_is_not_seen_has_no_direction() -> None:
    """The target keeps its place in the patient; nothing is said about the way to it."""
    console = await ready()
    console.see(10.05, is_seen=False)
    frame = console.frame(10.1)
    (target,) = frame.targets
    assert frame.pose is None
    assert target.centre_mm is not None
    assert (target.distance_mm, target.tip_right_mm, target.off_axis_deg) == (None, None, None)
    assert frame.guidance.sentence.startswith("The tracker does not see the probe")


async def test_a_tracker_that_fell_silent_guides_nobody() -> None:
    """Its last pose is shown as old as it is; no distance and no tilt come from where the probe once was."""
    console = await ready()
    live, frozen = console.frame(10.4), console.frame(12.0)
    assert live.targets[0].distance_mm is not None
    assert frozen.pose is not None
    assert frozen.pose.age_s == pytest.approx(2.0)
    (target,) = frozen.targets
    assert (target.distance_mm, target.tip_right_mm) == (None, None)
    assert frozen.guidance.sentence.startswith("The tracker does not see the probe")
    assert frozen.guidance.expected_rate_cps is None
    (camera,) = (device for device in frozen.devices if device.name == "camera")
    assert camera.age_s == pytest.approx(2.0)


async def test_a_pose_is_as_old_as_the_older_of_probe_and_patient() -> None:
    """A tip in a patient whose marker was last seen two seconds ago is two seconds old."""
    console = Console(reference="Patient")
    console.see(10.0, tool="Patient")
    for at_s in np.arange(9.95, 12.0, 0.05):
        console.see(float(at_s))
    frame = console.frame(12.0)
    assert frame.pose is not None
    assert frame.pose.age_s == pytest.approx(2.0)


async def test_ages_grow_with_the_clock() -> None:
    """Every number in a frame that was measured says how old it is at this frame."""
    console = await ready()
    for number in range(10):
        console.board.count(
            CountReading(device="gamma", taken_at_s=9.0 + 0.1 * number, real_time_s=0.1, live_time_s=0.1, counts=5)
        )
    early, late = console.frame(10.1), console.frame(10.3)
    for frame, age_s in ((early, 0.1), (late, 0.3)):
        assert frame.rate is not None
        assert frame.pose is not None
        assert frame.posterior is not None
        assert frame.rate.age_s == pytest.approx(age_s)
        assert frame.pose.age_s == pytest.approx(age_s)
        assert frame.posterior.age_s == pytest.approx(age_s + 0.1)
        assert frame.devices[0].age_s == pytest.approx(age_s)
    assert early.rate is not None
    assert early.rate.counts == 50
    assert early.rate.rate_cps == pytest.approx(50.0)


def test_beyond_correction_is_null_and_more_than_was_counted() -> None:
    """A saturated probe has no rate and no upper end; the lower is what it counted, not zero."""
    board = Board()
    board.count(
        CountReading(
            device="gamma", taken_at_s=0.0, real_time_s=1.0, live_time_s=1.0, counts=250_000, dead_time_s=5e-6
        )
    )
    rate = show_rate(board, "gamma", integration_s=1.0, background_cps=5.0, now_s=1.0)
    assert rate is not None
    assert (rate.rate_cps, rate.high_cps, rate.low_cps, rate.dead_fraction) == (None, None, 250_000.0, 1.0)


def test_a_link_says_what_its_supervisor_says() -> None:
    """A lost device is lost in the next frame, with the sentence for a person."""
    console = Console()
    console.board.link(DeviceHealth(device="gamma", state=LinkState.LOST, since_s=1.0, detail="plug it in"))
    device = console.frame(2.0).devices[0]
    assert (device.state, device.detail, device.stale_after_s) == ("lost", "plug it in", 0.5)
    assert device.timing is None
    streaming = {one.name: one.streams for one in console.frame(2.0).devices}
    assert (streaming["gamma"], streaming["dicom"]) == (True, False)  # whose silence means something


def test_how_well_a_trackers_frames_are_timed_is_told() -> None:
    """In milliseconds, with what was left out and why the line was begun anew."""
    console = Console()
    timing = FrameTiming(
        jitter_s=0.002, uncertainty_s=0.0005, dropped=7, duplicates=40, restarts=1, reason="jumped"
    )
    console.board.link(DeviceHealth(device="camera", state=LinkState.LIVE, since_s=1.0, timing=timing))
    (camera,) = [device for device in console.frame(2.0).devices if device.name == "camera"]
    assert camera.timing == TimingState(
        jitter_ms=2.0, uncertainty_ms=0.5, dropped=7, duplicates=40, restarts=1, reason="jumped"
    )


def test_a_probes_link_and_condition_are_told() -> None:
    """Counters of its link, and its battery with the age of what it said; a smoothed rate is told as one."""
    console = Console()
    console.board.link(
        DeviceHealth(
            device="gamma",
            state=LinkState.LIVE,
            since_s=1.0,
            rejected=4,
            reconnects=1,
            traffic=Traffic(received_bytes=1000, frames=20, resyncs=2, timeouts=5),
            condition=Condition(told_at_s=1.5, battery_v=1.42, is_battery_low=False, is_alarming=True),
        )
    )
    device = console.frame(2.0).devices[0]
    assert device.traffic == TrafficState(
        received_bytes=1000, frames=20, rejected=4, resyncs=2, timeouts=5, reconnects=1
    )
    assert device.condition == ConditionState(
        age_s=0.5,
        battery_v=1.42,
        battery_low=False,
        board_degc=None,
        detector_degc=None,
        high_voltage_v=None,
        alarm=True,
    )
    for time_constant_s in (0.0, 2.0):
        console.board.count(
            CountReading(
                device="gamma",
                taken_at_s=2.0 + time_constant_s,
                real_time_s=1.0,
                live_time_s=1.0,
                counts=7,
                time_constant_s=time_constant_s,
            )
        )
        rate = show_rate(console.board, "gamma", integration_s=1.0, background_cps=None, now_s=5.0)
        assert rate is not None
        assert rate.time_constant_s == time_constant_s


async def test_each_obstacle_has_its_sentence() -> None:
    """What keeps navigation from guiding is said in words, the first to mend first."""
    console = await ready()
    assert console.frame(10.1).guidance.target == "target 1"

    console.synchroniser.chain = replace(console.synchroniser.chain, patient_from_reference=None)
    unregistered = console.frame(10.1)
    assert "Not registered" in unregistered.guidance.sentence
    assert unregistered.pose is None

    console = await ready()
    console.composer.response = None
    assert "run acquire" in console.frame(10.1).guidance.sentence

    console = await ready()
    console.composer.synchroniser = None
    assert "No tracker" in console.frame(10.1).guidance.sentence

    console = Console()
    console.see(10.0)
    assert "No study of this patient" in console.frame(10.1).guidance.sentence

    await console.archive.take(received())
    console.localiser.begin(None, obstacle="the study has no CT in the activity's space")
    frame = console.frame(10.1)
    assert "the study has no CT in the activity's space" in frame.guidance.sentence
    assert frame.guidance.target is None

    console = await ready()
    console.composer.stranger = lambda: "The calibration is of another probe."
    guidance = console.frame(10.1).guidance
    assert (guidance.target, guidance.sentence.rstrip(".")) == (None, "The calibration is of another probe")

    console = await ready()
    console.composer.is_calibrating = lambda: True
    guidance = console.frame(10.1).guidance
    assert (guidance.target, guidance.sentence) == (None, "Calibrating: the patient is not looked at meanwhile")


async def test_a_map_without_a_count_asks_for_a_sweep() -> None:
    """With everything in place and nothing counted yet the surgeon is told to begin."""
    console = await ready()
    console.localiser.newest = None
    guidance = console.frame(10.1).guidance
    assert (guidance.target, guidance.sentence.rstrip(".")) == (None, "Sweep slowly over the skin")


async def test_the_way_of_the_tip_is_told() -> None:
    """A second of poses that close on the node is toward; lost and seen again, nobody knows at first."""
    console = await ready()
    for number in range(1, 21):
        console.see(10.0 + 0.05 * number, tip_mm=(0.5 * number, -40.0, number))
        frame = console.frame(10.0 + 0.05 * number)
    assert frame.guidance.motion == "toward"
    console.see(11.05, is_seen=False)
    assert console.frame(11.05).guidance.motion is None
    console.see(11.1, tip_mm=(10.0, -40.0, 20.0))
    assert console.frame(11.1).guidance.motion is None


async def test_a_target_has_its_depth_and_chance() -> None:
    """With the skin at hand a located node has a depth under it, and a chance to lie where it is said to."""
    console = await ready()
    newest = console.localiser.newest
    console.localiser.begin(premises())
    console.localiser.newest = newest
    guidance = console.frame(10.1).guidance
    assert guidance.depth_mm == pytest.approx(20.0)
    assert guidance.depth_half_width_mm == pytest.approx(1.96 * 2.0)
    assert guidance.probability_near is not None
    assert 0.5 < guidance.probability_near < 0.97


async def test_advice_is_on_the_feed_until_the_probe_is_lost() -> None:
    """It stands in the frame with its age; where the probe is not seen, or for long, nobody is sent anywhere."""
    console = await ready()
    console.localiser.advised = advised(until_s=9.9)
    frame = console.frame(10.1)
    assert frame.guidance.advice is not None
    assert frame.guidance.advice.age_s == pytest.approx(0.2)
    assert frame.guidance.sentence == "Hold next: 15 mm to the patient's left"
    console.see(10.15, is_seen=False)
    lost = console.frame(10.2)
    assert lost.guidance.advice is None
    assert lost.guidance.sentence.startswith("The tracker does not see the probe")
    console.see(14.0)
    assert console.frame(14.0).guidance.advice is None


async def test_what_the_counts_contradict_is_not_drawn() -> None:
    """An estimate that fits nothing has no target in a place, whatever it believed before, and no advice."""
    console = await ready()
    console.localiser.advised = advised(until_s=9.9)
    assert console.localiser.newest is not None
    contradicted = replace(console.localiser.newest.posterior, is_consistent=False)
    console.localiser.newest = replace(console.localiser.newest, posterior=contradicted)
    frame = console.frame(10.1)
    (target,) = frame.targets
    assert (target.localisable, target.centre_mm, target.tip_right_mm) == (False, None, None)
    assert target.reason
    assert frame.guidance.advice is None
    assert frame.posterior is not None
    assert not frame.posterior.consistent


async def test_what_was_left_out_is_told_before_anything_is_believed() -> None:
    """Readings of which none was usable are counted by reason where there is no estimate yet."""
    console = Console()
    console.localiser.begin(premises())
    assert console.localiser._course is not None
    console.localiser._course.sieve.screen_rows(
        counts=[1.0], live_time_s=[np.nan], tip_mm=[[0.0, 0.0, 0.0]], axis=[[0.0, 0.0, 1.0]], taken_at_s=[1.0]
    )
    frame = console.frame(10.0)
    assert frame.posterior is None
    assert [(each.reason, each.readings) for each in frame.rejections] == [("no number, or no direction", 1)]


async def test_a_doubted_chain_is_shown_with_its_pose_and_guides_nowhere() -> None:
    """The pose says what speaks against it and how far it may be wrong; the sentence says it too, and no more."""
    console = await ready()
    chain = replace(console.synchroniser.chain, registration_doubt="the reference has slipped")
    console.synchroniser.chain = chain
    parts = dict.fromkeys(("registration", "tracker", "calibration", "motion"), round_error(2.0))
    budget = ErrorBudget(**parts, tissue=None)
    console.composer.budget = lambda *_: budget
    frame = console.frame(10.1)
    assert frame.pose is not None
    assert frame.pose.doubt == "the reference has slipped"
    assert frame.pose.error is not None
    assert (frame.pose.error.within_mm, frame.pose.error.tissue_mm) == (None, None)
    assert frame.pose.error.motion_mm == pytest.approx(2.0)
    assert frame.guidance.sentence == "Position not trusted: the reference has slipped"
    assert frame.targets
    assert all(target.tip_right_mm is None and target.distance_mm is None for target in frame.targets)
    assert frame.shine is None
