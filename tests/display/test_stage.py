"""What the displays of a room see: frames on time, the study in use, and the broker told of every link."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.image.imaging import Imager, LiveImage
from acquisition.patient import Patient
from acquisition.session.journal import acting_as
from acquisition.session.reception import Reception
from acquisition.session.worklist import Schedule
from acquisition.session.yardstick import CHOSEN, LEFT, PEAK_BEGUN
from devices.clock import monotonic
from devices.mqtt import MqttPublisher
from devices.mqtt_broker import Settings
from devices.readings import CountReading, CountStatus, DeviceHealth, LinkState
from devices.traffic import Traffic
from display.messages.feed import HealthNotice, State
from display.messages.kept import PathState
from display.messages.procedure import ProcedureRequest
from display.messages.resection import ResectionRequest
from display.messages.study import StudyChoice
from display.stage import FRAME_INTERVAL_S, Signboard, Stage
from display.states.live_image import ShelvedImage
from display.states.procedure import NO_BACKGROUND, act, show_procedure
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from navigation.volume import Volume, VolumeGeometry
from tests.acquisition.received import received, spect, study, study_map
from tests.display.recorded import trended_in
from tests.display.test_composer import Console, believed, estimate

SIGNBOARD = Signboard(site="site", room="room", session_id="s", simulated=True, stale_after_s=0.5)


@pytest.mark.parametrize("status", [CountStatus.OVERLOAD, CountStatus.SATURATED, CountStatus.OK])
async def test_a_rate_of_an_instrument_that_counts_too_few_is_marked_as_not_known(status: CountStatus) -> None:
    """The report would give it as the rate that was there, with nothing that says it may have been any higher."""
    console, now_s = Console(), monotonic()
    console.board.count(
        CountReading(
            device="gamma", taken_at_s=now_s - 1, real_time_s=1.0, live_time_s=1.0, counts=999, status=status
        )
    )
    frame = console.frame(now_s)
    yardstick = console.composer.yardstick
    seq = await act(console.session, yardstick, ProcedureRequest(revision=0, action="mark"), frame)
    assert isinstance(seq, int)
    marked = console.journal.find(seq)
    assert marked is not None
    assert marked.told["rate_cps"] == (999.0 if status is CountStatus.OK else None)


async def ask_nobody(_: date) -> Schedule:
    """Know of no worklist."""
    return Schedule()


class House:
    """A stage with all behind it; a study that comes into use is shown on it, as in the service."""

    def __init__(self, publisher: MqttPublisher | None = None) -> None:
        self.console = Console()
        self.imager = Imager(clock=monotonic)
        self.advanced: list[float] = []
        self.shared: list[State] = []
        self.stage = Stage(
            SIGNBOARD,
            board=self.console.board,
            archive=self.console.archive,
            composer=self.console.composer,
            imager=self.imager,
            resection=self.console.resection,
            session=self.console.session,
            reception=Reception(
                self.console.session, self.console.archive, ask=ask_nobody, now=lambda: datetime.now(tz=UTC)
            ),
            journal=self.console.journal,
            trend=trended_in(self.console.session, self.console.journal),
            advance=self.advanced.append,
            publisher=publisher,
            on_state=self.shared.append,
            clock=monotonic,
        )
        self.exhibits = self.stage.exhibits()
        self.console.archive._on_use = self.stage.show

    def choice(self, study_uid: str, patient_id: str, patient_name: str) -> StudyChoice:
        """Say whose study is chosen, by the list as it is now."""
        revision = self.exhibits.studies().revision
        return StudyChoice(
            study_uid=study_uid, patient_id=patient_id, patient_name=patient_name, revision=revision
        )

    async def frame_of(self, is_so: Callable[[State], bool]) -> State:
        """Wait for a frame of which something is so."""
        seq = -1
        async with asyncio.timeout(10):
            while True:
                state = await self.exhibits.hub.newer_than(seq)
                if is_so(state):
                    return state
                seq = state.seq

    async def frame(self, seq: int = -1) -> State:
        """Wait for a frame newer than this."""
        async with asyncio.timeout(10):
            return await self.exhibits.hub.newer_than(seq)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    """Run what runs for ever, and cancel it at the end."""
    jobs = [asyncio.create_task(job, name=name) for name, job in house.stage.jobs()]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes


async def test_frames_come_twenty_times_a_second() -> None:
    """Each is counted, each lets waiting counts go on, and a stall is not caught up with a burst."""
    house = House()
    async with running(house):
        first = await house.frame()
        at_s = [(await house.frame(first.seq + number)).server_monotonic_s for number in range(10)]
    assert np.median(np.diff(at_s)) == pytest.approx(FRAME_INTERVAL_S, abs=0.02)
    assert house.console.board.tally.frames == len(house.advanced) == len(house.shared) >= 10
    assert house.console.board.tally.frames <= 1 + (at_s[-1] - first.server_monotonic_s) / FRAME_INTERVAL_S + 2


async def test_a_study_in_use_is_in_every_frame_with_its_volumes() -> None:
    """What the frame names can be fetched, voxel for voxel; the list says that it is in use."""
    house = House()
    await house.console.archive.take(replace(received(), conflicts=3))
    async with running(house):
        frame = await house.frame()
    assert frame.study is not None
    assert (frame.study.patient_id, frame.study.patient_name) == ("A-1", "ANNA^A")
    assert frame.study.activity is not None
    assert frame.study.anatomy is not None
    voxels = house.exhibits.shelf.find(frame.study.activity.etag)
    assert voxels is not None
    assert np.array_equal(np.frombuffer(voxels.packed, "<f4").reshape(frame.study.activity.shape), spect().values)
    assert frame.study.anatomy.dtype == "int16"
    (entry,) = house.exhibits.studies().studies
    assert (entry.in_use, entry.usable, entry.received_from, entry.conflicts) == (True, True, "SPECTCT", 3)


async def test_while_a_map_is_exchanged_no_frame_shows_the_former() -> None:
    """From the choice of another patient until her map is packed there is none, and the former one is gone."""
    house = House()
    await house.console.archive.take(received("1.1"))
    house.console.map = study_map(study("2.2", patient_id="B-2", patient_name="BERTA^B", activity=spect(7.0)))
    await house.console.archive.take(received("2.2"))
    former = house.console.frame(1.0).study
    assert former is not None
    assert former.activity is not None
    choosing = asyncio.ensure_future(house.exhibits.choose(house.choice("2.2", "B-2", "BERTA^B")))
    shown = set()
    while not choosing.done():
        await asyncio.sleep(0)
        frame = house.console.frame(1.0)
        shown.add(frame.study.patient_id if frame.study else None)
        in_use = house.console.archive.in_use
        assert in_use is not None
        assert frame.study is None or frame.study.patient_id == in_use.study.patient_id
    assert await choosing is None
    assert shown == {None, "B-2"}
    assert house.exhibits.shelf.find(former.activity.etag) is None


async def test_what_a_former_patient_had_is_shown_no_more_while_another_is_planned_for() -> None:
    """From the choice on no map under her name, no target, no live image; and the surgeon is told why."""
    house = House()
    await house.console.archive.take(received("1.1"))
    house.console.localiser.newest = believed(estimate(), until_s=9.9)
    house.console.see(10.0)
    house.console.composer.live_image = ShelvedImage(image=live_image(1, taken_at_s=9.9), volume=None)
    former = house.console.frame(10.1)
    assert None not in (former.study, former.posterior, former.live_image, former.guidance.target)
    assert former.targets
    house.console.map = study_map(study("2.2", patient_id="B-2", patient_name="BERTA^B"))
    await house.console.archive.take(received("2.2"))
    is_begun, is_planned = asyncio.Event(), asyncio.Event()

    async def plan_and_show(archived: ArchivedStudy | None) -> None:
        is_begun.set()
        await is_planned.wait()
        await house.stage.show(archived)

    house.console.archive._on_use = plan_and_show
    choosing = asyncio.ensure_future(house.exhibits.choose(house.choice("2.2", "B-2", "BERTA^B")))
    async with asyncio.timeout(10):
        await is_begun.wait()
        meanwhile = house.console.frame(10.1)
        is_planned.set()
        assert await choosing is None
    assert (meanwhile.study, meanwhile.posterior, meanwhile.live_image, meanwhile.targets) == (
        None,
        None,
        None,
        (),
    )
    guidance = meanwhile.guidance
    assert (guidance.target, guidance.sentence) == (None, "Another study is coming into use")
    shown = house.console.frame(10.1).study
    assert shown is not None
    assert shown.patient_id == "B-2"


async def test_a_study_that_grew_is_never_away() -> None:
    """Its new volume takes the former one's place at once: the slices do not go black under the surgeon's eyes."""
    house = House()
    await house.console.archive.take(received("1.1"))
    house.console.map = study_map(study("1.1", activity=spect(7.0)))
    taking = asyncio.ensure_future(house.console.archive.take(received("1.1", objects=2)))
    greatest = set()
    while not taking.done():
        await asyncio.sleep(0)
        shown = house.console.frame(1.0).study
        assert shown is not None
        assert shown.activity is not None
        assert house.exhibits.shelf.find(shown.activity.etag) is not None
        greatest.add(shown.activity.greatest)
    assert await taking
    assert greatest == {100.0, 7.0}


async def test_a_wrong_name_changes_nothing() -> None:
    """The refusal reaches the page in words, and the frame still shows whom it showed."""
    house = House()
    await house.console.archive.take(received("1.1"))
    refusal = await house.exhibits.choose(house.choice("1.1", "A-1", "BERTA^B"))
    assert refusal is not None
    assert house.console.frame(1.0).study is not None


async def test_a_study_out_of_use_leaves_no_volume() -> None:
    """Nothing can be fetched any more and no frame names it."""
    house = House()
    await house.console.archive.take(received())
    shown = house.console.frame(1.0).study
    assert shown is not None
    assert shown.anatomy is not None
    house.console.map = study_map(study(has_map=False))
    await house.console.archive.take(received(objects=2))
    assert house.console.frame(1.0).study is None
    assert house.exhibits.shelf.find(shown.anatomy.etag) is None


async def test_every_connection_is_greeted_with_this_rooms_names() -> None:
    """Names, the session, whether it is simulated, and the limit of staleness."""
    hello = House().exhibits.hello()
    assert (hello.site, hello.room, hello.session_id, hello.simulated) == ("site", "room", "s", True)
    assert hello.stale_after_s == 0.5


async def test_a_link_goes_to_the_broker_when_it_changes() -> None:
    """What is told each second of a live device, its bytes and its battery, is no news of its link."""
    settings = Settings(host="127.0.0.1", port=1, site="site", room="room", timeout_s=0.2)
    publisher = MqttPublisher(settings, on_health=lambda _: None, jitter=lambda: 0.5)
    house = House(publisher)
    live = DeviceHealth(device="gamma", state=LinkState.LIVE, since_s=1.0)
    house.stage.tell(live)
    assert publisher._waiting.pop("health/gamma")
    house.stage.tell(replace(live, traffic=Traffic(received_bytes=9)))
    assert publisher._waiting == {}
    house.stage.tell(replace(live, state=LinkState.LOST, detail="plug it in"))
    assert "health/gamma" in publisher._waiting


async def test_links_frames_and_guidance_go_to_the_broker() -> None:
    """Waiting for a broker that is not there: the newest of each topic, as the displays would read it."""
    is_lost = asyncio.Event()

    def tell(health: DeviceHealth) -> None:
        if health.state is LinkState.LOST:
            is_lost.set()

    settings = Settings(host="127.0.0.1", port=1, site="site", room="room", timeout_s=0.2)
    publisher = MqttPublisher(settings, on_health=tell, jitter=lambda: 0.5)
    house = House(publisher)
    lost = DeviceHealth(device="gamma", state=LinkState.LOST, since_s=1.0, detail="plug it in")
    house.console.board.link(lost)
    house.stage.tell(lost)
    async with running(house):
        seq = (await house.frame()).seq
        newest = await house.frame(seq + 3)
        async with asyncio.timeout(10):
            await is_lost.wait()
    waiting = {leaf: payload for leaf, (payload, _) in publisher._waiting.items()}
    assert set(waiting) == {"state", "guidance", "health/gamma"}
    told = msgspec.json.decode(waiting["health/gamma"], type=HealthNotice).device
    assert (told.name, told.state, told.detail) == ("gamma", "lost", "plug it in")
    assert msgspec.json.decode(waiting["state"], type=State).seq >= newest.seq
    assert {leaf for leaf, (_, is_retained) in publisher._waiting.items() if is_retained} == {
        "state",
        "health/gamma",
    }


def live_image(number: int, *, value: float = 5.0, taken_at_s: float = 0.0) -> LiveImage:
    values = np.full((2, 2, 2), value, dtype=np.float32)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=(2, 2, 2), frame_of_reference_uid="1.2")
    return LiveImage(
        number=number,
        activity=Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL"),
        coverage=0.0 if np.isnan(value) else 0.5,
        known_ml=0.0 if np.isnan(value) else 0.5,
        readings=10,
        without=("injection",),
        counted_until_s=taken_at_s,
        update_ms=100.0,
    )


async def test_each_live_image_is_told_and_can_be_fetched() -> None:
    """Number, coverage and age are in the frame, the voxels on the shelf; with another map they are gone."""
    house = House()
    async with running(house):
        house.imager._show(live_image(7, taken_at_s=monotonic() - 1.0))
        state = await house.frame_of(lambda state: state.live_image is not None)
        assert state.live_image is not None
        assert (state.live_image.number, state.live_image.coverage) == (7, 0.5)
        assert state.live_image.without == ("injection",)
        assert 1.0 <= state.live_image.age_s < 10.0
        assert state.live_image.volume is not None
        etag = state.live_image.volume.etag
        assert house.exhibits.shelf.find(etag) is not None
        house.imager.begin(None)
        await house.frame_of(lambda state: state.live_image is None)
        assert house.exhibits.shelf.find(etag) is None


async def test_an_image_in_which_nothing_is_known_has_no_voxels() -> None:
    """It is told that the probe has looked, and that nothing can be said: no volume, so no number."""
    house = House()
    async with running(house):
        house.imager._show(live_image(1, value=np.nan))
        state = await house.frame_of(lambda state: state.live_image is not None)
        assert state.live_image is not None
        assert state.live_image.volume is None


async def test_a_person_who_has_not_seen_the_newest_is_refused() -> None:
    """Two people act at once: the later one is told to look again, and nothing is done twice."""
    house = House()
    start = ResectionRequest(revision=0, action="count_specimen")
    assert await house.exhibits.resect(start) is None
    assert "acted meanwhile" in (await house.exhibits.resect(start) or "")
    async with running(house):
        state = await house.frame_of(lambda state: state.resection.counting is not None)
    assert state.resection.revision == 1
    assert state.resection.counting is not None
    assert (state.resection.counting.what, state.resection.counting.most_s) == ("specimen", 10.0)
    assert "on the bench" in state.guidance.sentence
    stop = ResectionRequest(revision=1, action="stop")
    assert await house.exhibits.resect(stop) is None


async def test_an_excision_is_answered_once_it_is_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut takes nothing that somebody was told is kept; what is refused waits for no disk."""
    house, asked, may_go_on = House(), threading.Event(), threading.Event()

    def synchronise_slowly(_: Path) -> None:
        asked.set()
        assert may_go_on.wait(60.0)

    monkeypatch.setattr("acquisition.session.journal._sync", synchronise_slowly)
    start = ResectionRequest(revision=0, action="count_specimen")
    answer = asyncio.ensure_future(house.exhibits.resect(start))
    assert await asyncio.to_thread(asked.wait, 20.0), "it is answered before it is on the disk"
    assert not answer.done()
    assert "acted meanwhile" in (await house.exhibits.resect(start) or "")
    may_go_on.set()
    assert await answer is None


