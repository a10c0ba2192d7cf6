"""Which studies a rule names, and that none goes without its audit, or in part."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.reconciliation import reconcile_all
from devices.dicom.index.retention import Candidate, awaiting_commitment, delete, find_candidates
from devices.dicom.index.tables import audit as audit_rows
from devices.dicom.services.commitment import Reference, Transaction
from devices.dicom.services.docket import FOLDER as COMMITMENTS
from devices.dicom.settings import RetentionRule
from devices.dicom.storage.durability import synchronise_folder
from devices.dicom.storage.store import INCOMING, FolderDiffers, ObjectStore
from tests.devices.dicom.durable import Disk
from tests.devices.dicom.index.rows import rows

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Shelf:
    """A folder with some studies of different age, size and sender, and its index."""

    def __init__(self, store: ObjectStore, folder: Path, catalogue: Catalogue) -> None:
        self.store = store
        self.folder = folder
        self.catalogue = catalogue
        self.audit = AuditTrail(folder, ae_title="RADIONAV", wall_time=lambda: NOW)

    def put(self, one: Any, *, days_ago: float) -> None:
        """Store an object as if it had come some days ago."""
        spool = self.store.begin(one.meta)
        spool.write(one.data_set)
        stored = spool.keep()
        came_s = (NOW - timedelta(days=days_ago)).timestamp()
        os.utime(self.folder / stored.study_uid / stored.name, (came_s, came_s))

    def index(self) -> None:
        """Bring the index in line with the folder."""
        for _ in reconcile_all(self.catalogue, self.folder, on_gone=lambda *_: None, at=NOW):
            pass

    def named(self, *rules: RetentionRule, patient_id: str | None = None) -> list[Candidate]:
        """Studies that the rules name."""
        kept = awaiting_commitment(self.folder, self.store)
        return find_candidates(self.catalogue, rules, kept=kept, patient_id=patient_id, now=NOW)

    def delete(self, study: Candidate) -> None:
        """Delete one."""
        delete(study, store=self.store, catalogue=self.catalogue, audit=self.audit, deleted_by="ada@or3")


@pytest.fixture
def shelf(tmp_path: Path, thing: Any, database: str | None) -> Iterator[Shelf]:
    """Three studies: 40 days, 10 days, and begun 40 days ago with an object of yesterday."""
    with (
        ObjectStore.open(tmp_path, free_floor_mb=0) as store,
        closing(Catalogue.to_write(tmp_path, database)) as catalogue,
    ):
        shelf = Shelf(store, tmp_path, catalogue)
        shelf.put(thing(study_uid="1.2.40", object_uid="1.2.40.1"), days_ago=40)
        shelf.put(thing(study_uid="1.2.10", object_uid="1.2.10.1", note="n" * 60_000), days_ago=10)
        shelf.put(thing(study_uid="1.2.1", object_uid="1.2.1.1"), days_ago=40)
        shelf.put(thing(study_uid="1.2.1", object_uid="1.2.1.2"), days_ago=1)
        shelf.index()
        yield shelf


def test_a_rule_names_what_all_it_says_is_so_of(shelf: Shelf) -> None:
    """Age counts from the last object that came; size is of all files; conditions of one rule go together."""

    def uids(*rules: RetentionRule) -> list[str]:
        return [study.study_uid for study in shelf.named(*rules)]

    assert uids(RetentionRule(older_than_days=30)) == ["1.2.40"]
    assert uids(RetentionRule(older_than_days=5)) == ["1.2.40", "1.2.10"]
    assert uids(RetentionRule(larger_than_mb=0.05)) == ["1.2.10"]
    assert uids(RetentionRule(older_than_days=30, larger_than_mb=0.05)) == []
    assert uids(RetentionRule(older_than_days=30), RetentionRule(larger_than_mb=0.05)) == ["1.2.40", "1.2.10"]
    assert uids(RetentionRule(sender="CONSOLE")) == ["1.2.40", "1.2.10", "1.2.1"]
    assert uids(RetentionRule(sender="OTHER")) == []
    assert uids() == []
    (study,) = shelf.named(RetentionRule(older_than_days=30, sender="CONSOLE"))
    assert (study.rule, study.objects, study.senders) == ("older than 30 days, from CONSOLE", 1, ("CONSOLE",))
    assert study.size_bytes == (shelf.folder / "1.2.40/1.2.40.1.dcm").stat().st_size


def test_a_study_of_two_senders_is_named_by_neither(shelf: Shelf, thing: Any) -> None:
    """What another console has added to is not the first one's alone."""
    path = thing(study_uid="1.2.40", object_uid="1.2.40.2").write(shelf.folder / "1.2.40" / "1.2.40.2.dcm")
    path.write_bytes(path.read_bytes().replace(b"CONSOLE ", b"OTHER   "))
    shelf.index()
    named = shelf.named(RetentionRule(sender="CONSOLE"), RetentionRule(sender="OTHER"))
    assert "1.2.40" not in {study.study_uid for study in named}


