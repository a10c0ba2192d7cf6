"""The index made anew and old studies deleted, as the engineer sees it."""

import os
import sqlite3
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from acquisition.upkeep import UpkeepRefused, delete_by_rule, list_by_rule, reindex
from devices.dicom.index.database import FOLDER, SQLITE_FILE
from devices.dicom.settings import NodeSettings, RetentionRule
from devices.dicom.storage.store import ObjectStore
from tests.devices.dicom.conftest import Thing

DAY_S = 86400


def node(folder: Path, *rules: RetentionRule) -> NodeSettings:
    """Settings of a node that keeps its objects there."""
    return NodeSettings(folder=folder, retention=rules)


def keep(folder: Path, *studies: str, days_ago: int = 100) -> None:
    """Store one object of each study."""
    with ObjectStore.open(folder, free_floor_mb=0) as store:
        for study_uid in studies:
            one = Thing(study_uid=study_uid, object_uid=f"{study_uid}.1")
            spool = store.begin(one.meta)
            spool.write(one.data_set)
            came_s = time.time() - days_ago * DAY_S
            os.utime(folder / study_uid / spool.keep().name, (came_s, came_s))


def terminal() -> tuple[Console, StringIO]:
    """A terminal that is no terminal, and what stands on it."""
    written = StringIO()
    return Console(file=written, width=80), written


def indexed(folder: Path) -> set[str]:
    """Paths in the SQLite file, read without our own code."""
    connection = sqlite3.connect(folder / FOLDER / SQLITE_FILE)
    try:
        return {path for (path,) in connection.execute("select path from objects where gone_at is null")}
    finally:
        connection.close()


def test_the_index_is_made_anew_from_the_files(tmp_path: Path) -> None:
    """Whatever the rows said of an object and its study, they say what the files do; the last line counts them."""
    keep(tmp_path, "1.2.1", "1.2.2")
    console, written = terminal()
    assert reindex(node(tmp_path), console)
    assert "indexed 2 objects of 2 studies" in written.getvalue()
    said = "select path, checksum, rows, patient_id from objects join studies using (study_uid)"
    with sqlite3.connect(tmp_path / FOLDER / SQLITE_FILE) as connection:
        true = set(connection.execute(said))
        connection.execute("update objects set checksum = 'lie', rows = 7 where study_uid = '1.2.1'")
        connection.execute("update objects set path = path || '.lie' where study_uid = '1.2.2'")
        connection.execute("update studies set patient_id = 'SOMEBODY ELSE'")
    connection.close()
    assert reindex(node(tmp_path), terminal()[0])
    with sqlite3.connect(tmp_path / FOLDER / SQLITE_FILE) as connection:
        assert set(connection.execute(said)) == true
    connection.close()
    assert {patient_id for *_, patient_id in true} == {"SIM-0001"}
    assert indexed(tmp_path) == {"1.2.1/1.2.1.1.dcm", "1.2.2/1.2.2.1.dcm"}


def test_what_cannot_be_read_is_named_and_left(tmp_path: Path) -> None:
    """A file that is no object keeps its place, is named with the reason, and the others are indexed."""
    keep(tmp_path, "1.2.1")
    odd = tmp_path / "1.2.1" / "1.2.1.9.dcm"
    odd.write_bytes(b"no object")
    console, written = terminal()
    assert not reindex(node(tmp_path), console)
    assert "left as it is: 1.2.1/1.2.1.9.dcm: " in written.getvalue()
    assert "1 files could not be read" in written.getvalue()
    assert odd.read_bytes() == b"no object"
    assert indexed(tmp_path) == {"1.2.1/1.2.1.1.dcm"}


def test_the_audit_survives_the_loss_of_the_index(tmp_path: Path) -> None:
    """What was deleted is known again from the trail's files."""
    keep(tmp_path, "1.2.1")
    assert delete_by_rule(node(tmp_path, RetentionRule(older_than_days=9)), patient_id=None, console=terminal()[0])
    (tmp_path / FOLDER / SQLITE_FILE).unlink()
    assert reindex(node(tmp_path), terminal()[0])
    connection = sqlite3.connect(tmp_path / FOLDER / SQLITE_FILE)
    assert connection.execute("select event, study_uid from audit").fetchall() == [("110105", "1.2.1")]
    connection.close()


