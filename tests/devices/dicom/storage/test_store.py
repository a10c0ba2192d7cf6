import fcntl
import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom import dcmread

from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.part10 import data_set_offset
from devices.dicom.storage.placement import Kept, OnConflict, StoredObject
from devices.dicom.storage.spool import Spool
from devices.dicom.storage.store import INCOMING, FolderDiffers, FolderInUse, ObjectStore, StorageFull


def put(store: ObjectStore, thing: Any, on_conflict: OnConflict = OnConflict.KEEP_FIRST) -> StoredObject:
    spool = store.begin(thing.meta)
    spool.write(thing.data_set)
    return spool.keep(on_conflict)


def pour(spool: Spool, *, megabytes: int) -> None:
    for _ in range(megabytes):
        spool.write(bytes(1_000_000))


def file(folder: Path, stored: StoredObject) -> Path:
    return folder / stored.study_uid / stored.name


def contents(paths: Iterable[Path]) -> set[bytes]:
    """The notes of objects: their last bytes."""
    return {path.read_bytes()[-6:] for path in paths}


def test_a_stored_object_is_a_dicom_file_with_the_bytes_that_came(tmp_path: Path, thing: Any) -> None:
    """The file opens as DICOM, names its sender, and its data set is the one received, byte for byte."""
    one = thing()
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        stored = put(store, one)
    path = tmp_path / "1.2.3" / "1.2.3.4.5.dcm"
    assert (stored.kept, file(tmp_path, stored)) == (Kept.NEW, path)
    read = dcmread(path)
    assert read.file_meta.SourceApplicationEntityTitle == "CONSOLE"
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID == one.object_uid
    assert path.read_bytes()[data_set_offset(path) :] == one.data_set
    assert not list((tmp_path / INCOMING).iterdir())


def test_the_same_bytes_again_are_kept_once(tmp_path: Path, thing: Any) -> None:
    """An object sent twice is stored once, at the same place."""
    one = thing()
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        first = put(store, one)
        again = put(store, one)
    path = file(tmp_path, first)
    assert (again.kept, file(tmp_path, again)) == (Kept.AGAIN, path)
    assert list(path.parent.iterdir()) == [path]


def test_a_study_whose_folder_was_removed_is_taken_again(tmp_path: Path, thing: Any) -> None:
    """Somebody who makes room by hand while the node runs does not keep the study out from then on."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        shutil.rmtree(file(tmp_path, put(store, thing())).parent)
        again = put(store, thing())
    assert again.kept is Kept.NEW
    assert file(tmp_path, again).read_bytes().endswith(thing().data_set)


def test_other_bytes_under_the_same_uid_are_kept_beside_the_first(tmp_path: Path, thing: Any) -> None:
    """Neither object replaces the other, and the second sent again is still one copy."""
    one, other = thing(), thing(note="other ")
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        first = put(store, one)
        second = put(store, other)
        third = put(store, other)
    assert (second.kept, third.kept, third.name) == (Kept.CONFLICT, Kept.AGAIN, second.name)
    assert file(tmp_path, first).read_bytes().endswith(one.data_set)
    assert file(tmp_path, second).read_bytes().endswith(other.data_set)


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2/3", "", "1" * 65, "1.2;rm -rf", "..", "1.2.3\n"])
def test_no_path_is_made_of_what_is_no_uid(tmp_path: Path, thing: Any, uid: str) -> None:
    """A study UID that could name another folder is refused before anything is written."""
    one = thing(study_uid=uid)
    with ObjectStore.open(tmp_path / "store", free_floor_mb=0) as store, pytest.raises(UnreadableObject):
        put(store, one)
    assert {path.name for path in tmp_path.rglob("*")} == {"store", ".incoming", ".lock"}


def test_conflicts_are_found_with_their_study(tmp_path: Path, thing: Any) -> None:
    """A UID of two files is told once; one that merely ends like the label of a file is no conflict."""
    like_a_label = thing(object_uid="1.2.3.4.5.1234567890123456")
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        for one in (thing(), like_a_label, thing(object_uid="1.2.3.4.7")):
            put(store, one)
        (found,) = store.studies()
        assert found.aside == {}
        assert len(found.objects) == 3
        for note in ("second", "third "):
            put(store, thing(note=note))
        (found,) = store.studies()
    assert {uid: contents(paths) for uid, paths in found.aside.items()} == {"1.2.3.4.5": {b"second", b"third "}}
    assert len(found.objects) == 3


def test_the_last_that_replaces_is_in_use(tmp_path: Path, thing: Any) -> None:
    """Whatever came before under its UID stands aside, once each; it may itself have been in use before."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        put(store, thing(note="a     "))
        for former, note, aside in (
            (b"a     ", "b     ", {b"a     "}),
            (b"b     ", "c     ", {b"a     ", b"b     "}),
            (b"c     ", "a     ", {b"b     ", b"c     "}),
            (b"a     ", "b     ", {b"a     ", b"c     "}),
        ):
            stored = put(store, thing(note=note), OnConflict.REPLACE)
            assert stored.replaced is not None
            assert contents([tmp_path / stored.study_uid / stored.replaced]) == {former}
            assert (stored.kept, stored.name) == (Kept.REPLACED, "1.2.3.4.5.dcm")
            (found,) = store.studies()
            assert contents(found.objects) == {note.encode()}
            assert contents(found.aside["1.2.3.4.5"]) == aside
            assert len(found.aside["1.2.3.4.5"]) == len(aside)
        assert put(store, thing(note="b     "), OnConflict.REPLACE).kept is Kept.AGAIN
        (found,) = store.studies()
        assert contents(found.objects) == {b"b     "}


