import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from devices.dicom.completion import RECENT, StudyLedger
from devices.dicom.storage.store import StoredStudy


def _ledger(*, quiet_s: float, folder: Mapping[str, StoredStudy] = MappingProxyType({})) -> StudyLedger:
    return StudyLedger(Path("/received"), quiet_s=quiet_s, look_up=folder.get)


def _files(*names: str, study: str = "1.2") -> tuple[str, ...]:
    return tuple(f"/received/{study}/1.9.{name}.dcm" for name in names)


def _stored(
    ledger: StudyLedger, name: str, *, sender: int = 1, study: str = "1.2", now_s: float, is_again: bool = False
) -> None:
    ledger.stored(study, f"1.9.{name}", sender=sender, calling_ae="CT", now_s=now_s, is_again=is_again)


def test_a_study_is_complete_when_released_and_quiet() -> None:
    """Not while its association is open, not before the quiet time, then once."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    _stored(ledger, "b", now_s=1.0)
    assert not ledger.due(100.0)
    ledger.ended(1, was_released=True, now_s=100.0)
    assert ledger.next_due_s == 102.0
    assert not ledger.due(101.9)
    (complete,) = ledger.due(102.0)
    assert (complete.study_uid, complete.objects) == ("1.2", _files("a", "b"))
    assert ledger.next_due_s is None
    assert not ledger.due(200.0)


def test_the_next_study_on_the_same_association_completes_the_one_before() -> None:
    """A console that keeps its association open and goes on to another patient does not hold the first."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", study="1.2", now_s=0.0)
    _stored(ledger, "b", study="1.3", now_s=1.0)
    (complete,) = ledger.due(5.0)
    assert complete.study_uid == "1.2"


def test_two_associations_of_one_study_are_both_waited_for() -> None:
    """A study sent in two associations at once is complete when the second has ended."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", sender=1, now_s=0.0)
    _stored(ledger, "b", sender=2, now_s=0.0)
    ledger.ended(1, was_released=True, now_s=1.0)
    assert not ledger.due(50.0)
    ledger.ended(2, was_released=True, now_s=50.0)
    assert [study.objects for study in ledger.due(52.0)] == [_files("a", "b")]


def test_conflicts_are_counted_by_their_uid() -> None:
    """Three objects under one UID are one conflict, told with the study; those found at the start count too."""
    objects, aside = (Path("1.9.c.dcm"),), {"1.9": (Path("d"),)}
    found = StoredStudy(study_uid="1.2", calling_ae="CT", objects=objects, aside=aside)
    ledger = _ledger(quiet_s=2.0, folder={"1.2": found})
    assert ledger.found(found).conflicts == 1
    for is_conflict in (False, True, True):
        ledger.stored("1.2", "1.9.a", sender=1, calling_ae="CT", now_s=0.0, is_conflict=is_conflict)
    ledger.ended(1, was_released=True, now_s=0.0)
    (complete,) = ledger.due(2.0)
    assert (complete.conflicts, complete.objects) == (2, _files("c", "a"))


def test_a_uid_of_another_study_counts_as_a_conflict() -> None:
    """It is told with the study that it came in."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.conflicting("1.2", "1.9.a")
    ledger.conflicting("1.3", "1.9.a")
    ledger.ended(1, was_released=True, now_s=0.0)
    assert [study.conflicts for study in ledger.due(2.0)] == [1]


def test_a_late_object_opens_the_study_again() -> None:
    """The second announcement holds every object and says how many are new."""
    ledger = _ledger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=True, now_s=0.0)
    assert len(ledger.due(1.0)) == 1
    _stored(ledger, "b", sender=2, now_s=60.0)
    ledger.ended(2, was_released=True, now_s=60.0)
    (late,) = ledger.due(61.0)
    assert late.objects == _files("a", "b")
    assert late.reason == "objects came after it was complete: 1"


def test_the_same_objects_again_announce_nothing() -> None:
    """A study sent twice is not shown twice."""
    ledger = _ledger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=True, now_s=0.0)
    assert len(ledger.due(1.0)) == 1
    _stored(ledger, "a", sender=2, now_s=2.0, is_again=True)
    ledger.ended(2, was_released=True, now_s=2.0)
    assert not ledger.due(10.0)
    ledger.found(StoredStudy(study_uid="1.3", calling_ae="CT", objects=(Path("1.9.a.dcm"),), aside={}))
    _stored(ledger, "a", study="1.3", sender=3, now_s=11.0, is_again=True)
    ledger.ended(3, was_released=True, now_s=11.0)
    assert not ledger.due(20.0)


def test_an_object_of_which_nobody_told_counts_when_it_comes_again() -> None:
    """A worker was lost between storing and telling: the study is announced when its sender sends it again."""
    ledger = _ledger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0, is_again=True)
    _stored(ledger, "b", now_s=0.0, is_again=True)
    ledger.ended(1, was_released=True, now_s=0.0)
    assert [study.objects for study in ledger.due(1.0)] == [_files("a", "b")]


