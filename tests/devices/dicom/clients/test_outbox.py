"""Orders survive whatever ends the process, and are carried out when their destination is there again."""

import asyncio
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import evt

from devices.clock import monotonic
from devices.dicom.client import run_node
from devices.dicom.clients.answers import Answer, Fate
from devices.dicom.clients.dispatch import Dispatch, Retrying
from devices.dicom.clients.outbox import FOLDER, Backlog, Outbox
from devices.dicom.settings import NodeSettings
from devices.readings import LinkState
from tests.devices.dicom.clients.kept import STUDY, kept_study
from tests.devices.dicom.conftest import SECONDARY_CAPTURE
from tests.devices.dicom.durable import Disk
from tests.devices.dicom.seen import children, resident_kb
from tests.devices.dicom.trail import transfers

QUICK = Retrying(first_s=0.05, longest_s=0.1)


def answer(path: Path, fate: Fate = Fate.STORED, reason: str = "") -> Answer:
    return Answer(path=path, fate=fate, status=0, reason=reason)


def put(folder: Path, objects: list[Path], *, destination: str = "peer") -> Outbox:
    outbox = Outbox(folder)
    with outbox.put(STUDY, destination, objects):
        pass
    return outbox


@asynccontextmanager
async def dispatching(settings: NodeSettings, tell: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    """Have a dispatch running, with pauses of a test's length."""
    dispatch = Dispatch(settings, tell=tell, clock=monotonic, jitter=lambda: 0.0, retrying=QUICK)
    task = asyncio.create_task(dispatch.run(), name="dispatch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the disk shows: there is nothing else that tells."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def until_sent(outbox: Outbox, count: int) -> None:
    await until(lambda: sum(progress.count(Fate.STORED) for progress in outbox.list()) >= count)


async def until_ended(outbox: Outbox) -> None:
    await until(lambda: not outbox.waiting("peer"))


def test_an_order_is_kept_with_each_answer(tmp_path: Path) -> None:
    """What was answered is read back; what was not is what waits; with all answered and audited it has ended."""
    first, second = kept_study(tmp_path, 2)
    outbox = Outbox(tmp_path)
    with outbox.put(STUDY, "peer", [first, second]) as order:
        order.note(answer(first))
    (progress,) = Outbox(tmp_path).list()
    assert progress.request.destination == "peer"
    assert progress.waiting == (f"{STUDY}/{second.name}",)
    (path,) = outbox.waiting("peer")
    with outbox.take(path) as order:
        assert order is not None
        assert order.paths == [second]
        order.note(answer(second))
        order.audited()
    assert outbox.waiting("peer") == []
    (progress,) = outbox.list()
    assert (progress.count(Fate.STORED), progress.waiting) == (2, ())


def test_an_order_is_durable_when_it_is_taken(tmp_path: Path, disk: Disk) -> None:
    """A power cut while it is carried out leaves it whole, and after that its answers too."""
    objects = kept_study(tmp_path, 2)
    with Outbox(tmp_path).put(STUDY, "peer", objects) as order:
        assert disk.read(order.path) == order.path.read_bytes() != b""
        order.note(answer(objects[0]))
    assert disk.read(order.path) == order.path.read_bytes()


def test_only_one_carries_an_order_out(tmp_path: Path) -> None:
    """While one has it another gets none; an order that ended meanwhile is none either."""
    (only,) = kept_study(tmp_path, 1)
    outbox = Outbox(tmp_path)
    with outbox.put(STUDY, "peer", [only]) as mine:
        with outbox.take(mine.path) as other:
            assert other is None
        mine.note(answer(only))
        mine.audited()
    with outbox.take(mine.path) as late:
        assert late is None


def test_an_order_is_its_destinations_own(tmp_path: Path) -> None:
    """A destination whose name ends as another's does not get the other's orders."""
    outbox = put(tmp_path, kept_study(tmp_path, 1), destination="old-peer")
    assert outbox.waiting("peer") == []
    assert len(outbox.waiting("old-peer")) == 1


def test_what_a_power_cut_tore_is_sent_again(tmp_path: Path) -> None:
    """Wherever the file of an order ends, whole lines count, the rest waits, and new answers are readable."""
    first, second = kept_study(tmp_path, 2)
    outbox = Outbox(tmp_path)
    with outbox.put(STUDY, "peer", [first, second]) as order:
        order.note(answer(first))
    (path,) = outbox.waiting("peer")
    whole = path.read_bytes()
    begins = whole.index(b"\n") + 1
    for end in range(begins, len(whole) + 1):
        path.write_bytes(whole[:end])
        with outbox.take(path) as order:
            assert order is not None
            assert order.paths == ([second] if end == len(whole) else [first, second])
            order.note(answer(first, Fate.POSTPONED))
        (progress,) = outbox.list()
        assert progress.answers[f"{STUDY}/{first.name}"].fate is Fate.POSTPONED


def test_an_object_that_breaks_off_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """What was postponed comes after what was never tried, and longest ago first."""
    first, second, third = kept_study(tmp_path, 3)
    outbox = Outbox(tmp_path)
    with outbox.put(STUDY, "peer", [first, second, third]) as order:
        order.note(answer(first, Fate.POSTPONED))
        assert order.paths == [second, third, first]
        order.note(answer(second, Fate.POSTPONED))
        order.note(answer(third, Fate.POSTPONED))
        order.note(answer(first, Fate.POSTPONED))
        assert order.paths == [second, third, first]


def test_a_file_that_is_no_order_is_said(tmp_path: Path) -> None:
    """Something else in the folder does not hide the orders, and is named with what to do while it is there."""
    outbox = put(tmp_path, kept_study(tmp_path, 1))
    (strange := tmp_path / FOLDER / "20200101T000000.1.peer.order").write_bytes(b"no order\n")
    assert len(outbox.list()) == 1
    backlog = outbox.backlog({"peer"})
    assert (backlog.objects, backlog.unreadable) == (1, (strange.name,))
    assert str(backlog).startswith(f"what was to be sent cannot be read from {strange.name} in .outbox: send")
    strange.unlink()
    assert str(outbox.backlog({"peer"})) == ""


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_pauses_grow_to_their_longest(attempt: int, jitter: float) -> None:
    """From 5 s to 10 min, at most halved by chance, however long the outage."""
    pause_s = Retrying().pause_s(attempt, jitter=lambda: jitter)
    whole_s = min(600.0, 5.0 * 2.0 ** min(attempt - 1, 10))
    assert whole_s / 2 <= pause_s <= whole_s


async def test_what_was_not_taken_is_tried_again(serve: Any, peer: Any, settings: Any, tmp_path: Path) -> None:
    """A destination without room at first gets the object later; one that refuses for good is asked once."""
    asked: Counter[str] = Counter()
    settled = threading.Event()

    def store(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        asked[uid] += 1
        if uid.endswith(".0"):
            return 0xA900
        if uid.endswith(".1") and asked[uid] < 3:
            return 0xA700
        settled.set()
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),))
        outbox = put(node.folder, kept_study(node.folder, 3))
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 2)
            await until_ended(outbox)
    assert asked == {f"{STUDY}.4.0": 1, f"{STUDY}.4.1": 3, f"{STUDY}.4.2": 1}
    (progress,) = outbox.list()
    assert [failure.status for failure in progress.failures()] == [0xA900]