def test_studies_in_use_are_kept(shelf: Shelf) -> None:
    """The patient on the table keeps hers; so does a sender that waits for its report of commitment."""
    rule = RetentionRule(older_than_days=5)
    assert {study.kept_for for study in shelf.named(rule)} == {""}
    assert {study.kept_for for study in shelf.named(rule, patient_id="SIM-0001")} == {
        "its patient is on the table (procedure.patient_id)"
    }
    transaction = Transaction(
        transaction_uid="1.5",
        calling_ae="CONSOLE",
        references=(Reference(sop_class_uid="1.2", object_uid="1.2.10.1"),),
    )
    (shelf.folder / COMMITMENTS).mkdir()
    (shelf.folder / COMMITMENTS / "1.json").write_bytes(msgspec.json.encode(transaction))
    kept = {study.study_uid: study.kept_for for study in shelf.named(rule)}
    assert kept == {"1.2.40": "", "1.2.10": "its sender waits for a report of commitment"}


def test_a_deletion_is_audited_whole_and_final(shelf: Shelf, database: str | None) -> None:
    """Files, folder and rows are gone, and a message of PS3.15 A.5 stands in the trail and in the index."""
    (study,) = shelf.named(RetentionRule(older_than_days=30))
    shelf.delete(study)
    assert not (shelf.folder / "1.2.40").exists()
    assert not list((shelf.folder / INCOMING).iterdir())
    assert {row["study_uid"] for row in rows(shelf.folder, database)} == {"1.2.10", "1.2.1"}
    (row,) = rows(shelf.folder, database, table=audit_rows)
    (removal,) = shelf.audit.removals()
    assert (row["message"], row["event"], row["study_uid"], row["at"]) == (
        removal.message,
        "110105",
        "1.2.40",
        NOW,
    )
    assert '"UserID":"ada@or3","UserIsRequestor":true' in removal.message
    assert '"EventActionCode":"D"' in removal.message
    assert '"EventOutcomeIndicator":0,"EventOutcomeDescription":"older than 30 days"' in removal.message
    assert "SIM-0001" not in removal.message


def test_a_folder_with_more_than_the_index_stays(shelf: Shelf) -> None:
    """A file without a row, as one that cannot be read, keeps its study, and nothing is said to be deleted."""
    (shelf.folder / "1.2.40" / "notes.txt").write_text("keep me")
    (study,) = shelf.named(RetentionRule(older_than_days=30))
    with pytest.raises(FolderDiffers, match=r"notes\.txt"):
        shelf.delete(study)
    assert (shelf.folder / "1.2.40" / "1.2.40.1.dcm").exists()
    assert not list(shelf.audit.removals())