async def test_an_action_without_its_object_is_refused() -> None:
    """Which target, which bed, which specimen: a sentence, and nothing is done."""
    house = House()
    for action in ("remove", "restore", "count_bed", "discard"):
        refusal = await house.exhibits.resect(ResectionRequest(revision=0, action=action))
        assert "does not say of what" in (refusal or "")
    assert house.console.resection.revision == 0


async def test_confirming_a_patient_begins_her_procedure_and_bars_all_others() -> None:
    """Until it is ended no study of another patient comes into use, whatever identifiers are given."""
    house = House()
    house.console.archive._patient = Patient(patient_id="")
    await house.console.archive.take(received("1.1"))
    house.console.map = study_map(study("2.2", patient_id="B-2", patient_name="BERTA^B"))
    await house.console.archive.take(received("2.2"))
    choose = house.exhibits.choose
    assert await choose(house.choice("1.1", "A-1", "ANNA^A")) is None
    assert house.console.session.procedure.patient_id == "A-1"
    refusal = await choose(house.choice("2.2", "B-2", "BERTA^B"))
    assert refusal is not None
    assert "is not ended" in refusal
    in_use = house.console.archive.in_use
    assert in_use is not None
    assert in_use.study.patient_id == "A-1"


async def test_two_who_take_a_step_at_once_take_it_once() -> None:
    """The later one has not seen what the earlier did: refused, and nothing is done."""
    house = House()
    await house.console.archive.take(received("1.1"))
    await house.exhibits.choose(house.choice("1.1", "A-1", "ANNA^A"))
    seen = house.console.session.procedure.revision
    step = ProcedureRequest(revision=seen, action="move", to="plan")
    with acting_as("first"):
        assert isinstance(await house.exhibits.proceed(step), int)
    with acting_as("second"):
        refusal = await house.exhibits.proceed(step)
    assert isinstance(refusal, str)
    assert "somebody else has acted" in refusal
    assert [entry.person for entry in house.console.journal.after(0) if entry.kind == "moved"] == ["first"]
    nothing = ProcedureRequest(revision=house.console.session.procedure.revision, action="sort")
    assert "does not say what" in str(await house.exhibits.proceed(nothing))