async def test_a_destination_that_is_away_keeps_nobody_waiting(serve: Any, peer: Any, settings: Any) -> None:
    """One destination is not there, and is tried; the other gets its order meanwhile."""
    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port:
        node = settings(peers=(peer(1, name="away"), peer(port)))
        objects = kept_study(node.folder, 1)
        outbox = put(node.folder, objects, destination="away")
        put(node.folder, objects)
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 1)
            await until(lambda: any(progress.missed for progress in outbox.list()))
    missed = next(progress for progress in outbox.list() if progress.missed)
    assert missed.request.destination == "away"
    assert "nothing answers there" in missed.missed
    assert len(missed.waiting) == 1


async def test_a_peer_without_the_role_is_sent_nothing(serve: Any, peer: Any, settings: Any) -> None:
    """An archive that is no destination gets none of its orders; they wait."""
    asked: list[Any] = []

    def store(event: Any) -> int:
        asked.append(event)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port, roles=["archive"]), peer(port, name="other")))
        objects = kept_study(node.folder, 1)
        outbox = put(node.folder, objects)
        put(node.folder, objects, destination="other")
        async with asyncio.timeout(30), dispatching(node):
            await until_sent(outbox, 1)
    assert len(asked) == 1
    assert len(outbox.waiting("peer")) == 1


