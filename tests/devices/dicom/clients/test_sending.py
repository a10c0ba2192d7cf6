"""C-STORE out: each object as it is, each answer kept, what is refused said."""

import asyncio
import dataclasses
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import _config, evt
from pynetdicom.association import Association

from devices.dicom.clients.answers import Answer, Fate, judge
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.sending import send
from devices.dicom.storage.part10 import EMPTY
from tests.devices.dicom.clients.kept import stored
from tests.devices.dicom.clients.walled import INSIDE, walled
from tests.devices.dicom.conftest import SECONDARY_CAPTURE, Thing

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def things(folder: Path, count: int) -> list[Path]:
    return [stored(folder / f"{number}.dcm", Thing(object_uid=f"1.2.3.4.{number}")) for number in range(count)]


async def sent(peer: Any, paths: list[Path]) -> list[Answer]:
    return await asyncio.to_thread(lambda: list(send(peer, paths, calling_ae="RADIONAV")))


@pytest.mark.peer("dcmtk", "socat")
async def test_dcmtk_has_what_was_sent(walls: None, peer: Any, tmp_path: Path) -> None:
    """Storescp has the data sets byte for byte; every answer is Success."""
    taken, paths = tmp_path / "taken", things(tmp_path, 3)
    taken.mkdir()
    command = ("storescp", "-aet", "PEER", "+B", "-od", taken, INSIDE)
    async with walled(*command, folder=tmp_path, title="PEER") as port:
        answers = await sent(peer(port), paths)
    assert [(answer.path, answer.fate, answer.status) for answer in answers] == [
        (path, Fate.STORED, 0) for path in paths
    ]
    received = sorted(path.read_bytes() for path in taken.iterdir())
    assert len(received) == 3
    for number, content in enumerate(received):
        assert Thing(object_uid=f"1.2.3.4.{number}").data_set in content


@pytest.mark.peer("dcmtk", "socat")
async def test_a_refused_association_is_said(walls: None, peer: Any, tmp_path: Path) -> None:
    """Storescp --refuse: one error that says who refused; no answer is made up."""
    async with walled("storescp", "--refuse", INSIDE, folder=tmp_path, title="PEER") as port:
        with pytest.raises(PeerFailed, match=r"peer \(PEER at 127\.0\.0\.1:\d+\): it rejects the association"):
            await sent(peer(port), things(tmp_path, 1))


@pytest.mark.peer("dcmtk", "socat")
async def test_a_break_names_the_object_and_loses_no_answer(walls: None, peer: Any, tmp_path: Path) -> None:
    """Storescp --abort-after: the object under way is postponed, with the reason, and the rest is left."""
    taken = tmp_path / "taken"
    taken.mkdir()
    command = ("storescp", "-aet", "PEER", "--abort-after", "-od", taken, INSIDE)
    async with walled(*command, folder=tmp_path, title="PEER") as port:
        answers: list[Answer] = []

        def run() -> None:
            for answer in send(peer(port), things(tmp_path, 2), calling_ae="RADIONAV"):
                answers.append(answer)  # noqa: PERF402 - those before the break are kept

        with pytest.raises(PeerFailed, match="broken the association off"):
            await asyncio.to_thread(run)
    assert [(answer.fate, answer.status) for answer in answers] == [(Fate.POSTPONED, None)]