def test_files_that_are_gone_neither_count_nor_keep_their_study(
    shelf: Shelf, thing: Any, database: str | None
) -> None:
    """What was lost long ago is of no sender, age or size any more; its row goes with its study."""
    other = thing(study_uid="1.2.40", object_uid="1.2.40.2", note="n" * 60_000)
    shelf.put(other, days_ago=1)
    (lost := shelf.folder / "1.2.40" / "1.2.40.2.dcm").write_bytes(
        lost.read_bytes().replace(b"CONSOLE ", b"OTHER   ")
    )
    shelf.index()
    assert not shelf.named(RetentionRule(older_than_days=30))
    lost.unlink()
    shelf.index()
    (study,) = shelf.named(RetentionRule(older_than_days=30, sender="CONSOLE"))
    assert (study.study_uid, study.objects, study.senders) == ("1.2.40", 1, ("CONSOLE",))
    assert study.size_bytes == (shelf.folder / "1.2.40/1.2.40.1.dcm").stat().st_size
    shelf.delete(study)
    assert not (shelf.folder / "1.2.40").exists()
    assert not shelf.catalogue.files("1.2.40")


def test_what_the_disk_will_not_let_go_of_is_audited(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, database: str | None
) -> None:
    """The order was noted before; that it failed, and why, is noted after it, in the trail and in the index."""
    (study,) = shelf.named(RetentionRule(older_than_days=30))

    def refuse(*_: object) -> None:
        raise OSError("read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(OSError, match="read-only"):
            shelf.delete(study)
    asked, failed = shelf.audit.removals()
    assert '"EventOutcomeIndicator":0' in asked.message
    assert '"EventOutcomeIndicator":8' in failed.message
    assert '"EventOutcomeDescription":"older than 30 days: read-only file system"' in failed.message
    noted = [row["message"] for row in rows(shelf.folder, database, table=audit_rows)]
    assert noted == [asked.message, failed.message]


def test_a_power_cut_leaves_a_whole_study_or_its_audit(
    shelf: Shelf, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the first of its files goes, neither its name nor the want of its audit can come back."""
    (study,) = shelf.named(RetentionRule(older_than_days=30))
    trail = shelf.folder / ".audit" / f"{NOW:%Y-%m-%d}.jsonl"
    held: list[bool] = []

    def going(path: Path) -> None:
        held.append("1.2.40" in {Path(name).parts[0] for name in disk.left(shelf.folder)})
        assert b'"1.2.40"' in disk.read(trail)
        rmtree(path)

    synchronise_folder(shelf.folder / "1.2.40")
    synchronise_folder(shelf.folder)
    assert "1.2.40/1.2.40.1.dcm" in disk.left(shelf.folder)
    monkeypatch.setattr("shutil.rmtree", going)
    shelf.delete(study)
    assert held == [False]


def test_nothing_goes_without_its_audit(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the trail cannot be written, the study stays with its rows."""
    (study,) = shelf.named(RetentionRule(older_than_days=30))
    (shelf.folder / ".audit" / f"{NOW:%Y-%m-%d}.jsonl").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        shelf.delete(study)
    assert (shelf.folder / "1.2.40" / "1.2.40.1.dcm").exists()
    assert len(shelf.named(RetentionRule(older_than_days=30))) == 1


def test_a_kill_in_between_leaves_a_whole_study_or_none(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before its files went, a study has its rows again; ended while they went, it does not come back."""
    (study,) = shelf.named(RetentionRule(older_than_days=30))

    class Killed(BaseException):
        """The end of the process."""

    def end(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", end)
        with pytest.raises(Killed):
            shelf.delete(study)
    shelf.index()
    (study,) = shelf.named(RetentionRule(older_than_days=30))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", end)
        with pytest.raises(Killed):
            shelf.delete(study)
    assert not (shelf.folder / "1.2.40").exists()
    shelf.index()
    assert not shelf.named(RetentionRule(older_than_days=30))


def test_what_was_half_removed_is_gone_after_the_next_start(tmp_path: Path) -> None:
    """A study that was on its way out when its node ended does not come back, and takes no room."""
    leaving = tmp_path / INCOMING / "1.2.40"
    leaving.mkdir(parents=True)
    (leaving / "1.2.40.1.dcm").write_bytes(b"half")
    with ObjectStore.open(tmp_path, free_floor_mb=0):
        assert not list((tmp_path / INCOMING).iterdir())


def test_an_empty_rule_is_none() -> None:
    """A rule that would name every study is refused, and says what may stand in it."""
    with pytest.raises(ValidationError, match="older_than_days, larger_than_mb or sender"):
        RetentionRule()