def test_files_that_are_missing_are_audited_before_any_are_deleted(tmp_path: Path) -> None:
    """What somebody else has removed is no deletion by rule: the audit tells the two apart."""
    keep(tmp_path, "1.2.1", "1.2.2")
    reindex(node(tmp_path), terminal()[0])
    (tmp_path / "1.2.2" / "1.2.2.1.dcm").unlink()
    assert delete_by_rule(node(tmp_path, RetentionRule(older_than_days=9)), patient_id=None, console=terminal()[0])
    connection = sqlite3.connect(tmp_path / FOLDER / SQLITE_FILE)
    noted = connection.execute("select event, study_uid from audit order by number").fetchall()
    connection.close()
    assert noted == [("110103", "1.2.2"), ("110105", "1.2.1")]


def test_a_list_deletes_nothing(tmp_path: Path) -> None:
    """Each study that a rule names stands there with its age, size, sender and rule; kept ones say why."""
    keep(tmp_path, "1.2.1")
    keep(tmp_path, "1.2.2", days_ago=1)
    reindex(node(tmp_path), terminal()[0])
    chosen = node(tmp_path, RetentionRule(older_than_days=9, sender="CONSOLE"))
    console, written = terminal()
    assert list_by_rule(chosen, patient_id=None, console=console)
    assert "1.2.1  " in written.getvalue()
    assert "CONSOLE  [older than 9 days, from CONSOLE]  would go" in written.getvalue()
    assert "1 studies, 0.0 MB would be deleted; nothing was: give --delete" in written.getvalue()
    assert "1.2.2  " not in written.getvalue()
    console, written = terminal()
    assert list_by_rule(chosen, patient_id="SIM-0001", console=console)
    assert "kept: its patient is on the table (procedure.patient_id)" in written.getvalue()
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"1.2.1", "1.2.2"}


def test_a_command_deletes_what_the_list_said(tmp_path: Path) -> None:
    """What came since the index was written counts; what is kept stays, and so does what no rule names."""
    reindex(node(tmp_path), terminal()[0])
    keep(tmp_path, "1.2.1")
    keep(tmp_path, "1.2.2", days_ago=1)
    chosen = node(tmp_path, RetentionRule(older_than_days=9))
    assert delete_by_rule(chosen, patient_id="SIM-0001", console=terminal()[0])
    assert (tmp_path / "1.2.1").exists()
    console, written = terminal()
    assert delete_by_rule(chosen, patient_id="SOMEBODY ELSE", console=console)
    assert "[older than 9 days]  deleted" in written.getvalue()
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"1.2.2"}
    assert indexed(tmp_path) == {"1.2.2/1.2.2.1.dcm"}


def test_a_study_that_cannot_go_is_said_and_the_others_go(tmp_path: Path) -> None:
    """A folder that holds more than the index knows stays whole."""
    keep(tmp_path, "1.2.1", "1.2.3")
    (tmp_path / "1.2.1" / "notes.txt").write_text("mine")
    console, written = terminal()
    assert not delete_by_rule(node(tmp_path, RetentionRule(older_than_days=9)), patient_id=None, console=console)
    assert "kept: its folder and the index differ: notes.txt" in written.getvalue()
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"1.2.1"}


def test_while_a_node_has_the_folder_nothing_is_written(tmp_path: Path) -> None:
    """Both commands that write say to end it first; the list goes on."""
    keep(tmp_path, "1.2.1")
    chosen = node(tmp_path, RetentionRule(older_than_days=9))
    reindex(chosen, terminal()[0])
    with ObjectStore.open(tmp_path, free_floor_mb=0):
        with pytest.raises(UpkeepRefused, match="end radionav first"):
            reindex(chosen, terminal()[0])
        with pytest.raises(UpkeepRefused, match="end radionav first"):
            delete_by_rule(chosen, patient_id=None, console=terminal()[0])
        assert list_by_rule(chosen, patient_id=None, console=terminal()[0])
    assert (tmp_path / "1.2.1").exists()


def test_without_an_index_there_is_nothing_to_list(tmp_path: Path) -> None:
    """A folder that was never indexed is said to be so, not to be empty."""
    with pytest.raises(UpkeepRefused, match="there is no index yet"):
        list_by_rule(node(tmp_path), patient_id=None, console=terminal()[0])