def test_what_waits_is_summed_up(tmp_path: Path) -> None:
    """How many, since when, for whom, and the newest reason; nothing while all is well, or when all has gone."""
    first, second, third = kept_study(tmp_path, 3)
    outbox = Outbox(tmp_path)
    assert (outbox.backlog({"peer"}), str(outbox.backlog({"peer"}))) == (Backlog(), "")
    with outbox.put(STUDY, "peer", [first, second]) as order:
        asked_at = order.progress.request.asked_at
        assert str(outbox.backlog({"peer"})) == ""
        order.miss("nobody answers")
        backlog = outbox.backlog({"peer"})
        assert (backlog.objects, backlog.since, backlog.reason) == (2, asked_at, "nobody answers")
        order.note(answer(first))
        order.note(answer(second, Fate.POSTPONED, "its disk is full"))
        since = f"{asked_at.astimezone():%Y-%m-%d %H:%M}"
        assert str(outbox.backlog({"peer"})) == f"1 objects wait for peer since {since}: its disk is full"
    with outbox.put(STUDY, "other", [third]):
        assert outbox.backlog({"peer"}).destinations == ("other", "peer")
        assert outbox.backlog({"peer"}).reason == "no destination is called other"
    for name in ("peer", "other"):
        (path,) = outbox.waiting(name)
        with outbox.take(path) as order:
            assert order is not None
            order.note(answer(second if name == "peer" else third))
    assert outbox.backlog({"peer", "other"}) == Backlog()


async def test_what_cannot_be_sent_is_on_the_health_until_it_has_gone(
    serve: Any, peer: Any, settings: Any
) -> None:
    """The node says how many wait, since when and why, counts them, and says nothing more when they have gone."""
    is_full = threading.Event()
    is_full.set()

    def store(_: Any) -> int:
        return 0xA700 if is_full.is_set() else 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),), workers=0)
        put(node.folder, kept_study(node.folder, 2))
        (strange := node.folder / FOLDER / "20200101T000000.1.peer.order").write_bytes(b"torn by a failing disk")
        async with asyncio.timeout(60), run_node(node) as running:
            async with aclosing(running.health_changes()) as changes:
                async for health in changes:
                    if "2 objects wait for peer since" in health.detail:
                        break
            assert "make room there" in health.detail
            assert f"cannot be read from {strange.name}" in health.detail
            strange.unlink()
            assert health.state is LinkState.LIVE
            await until(lambda: running.figures is not None and running.figures.outbox_waiting == 2)
            assert running.figures is not None
            assert running.figures.outbox_since_s is not None
            is_full.clear()
            async with aclosing(running.health_changes()) as changes:
                async for health in changes:
                    if not health.detail:
                        break
            await until(lambda: running.figures is not None and running.figures.outbox_waiting == 0)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("/bin/false", r"what sends to peer ends before it is done \(exit code 1\): see the node's error output"),
        ("/nowhere/python", r"nothing can be sent to peer: .*No such file or directory: '/nowhere/python'"),
    ],
)
async def test_a_sender_that_cannot_run_is_told_until_it_can(
    peer: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, program: str, sentence: str
) -> None:
    """What sends dies, or cannot be started, while an order waits: a sentence says so until one has run."""
    told: list[str] = []
    node = settings(peers=(peer(1),))
    outbox = put(node.folder, kept_study(node.folder, 1))
    monkeypatch.setattr(sys, "executable", program)
    async with asyncio.timeout(60), dispatching(node, told.append):
        await until(lambda: bool(told))
        monkeypatch.undo()
        await until(lambda: told[-1].startswith("1 objects wait for peer") and told[-1].endswith("port right?"))
        (path,) = outbox.waiting("peer")
        with outbox.take(path) as order:
            assert order is not None
            order.note(answer(order.paths[0]))
            order.audited()
        await until(lambda: not told[-1])
    assert re.fullmatch(sentence, told[0])