def test_a_kill_between_setting_aside_and_replacing_is_no_conflict(
    tmp_path: Path, thing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has its second name already, and its first still, is one object and in use."""

    def killed(_self: Path, _target: Path) -> Path:
        raise OSError(5, "Input/output error")

    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        put(store, thing())
        monkeypatch.setattr(Path, "rename", killed)
        with pytest.raises(OSError, match="Input/output"):
            put(store, thing(note="other "), OnConflict.REPLACE)
        monkeypatch.undo()
        assert len(list(tmp_path.glob("1.2.3/*.dcm"))) == 2
        (found,) = store.studies()
        assert (contents(found.objects), found.aside) == ({b"first "}, {})
        put(store, thing(note="other "), OnConflict.REPLACE)
        (found,) = store.studies()
        assert (contents(found.objects), contents(found.aside["1.2.3.4.5"])) == ({b"other "}, {b"first "})


def test_a_file_from_elsewhere_and_a_damaged_one_are_set_aside_too(tmp_path: Path, thing: Any) -> None:
    """What has no seal, or cannot be read, is in nobody's way and is not lost."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        place = file(tmp_path, put(store, thing()))
        for content in (thing(note="sealed").meta.to_bytes() + thing(note="bare  ").data_set, b"garbage"):
            place.unlink()
            place.write_bytes(content)
            assert put(store, thing(note="other "), OnConflict.REPLACE).kept is Kept.REPLACED
    assert contents((tmp_path / "1.2.3").iterdir()) == {b"other ", b"bare  ", b"arbage"}


def test_two_objects_with_one_label_are_not_taken_for_one(tmp_path: Path, thing: Any) -> None:
    """Where a file has the name that another wants, the newcomer is refused and nothing is written over."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        put(store, thing())
        beside = file(tmp_path, put(store, thing(note="other ")))
        beside.unlink()
        thing(note="third ").write(beside)
        for rule in (OnConflict.KEEP_FIRST, OnConflict.REPLACE):
            if rule is OnConflict.REPLACE:
                assert put(store, thing(note="other "), rule).kept is Kept.REPLACED
            with pytest.raises(FileExistsError):
                put(store, thing(note="other ") if rule is OnConflict.KEEP_FIRST else thing(note="fourth"), rule)
    assert contents((tmp_path / "1.2.3").iterdir()) == {b"first ", b"other ", b"third "}


def test_a_study_is_removed_whole(tmp_path: Path, thing: Any) -> None:
    """Nothing of it stays, also where an earlier removal was cut short; others stay."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        put(store, thing())
        put(store, thing(study_uid="1.2.9"))
        store.check_holds("1.2.3", {"1.2.3.4.5.dcm"})
        with pytest.raises(FolderDiffers, match=r"1\.2\.3\.4\.5\.dcm"):
            store.check_holds("1.2.3", set())
        store.remove("1.2.3")
    assert not (tmp_path / "1.2.3").exists()
    assert (tmp_path / "1.2.9" / "1.2.3.4.5.dcm").exists()
    assert not list((tmp_path / INCOMING).iterdir())


def test_below_the_floor_nothing_is_written(tmp_path: Path, thing: Any) -> None:
    """With less free space than the floor an object is refused with the floor named."""
    one = thing()
    with ObjectStore.open(tmp_path, free_floor_mb=10**9) as store:
        with pytest.raises(StorageFull, match="floor of 1000000000 MB"):
            put(store, one)
        assert not (tmp_path / one.study_uid).exists()


def test_the_floor_holds_within_an_object(tmp_path: Path, thing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that comes in while the disk fills is refused before it has taken what is kept free."""
    block = os.statvfs(tmp_path).f_frsize
    with ObjectStore.open(tmp_path, free_floor_mb=100) as store:
        spool = store.begin(thing().meta)
        monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=99_000_000 // block, f_frsize=block))
        with pytest.raises(StorageFull, match="floor of 100 MB"):
            pour(spool, megabytes=100)
        assert spool.size < 70_000_000
        spool.discard()
    assert not list((tmp_path / INCOMING).iterdir())


def test_who_deals_with_a_duplicate_does_so_alone(tmp_path: Path, thing: Any) -> None:
    """While a study's folder is locked, by whichever process, an object that is there already waits its turn."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        study = file(tmp_path, put(store, thing())).parent
        kept: list[Kept] = []
        coming = threading.Thread(
            target=lambda: kept.append(put(store, thing(note="other "), OnConflict.REPLACE).kept), daemon=True
        )
        folder = os.open(study, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        coming.start()
        coming.join(0.3)  # only code that does not wait has come to its end by then
        assert kept == []
        assert contents(study.iterdir()) == {b"first "}
        os.close(folder)
        coming.join(20)
    assert kept == [Kept.REPLACED]


def test_a_failing_disk_leaves_nothing(tmp_path: Path, thing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk cannot make the bytes durable, the error comes out and no half file stays."""
    one = thing()

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            put(store, one)
        monkeypatch.undo()
    assert not list((tmp_path / INCOMING).iterdir())
    assert not list(tmp_path.glob("*/*.dcm"))


def test_what_an_earlier_end_left_incomplete_is_removed(tmp_path: Path) -> None:
    """A half-written file of a killed node is gone after the next start."""
    (tmp_path / INCOMING).mkdir()
    (tmp_path / INCOMING / "tmphalf").write_bytes(b"half")
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        assert not list((tmp_path / INCOMING).iterdir())
        assert not list(store.studies())


@pytest.mark.parametrize("there", ["", "above", "above/store"])
def test_the_store_has_a_durable_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    """Every folder that names one on the way to the store is synchronised, also where an earlier start made it."""
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    synchronised, fsync = set[Path](), os.fsync

    def note(descriptor: int) -> None:
        synchronised.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with ObjectStore.open(tmp_path / "above" / "store", free_floor_mb=0):
        pass
    made = [tmp_path / "above" / "store", tmp_path / "above", *([] if there else [tmp_path])]
    assert synchronised == set(made)


def test_a_folder_serves_one_node(tmp_path: Path) -> None:
    """A second store in the same folder is refused, and may begin when the first has ended."""
    with (
        ObjectStore.open(tmp_path, free_floor_mb=0),
        pytest.raises(FolderInUse, match="in use by another"),
        ObjectStore.open(tmp_path, free_floor_mb=0),
    ):
        pass
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        assert not list(store.studies())


def test_studies_are_found_with_their_sender(tmp_path: Path, thing: Any) -> None:
    """What is in the folder is listed by study, with every object and who sent it."""
    with ObjectStore.open(tmp_path, free_floor_mb=0) as store:
        for object_uid in ("1.2.3.4.6", "1.2.3.4.5"):
            one = thing(object_uid=object_uid)
            put(store, one)
        (found,) = store.studies()
    assert (found.study_uid, found.calling_ae) == ("1.2.3", "CONSOLE")
    assert [path.name for path in found.objects] == ["1.2.3.4.5.dcm", "1.2.3.4.6.dcm"]
