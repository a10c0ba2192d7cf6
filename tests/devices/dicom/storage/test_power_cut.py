"""What a power cut leaves of what was acknowledged: what was synchronised, names apart from bytes (fsync(2))."""

from pathlib import Path
from typing import Any

import pytest

from devices.dicom.services.commands import Command, Field, Status
from devices.dicom.services.storage import Storing
from devices.dicom.services.transfers import OpenTransfer
from devices.dicom.storage.durability import write_durably
from devices.dicom.storage.part10 import data_set_offset, is_sound
from devices.dicom.storage.placement import Kept, OnConflict
from devices.dicom.storage.store import ObjectStore
from tests.devices.dicom.durable import Disk


def bring(store: ObjectStore, folder: Path, thing: Any, on_conflict: OnConflict, check: Any) -> Kept:
    """Store an object as an association does, and give what became of it; ``check`` is called with the answer."""
    kept: list[Kept] = []
    storing = Storing(
        store,
        OpenTransfer(folder, calling_ae="GAMMA", address="10.0.0.7"),
        limit_mb=1,
        on_conflict=on_conflict,
        arrived=lambda stored, _: kept.append(stored.kept),
        respond=check,
        refuse=pytest.fail,
    )
    elements = {0x0002: thing.sop_class.encode(), 0x1000: thing.object_uid.encode()}
    command = Command(field=Field.C_STORE, message_id=1, has_data_set=True, elements=elements)
    storing.begin(command, transfer_syntax=thing.meta.transfer_syntax, calling_ae="GAMMA")
    storing.take(memoryview(thing.data_set))
    work = storing.finish()
    assert work is not None
    work()()
    return kept[0]


@pytest.mark.parametrize("rule", [OnConflict.KEEP_FIRST, OnConflict.REPLACE])
def test_what_is_answered_by_success_is_on_the_disk(
    tmp_path: Path, thing: Any, disk: Disk, rule: OnConflict
) -> None:
    """At the moment of each answer its object is whole under a durable name, and no name is of a torn file."""
    answered: list[bytes] = []

    def check(status: Status) -> None:
        assert status is Status.SUCCESS
        left = disk.left(tmp_path)
        for name, content in left.items():
            (tmp_path / "torn").write_bytes(content)
            assert is_sound(tmp_path / "torn"), name
        bytes_of = {content[data_set_offset(tmp_path / name) :] for name, content in left.items()}
        assert set(answered) <= bytes_of

    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        became = []
        for one in (
            thing(object_uid="1.2.3.1"),
            thing(object_uid="1.2.3.2"),
            thing(object_uid="1.2.3.2"),
            thing(object_uid="1.2.3.2", note="other "),
            thing(object_uid="1.3.1", study_uid="1.3"),
        ):
            answered.append(one.data_set)
            became.append(bring(store, tmp_path, one, rule, check))
    other = Kept.CONFLICT if rule is OnConflict.KEEP_FIRST else Kept.REPLACED
    assert became == [Kept.NEW, Kept.NEW, Kept.AGAIN, other, Kept.NEW]


def test_a_small_file_is_durable_when_it_is_written(tmp_path: Path, disk: Disk) -> None:
    """What commitment has promised stands in such files: the first and what is written in its place."""
    path = tmp_path / "promised"
    for content in (b"first", b"second, and longer"):
        write_durably(path, content)
        assert disk.read(path) == content == path.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["promised"]