async def test_a_syntax_that_is_not_accepted_is_a_plain_error(serve: Any, peer: Any, tmp_path: Path) -> None:
    """A JPEG object goes to a peer without JPEG: it is refused by name, never converted, and the others go."""
    plain, taken = things(tmp_path, 1)[0], []
    compressed = Thing(object_uid="1.2.3.4.99")
    seal = EMPTY.over(compressed.data_set)
    meta = dataclasses.replace(compressed.meta, transfer_syntax=JPEG_BASELINE, seal=seal)
    jpeg = tmp_path / "jpeg.dcm"
    jpeg.write_bytes(meta.to_bytes() + compressed.data_set)

    def store(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        refused, stored = sorted(await sent(peer(port), [jpeg, plain]), key=lambda answer: answer.fate)
    assert (refused.path, refused.fate, refused.status) == (jpeg, Fate.REFUSED, None)
    assert "does not accept Secondary Capture Image Storage in JPEG Baseline (Process 1)" in refused.reason
    assert (stored.path, stored.fate) == (plain, Fate.STORED)
    assert taken == ["1.2.3.4.0"]


async def test_each_answer_is_kept(serve: Any, peer: Any, tmp_path: Path) -> None:
    """A warning counts as stored and is told; a full disk is for later; a mismatch is refused; comments stay."""
    answers = {"1.2.3.4.0": 0xB000, "1.2.3.4.1": 0xA700, "1.2.3.4.2": 0xA900}

    def store(event: Any) -> Any:
        status = Dataset()
        status.Status = answers[event.request.AffectedSOPInstanceUID]
        status.ErrorComment = "as told"
        return status

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        got = await sent(peer(port), things(tmp_path, 3))
    assert [(answer.fate, answer.status) for answer in got] == [
        (Fate.STORED, 0xB000),
        (Fate.POSTPONED, 0xA700),
        (Fate.REFUSED, 0xA900),
    ]
    assert got[0].reason == "stored with warning B000: some elements were coerced: as told"


async def test_what_is_damaged_is_not_sent(serve: Any, peer: Any, tmp_path: Path) -> None:
    """A file that is no DICOM, one that is gone and one that its seal belies are named; the sound one is sent."""
    sound, taken = things(tmp_path, 1)[0], []
    other = Thing(object_uid="1.2.3.4.7")
    seal = EMPTY.over(other.data_set)
    changed = tmp_path / "changed.dcm"
    changed.write_bytes(dataclasses.replace(other.meta, seal=seal).to_bytes() + other.data_set[:-1] + b"!")
    nothing = tmp_path / "text.dcm"
    nothing.write_text("no DICOM")
    gone = tmp_path / "gone.dcm"

    def store(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        answers = {answer.path: answer for answer in await sent(peer(port), [nothing, gone, changed, sound])}
    assert {path: answer.fate for path, answer in answers.items()} == {
        nothing: Fate.REFUSED,
        gone: Fate.REFUSED,
        changed: Fate.REFUSED,
        sound: Fate.STORED,
    }
    assert "is not what was received" in answers[changed].reason
    assert taken == ["1.2.3.4.0"]


async def test_a_peer_that_never_answers_is_left_in_time(serve: Any, peer: Any, tmp_path: Path) -> None:
    """An object without an answer ends the association after ``answer_time_s``, and says so."""
    freed = threading.Event()

    def store(event: Any) -> int:
        freed.wait(30)
        return 0

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, store)) as port:
        try:
            with pytest.raises(PeerFailed, match=r"no answer within 0\.3 s"):
                await sent(peer(port, answer_time_s=0.3), things(tmp_path, 1))
        finally:
            freed.set()


async def test_a_break_just_before_an_object_loses_no_answer(
    serve: Any, peer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An association that ends between being looked at and being used is a peer that has not answered."""
    paths, send_c_store = things(tmp_path, 2), Association.send_c_store

    def late(association: Association, *arguments: Any, **named: Any) -> Dataset:
        association.abort()
        return send_c_store(association, *arguments, **named)

    monkeypatch.setattr(Association, "send_c_store", late)
    answers: list[Answer] = []

    def run() -> None:
        for answer in send(peer(port), paths, calling_ae="RADIONAV"):
            answers.append(answer)  # noqa: PERF402 - those before the break are kept

    with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port, pytest.raises(PeerFailed):
        await asyncio.to_thread(run)
    assert [(answer.path, answer.fate) for answer in answers] == [(paths[0], Fate.POSTPONED)]


async def test_more_kinds_than_an_association_takes_go_in_several(serve: Any, peer: Any, tmp_path: Path) -> None:
    """130 classes, two more than an association has contexts: all arrive."""
    classes = [f"1.2.826.0.1.3680043.9.3811.{number}" for number in range(130)]
    paths = [
        stored(tmp_path / f"{number}.dcm", Thing(object_uid=f"1.2.3.5.{number}", sop_class=sop_class))
        for number, sop_class in enumerate(classes)
    ]
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    try:
        with serve([SECONDARY_CAPTURE], (evt.EVT_C_STORE, lambda _: 0)) as port:
            answers = await sent(peer(port), paths)
    finally:
        _config.UNRESTRICTED_STORAGE_SERVICE = False
    assert {answer.path for answer in answers} == set(paths)
    assert {answer.fate for answer in answers} == {Fate.STORED}


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (0x0000, Fate.STORED),
        (0xB000, Fate.STORED),
        (0xB007, Fate.STORED),
        (0x0107, Fate.STORED),
        (0xA700, Fate.POSTPONED),
        (0xA7FF, Fate.POSTPONED),
        (0x0110, Fate.POSTPONED),
        (0x0213, Fate.POSTPONED),
        (0xA900, Fate.REFUSED),
        (0xC000, Fate.REFUSED),
        (0xCFFF, Fate.REFUSED),
        (0x0122, Fate.REFUSED),
        (0x0124, Fate.REFUSED),
    ],
)
def test_statuses_mean_what_the_standard_says(status: int, fate: Fate) -> None:
    """PS3.4 table B.2-1 and PS3.7 annex C; whatever is not plain Success has a reason."""
    judged, reason = judge(status)
    assert judged is fate
    assert bool(reason) == (status != 0)


def test_nobody_there_is_said(peer: Any, tmp_path: Path) -> None:
    """A port where nothing listens: the error says what to look at; no descriptor is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(PeerFailed, match=r"nothing answers there .*is it switched on"):
            list(send(peer(taken.getsockname()[1]), things(tmp_path, 1), calling_ae="RADIONAV"))
