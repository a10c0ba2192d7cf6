"""An order is carried out once, audited, and left in order when its process is told to end."""

import asyncio
import signal
import threading
from pathlib import Path
from typing import Any

from pynetdicom import evt

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.child import start
from devices.dicom.clients.answers import Answer, Fate
from devices.dicom.clients.carrying import MADE_UP, carry_out
from devices.dicom.clients.instructions import Instructions
from devices.dicom.clients.outbox import Outbox
from tests.devices.dicom.clients.kept import STUDY, kept_study
from tests.devices.dicom.conftest import SECONDARY_CAPTURE
from tests.devices.dicom.trail import lines, transfers


def test_an_order_stays_until_the_audit_trail_tells_of_it(peer: Any, tmp_path: Path) -> None:
    """One whose sender was killed when all was sent, and whose trail is away, is there when the trail is again.

    The row that makes up for it names the person who had it sent.
    """
    (only,) = kept_study(tmp_path, 1)
    outbox, audit = Outbox(tmp_path), AuditTrail(tmp_path, ae_title="RADIONAV")
    with outbox.put(STUDY, "peer", [only], asked_by="dr.x"):
        pass
    (path,) = outbox.waiting("peer")

    def attempt() -> None:
        with outbox.take(path) as order:
            assert order is not None
            carry_out(order, peer(1), calling_ae="RADIONAV", audit=audit)

    with outbox.take(path) as order:
        assert order is not None
        order.note(Answer(path=only, fate=Fate.STORED, status=0, reason=""))
    (trail := tmp_path / ".audit").rename(tmp_path / "away")
    attempt()
    assert outbox.waiting("peer") == [path]
    (tmp_path / "away").rename(trail)
    attempt()
    assert outbox.waiting("peer") == []
    assert [note[3:] for note in transfers(tmp_path)] == [(1, 4)]
    (made_up,) = (
        one for one in lines(tmp_path) if one["EventIdentification"]["EventOutcomeDescription"] == MADE_UP
    )
    assert "dr.x" in [participant["UserID"] for participant in made_up["ActiveParticipant"]]


def test_an_order_goes_no_further_when_it_is_over(serve: Any, peer: Any, tmp_path: Path) -> None:
    """A node that ends stops after the object under way; what is left waits."""
    with (
        serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port,
        Outbox(tmp_path).put(STUDY, "peer", kept_study(tmp_path, 3)) as order,
    ):
        audit = AuditTrail(tmp_path, ae_title="RADIONAV")
        carry_out(order, peer(port), calling_ae="RADIONAV", audit=audit, is_over=lambda: True)
        assert len(order.progress.answers) == 1
    assert len(Outbox(tmp_path).waiting("peer")) == 1


async def test_what_is_terminated_ends_after_the_object_under_way(serve: Any, peer: Any, tmp_path: Path) -> None:
    """On SIGTERM its answer is waited for, noted and audited with its sender; what is left waits."""
    asked, go_on = threading.Semaphore(0), threading.Semaphore(1)

    def store(_: Any) -> int:
        asked.release()
        go_on.acquire(timeout=60)
        return 0

    outbox = Outbox(tmp_path)
    with outbox.put(STUDY, "peer", kept_study(tmp_path, 3), asked_by="dr.x"):
        pass
    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        told = Instructions(
            calling_ae="RADIONAV", folder=tmp_path, peer=peer(port), orders=tuple(outbox.waiting("peer"))
        )
        async with asyncio.timeout(90):
            process = await start("devices.dicom.clients.carrier", told)
            for _ in range(2):
                assert await asyncio.to_thread(asked.acquire, timeout=60)
            process.send_signal(signal.SIGTERM)
            go_on.release()
            code = await process.wait()
    (progress,) = outbox.list()
    assert (code, progress.count(Fate.STORED), len(progress.waiting)) == (0, 2, 1)
    assert [note[3:] for note in transfers(tmp_path)] == [(2, 4)]
