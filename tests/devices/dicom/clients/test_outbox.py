"""Orders survive whatever ends the process."""

import asyncio
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt

from devices.dicom.client import run_node
from devices.dicom.clients.answers import Fate
from devices.dicom.clients.outbox import FOLDER, Backlog, Outbox
from tests.devices.dicom.clients.kept import STUDY, kept_study
from tests.devices.dicom.clients.orders import answer, put, until_ended, until_sent
from tests.devices.dicom.conftest import SECONDARY_CAPTURE
from tests.devices.dicom.durable import Disk
from tests.devices.dicom.trail import transfers


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


KILLED = """
import sys
from pathlib import Path
from devices.dicom.audit.trail import AuditTrail
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