async def test_a_background_is_chosen_by_an_act() -> None:
    """The rate of now, for each display and under a name in the record; refused in words while there is none."""
    house = House()
    console, proceed = house.console, house.exhibits.proceed
    await console.archive.take(received("1.1"))
    await house.exhibits.choose(house.choice("1.1", "A-1", "ANNA^A"))

    async def ask(action: Literal["begin_peak", "choose_background", "leave_background"]) -> str | int:
        with acting_as("surgeon"):
            return await proceed(ProcedureRequest(revision=console.session.procedure.revision, action=action))

    def show(now_s: float) -> State:
        house.exhibits.hub.publish(frame := house.stage.frame(now_s=now_s))
        return frame

    assert await ask("choose_background") == NO_BACKGROUND
    console.board.link(DeviceHealth(device="gamma", state=LinkState.LIVE, since_s=0.0))
    for at_s, counts in ((9.0, 900), (11.0, 36)):
        console.board.count(
            CountReading(device="gamma", taken_at_s=at_s, real_time_s=1.0, live_time_s=1.0, counts=counts)
        )
        show(at_s + 1.1)
    show(13.0)  # a second after the count: no rate of now
    assert await ask("choose_background") == NO_BACKGROUND
    show(12.1)
    assert isinstance(await ask("choose_background"), int)
    frame = show(12.2)
    assert (frame.background and frame.background.counts, frame.peak and frame.peak.counts) == (36, 900)
    assert isinstance(await ask("begin_peak"), int)
    assert isinstance(await ask("leave_background"), int)
    frame = show(12.3)
    assert (frame.background, frame.peak and frame.peak.counts) == (None, 36)
    acts = [(entry.kind, entry.person) for entry in console.journal.of(CHOSEN, PEAK_BEGUN, LEFT)]
    assert acts == [(kind, "surgeon") for kind in (CHOSEN, PEAK_BEGUN, LEFT)]