def test_a_lost_association_is_said() -> None:
    """A study whose association broke is announced, with the warning that objects may be missing."""
    ledger = _ledger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=False, now_s=0.5)
    (complete,) = ledger.due(1.5)
    assert "objects may be missing" in complete.reason


def test_a_found_study_is_announced_at_once_and_may_grow() -> None:
    """What was in the folder at start is announced, and counts when more of it comes."""
    stored = StoredStudy(study_uid="1.2", calling_ae="CT", objects=(Path("1.9.a.dcm"),), aside={})
    ledger = _ledger(quiet_s=1.0, folder={"1.2": stored})
    found = ledger.found(stored)
    assert (found.objects, found.reason) == (_files("a"), "found at start")
    assert not ledger.due(100.0)
    _stored(ledger, "b", now_s=100.0)
    ledger.ended(1, was_released=True, now_s=100.0)
    assert [study.objects for study in ledger.due(101.0)] == [_files("a", "b")]


def test_a_study_is_complete_at_once_when_all_that_its_sender_lists_has_come() -> None:
    """Neither the end of the association nor the quiet time is waited for, and the reason says so."""
    ledger = _ledger(quiet_s=60.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.listed(frozenset({"1.9.a", "1.9.b"}))
    assert ledger.next_due_s is None
    _stored(ledger, "b", now_s=1.0)
    assert ledger.next_due_s == 1.0
    (complete,) = ledger.due(1.0)
    assert complete.reason == "all 2 objects that its sender lists have come"
    _stored(ledger, "c", now_s=2.0)
    assert not ledger.due(2.0)


def test_what_a_sender_lists_may_be_of_two_studies() -> None:
    """Each is complete once all of the list has come, whichever study it is of."""
    ledger = _ledger(quiet_s=60.0)
    _stored(ledger, "a", study="1.2", now_s=0.0)
    _stored(ledger, "b", study="1.3", now_s=0.0)
    ledger.listed(frozenset({"1.9.a", "1.9.b", "1.9.c"}))
    assert not ledger.due(1.0)
    _stored(ledger, "c", study="1.3", now_s=2.0)
    assert {study.study_uid for study in ledger.due(2.0)} == {"1.2", "1.3"}


def test_listed_objects_that_have_not_come_are_told() -> None:
    """When the association has ended and all is quiet the study is announced, with how many are missing."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.listed(frozenset({"1.9.a", "1.9.b", "1.9.c"}))
    ledger.ended(1, was_released=True, now_s=1.0)
    (complete,) = ledger.due(3.0)
    assert complete.reason.endswith("of 3 objects that its sender lists, 2 have not come")


def test_a_list_of_what_was_never_sent_changes_nothing() -> None:
    """It concerns no study."""
    ledger = _ledger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.listed(frozenset({"1.9.z"}))
    ledger.ended(1, was_released=True, now_s=1.0)
    (complete,) = ledger.due(3.0)
    assert complete.reason == "association ended and nothing more came"


def test_memory_holds_what_comes_and_not_what_has_come() -> None:
    """Ten thousand objects in a hundred studies leave no more than those of the last few studies."""
    files = [tuple(Path(f"{number}.{count}.dcm") for count in range(100)) for number in range(100)]
    tracemalloc.start()
    try:
        ledger = _ledger(quiet_s=1.0)
        for number in range(100):
            for count in range(100):
                _stored(ledger, f"{number}.{count}", study=f"1.2.{number}", sender=number, now_s=float(number))
            ledger.ended(number, was_released=True, now_s=float(number))
            assert len(ledger.due(number + 1.0)) == 1
        for number, objects in enumerate(files):
            ledger.found(StoredStudy(study_uid=f"1.3.{number}", calling_ae="CT", objects=objects, aside={}))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 500_000


def test_a_study_of_long_ago_is_opened_again_with_what_the_folder_holds() -> None:
    """However many have come since, the announcement has every object, says how many are new, and comes once."""
    folder: dict[str, StoredStudy] = {}
    ledger = _ledger(quiet_s=1.0, folder=folder)
    for number in range(RECENT + 1):
        _stored(ledger, "a", study=f"1.2.{number}", now_s=float(number))
        ledger.ended(1, was_released=True, now_s=float(number))
        assert len(ledger.due(number + 1.0)) == 1
    objects = tuple(Path(f"1.9.{name}.dcm") for name in "abc")
    folder["1.2.0"] = StoredStudy(study_uid="1.2.0", calling_ae="CT", objects=objects, aside={})
    for name in "bc":  # two associations at once: c is there before it is told of
        _stored(ledger, f"{name}", study="1.2.0", sender=ord(name), now_s=60.0)
    ledger.ended(ord("b"), was_released=True, now_s=60.0)
    assert not ledger.due(100.0)
    ledger.ended(ord("c"), was_released=True, now_s=100.0)
    (late,) = ledger.due(101.0)
    assert (len(late.objects), late.reason) == (3, "objects came after it was complete: 2")