async def test_the_node_itself_takes_no_more_memory_for_its_peers(serve: Any, peer: Any, settings: Any) -> None:
    """What has sent an order takes its memory, more than the node's own code does, with it when it ends."""
    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port:
        node = settings(peers=(peer(port),), workers=0)
        async with asyncio.timeout(60), run_node(settings(workers=0)) as running:
            without_kb, staff = resident_kb(running), len(children(running.process_id))
        outbox = put(node.folder, kept_study(node.folder, 1))
        async with asyncio.timeout(60), run_node(node) as running:
            await until_sent(outbox, 1)
            await until(lambda: len(children(running.process_id)) == staff)
            assert resident_kb(running) - without_kb < 12_000


KILLED = """
import sys
from pathlib import Path
from devices.dicom.audit import AuditTrail
from devices.dicom.clients.carrying import carry_out
from devices.dicom.clients.outbox import Outbox
from devices.dicom.settings import Peer
folder, port = Path(sys.argv[1]), int(sys.argv[2])
peer = Peer(name="peer", ae_title="PEER", host="127.0.0.1", port=port)
with Outbox(folder).put("1.2.3", "peer", sorted(folder.glob("1.2.3/*.dcm"))) as order:
    carry_out(order, peer, calling_ae="RADIONAV", audit=AuditTrail(folder, ae_title="RADIONAV"))
"""


async def test_an_order_survives_kill_9(serve: Any, peer: Any, settings: Any) -> None:
    """The sender is killed in the middle of an order; the node, started afterwards, sends what has no answer.

    The audit trail tells of what the killed one sent, too.
    """
    asked: Counter[str] = Counter()
    some, go_on = threading.Event(), threading.Event()

    def store(event: Any) -> int:
        asked[str(event.request.AffectedSOPInstanceUID)] += 1
        if len(asked) == 4:
            some.set()
            go_on.wait(30)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        node = settings(peers=(peer(port),), workers=0)
        kept_study(node.folder, 8)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", KILLED, str(node.folder), str(port)), cwd=Path(__file__).parents[4]
        )
        assert await asyncio.to_thread(some.wait, 60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        go_on.set()
        outbox = Outbox(node.folder)
        (left,) = outbox.list()
        assert left.count(Fate.STORED) == 3
        async with asyncio.timeout(60), run_node(node):
            await until_sent(outbox, 8)
            await until_ended(outbox)
    assert set(asked) == {f"{STUDY}.4.{number}" for number in range(8)}
    assert [uid for uid, times in asked.items() if times > 1] == [f"{STUDY}.4.3"]
    assert [(note[0], note[3:]) for note in transfers(node.folder)] == [("PEER", (3, 4)), ("PEER", (5, 0))]


def test_a_disk_that_refuses_takes_no_order(tmp_path: Path) -> None:
    """Where the order cannot be kept it is not begun."""
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(OSError, match="exists"), Outbox(tmp_path).put(STUDY, "peer", []):
        pass