@pytest.mark.parametrize("status", [CountStatus.OVERLOAD, CountStatus.SATURATED])
async def test_a_rate_of_what_counts_too_few_is_no_peak_and_no_background(status: CountStatus) -> None:
    """The true one may be any above: nothing is compared with it."""
    house = House()
    console = house.console
    console.board.link(DeviceHealth(device="gamma", state=LinkState.LIVE, since_s=0.0))
    for at_s, counts, seen in ((9.0, 36, CountStatus.OK), (11.0, 999, status)):
        console.board.count(
            CountReading(
                device="gamma", taken_at_s=at_s, real_time_s=1.0, live_time_s=1.0, counts=counts, status=seen
            )
        )
        frame = house.stage.frame(now_s=at_s + 1.1)
    assert frame.rate is not None
    assert frame.rate.status == str(status)
    assert (frame.peak and frame.peak.counts) == 36
    request = ProcedureRequest(revision=0, action="choose_background")
    assert await act(console.session, console.composer.yardstick, request, frame) == NO_BACKGROUND


async def test_the_path_is_of_a_tip_that_is_trusted() -> None:
    """It grows where the tip is seen and nothing speaks against it; registered anew, it begins anew at once."""
    house = House()
    console = house.console
    await console.archive.take(received())
    console.see(10.0)

    def show(now_s: float) -> PathState:
        return house.stage.frame(now_s=now_s).path

    registered = console.synchroniser.chain
    assert show(10.05).length == 1

    def go(at_s: float, x_mm: float) -> int:
        console.see(at_s, tip_mm=(x_mm, -40.0, 0.0))
        return show(at_s).length

    assert go(10.1, 20.0) == 2
    console.see(10.15, is_seen=False)
    assert show(10.15).length == 2
    console.synchroniser.chain = replace(registered, registration_doubt="it has slipped")
    assert go(10.2, 60.0) == 2
    console.synchroniser.chain = registered
    assert go(10.3, 80.0) == 3
    assert show(12.0).length == 3, "a frozen tracker's last pose"
    former = show(12.0)
    moved = RigidTransform(
        to=Frame.PATIENT, from_=Frame.REFERENCE, rotation=np.eye(3), translation_mm=np.array([5.0, 0.0, 0.0])
    )
    console.synchroniser.chain = replace(registered, patient_from_reference=moved)
    begun = show(12.1)
    assert (begun.number, begun.length) == (former.number + 1, 0)
    assert go(12.2, 80.0) == 1
    assert console.composer.path.since(0) == (0, ((85.0, -40.0, 0.0),))


async def test_a_target_is_drawn_and_erased_by_an_act() -> None:
    """It stands in every frame's plan as drawn; an act without place or kind does not say what."""
    house = House()
    house.console.archive._on_use = house.console.session.use
    await house.console.archive.take(received("1.1"))
    await house.exhibits.choose(house.choice("1.1", "A-1", "ANNA^A"))
    session = house.console.session

    def asked(action: Literal["move", "draw", "erase"], **told: Any) -> ProcedureRequest:
        return ProcedureRequest(revision=session.procedure.revision, action=action, **told)

    with acting_as("surgeon"):
        assert isinstance(await house.exhibits.proceed(asked("move", to="plan")), int)
        place = {"place_mm": (20.0, -20.0, 10.0)}
        for vague in ({"sort": "target"}, place, {"sort": "neither", **place}):
            assert "does not say what" in str(await house.exhibits.proceed(asked("draw", **vague)))
        done = await house.exhibits.proceed(asked("draw", sort="target", activity_mbq=0.5, radius_mm=8.0, **place))
        assert isinstance(done, int)
        mapped, drawn = show_procedure(session).sources
        assert (mapped.name, mapped.is_drawn, mapped.confirmed, mapped.radius_mm) == (
            "target 1",
            False,
            None,
            None,
        )
        assert (drawn.name, drawn.is_drawn, drawn.confirmed) == ("drawn target 1", True, "target")
        assert drawn.centre_mm == place["place_mm"]
        assert drawn.radius_mm == pytest.approx(8.0)
        assert isinstance(await house.exhibits.proceed(asked("erase", name="drawn target 1")), int)
    assert [each.name for each in show_procedure(session).sources] == ["target 1"]
