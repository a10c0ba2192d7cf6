from pathlib import Path

from devices.dicom.completion import StudyLedger
from devices.dicom.storage.store import StoredStudy


def _stored(ledger: StudyLedger, name: str, *, sender: int = 1, study: str = "1.2", now_s: float) -> None:
    ledger.stored(study, name, sender=sender, calling_ae="CT", object_uid=f"1.9.{name}", now_s=now_s)


def test_a_study_is_complete_when_released_and_quiet() -> None:
    """Not while its association is open, not before the quiet time, then once."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    _stored(ledger, "b", now_s=1.0)
    assert not ledger.due(100.0)
    ledger.ended(1, was_released=True, now_s=100.0)
    assert ledger.next_due_s == 102.0
    assert not ledger.due(101.9)
    (complete,) = ledger.due(102.0)
    assert (complete.study_uid, complete.objects) == ("1.2", ("a", "b"))
    assert ledger.next_due_s is None
    assert not ledger.due(200.0)


def test_the_next_study_on_the_same_association_completes_the_one_before() -> None:
    """A console that keeps its association open and goes on to another patient does not hold the first."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", study="1.2", now_s=0.0)
    _stored(ledger, "b", study="1.3", now_s=1.0)
    (complete,) = ledger.due(5.0)
    assert complete.study_uid == "1.2"


def test_two_associations_of_one_study_are_both_waited_for() -> None:
    """A study sent in two associations at once is complete when the second has ended."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", sender=1, now_s=0.0)
    _stored(ledger, "b", sender=2, now_s=0.0)
    ledger.ended(1, was_released=True, now_s=1.0)
    assert not ledger.due(50.0)
    ledger.ended(2, was_released=True, now_s=50.0)
    assert [study.objects for study in ledger.due(52.0)] == [("a", "b")]


def test_conflicts_are_counted_by_their_uid() -> None:
    """Three objects under one UID are one conflict, told with the study; those found at the start count too."""
    ledger = StudyLedger(quiet_s=2.0)
    found = StoredStudy(study_uid="1.2", calling_ae="CT", objects=(Path("c"),), aside={"1.9": (Path("d"),)})
    assert ledger.found(found).conflicts == 1
    for is_conflict in (False, True, True):
        ledger.stored("1.2", "a", sender=1, calling_ae="CT", object_uid="1.8", now_s=0.0, is_conflict=is_conflict)
    ledger.ended(1, was_released=True, now_s=0.0)
    (complete,) = ledger.due(2.0)
    assert (complete.conflicts, complete.objects) == (2, ("c", "a"))


def test_a_uid_of_another_study_counts_as_a_conflict() -> None:
    """It is told with the study that it came in."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.conflicting("1.2", "1.9.a")
    ledger.conflicting("1.3", "1.9.a")
    ledger.ended(1, was_released=True, now_s=0.0)
    assert [study.conflicts for study in ledger.due(2.0)] == [1]


def test_a_late_object_opens_the_study_again() -> None:
    """The second announcement holds every object and says how many are new."""
    ledger = StudyLedger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=True, now_s=0.0)
    assert len(ledger.due(1.0)) == 1
    _stored(ledger, "b", sender=2, now_s=60.0)
    ledger.ended(2, was_released=True, now_s=60.0)
    (late,) = ledger.due(61.0)
    assert late.objects == ("a", "b")
    assert late.reason == "objects came after it was complete: 1"


def test_the_same_objects_again_announce_nothing() -> None:
    """A study sent twice is not shown twice."""
    ledger = StudyLedger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=True, now_s=0.0)
    assert len(ledger.due(1.0)) == 1
    _stored(ledger, "a", sender=2, now_s=2.0)
    ledger.ended(2, was_released=True, now_s=2.0)
    assert not ledger.due(10.0)


def test_a_lost_association_is_said() -> None:
    """A study whose association broke is announced, with the warning that objects may be missing."""
    ledger = StudyLedger(quiet_s=1.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.ended(1, was_released=False, now_s=0.5)
    (complete,) = ledger.due(1.5)
    assert "objects may be missing" in complete.reason


def test_a_found_study_is_announced_at_once_and_may_grow() -> None:
    """What was in the folder at start is announced, and counts when more of it comes."""
    ledger = StudyLedger(quiet_s=1.0)
    found = ledger.found(StoredStudy(study_uid="1.2", calling_ae="CT", objects=(Path("a"),), aside={}))
    assert (found.objects, found.reason) == (("a",), "found at start")
    assert not ledger.due(100.0)
    _stored(ledger, "b", now_s=100.0)
    ledger.ended(1, was_released=True, now_s=100.0)
    assert [study.objects for study in ledger.due(101.0)] == [("a", "b")]


def test_a_study_is_complete_at_once_when_all_that_its_sender_lists_has_come() -> None:
    """Neither the end of the association nor the quiet time is waited for, and the reason says so."""
    ledger = StudyLedger(quiet_s=60.0)
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
    ledger = StudyLedger(quiet_s=60.0)
    _stored(ledger, "a", study="1.2", now_s=0.0)
    _stored(ledger, "b", study="1.3", now_s=0.0)
    ledger.listed(frozenset({"1.9.a", "1.9.b", "1.9.c"}))
    assert not ledger.due(1.0)
    _stored(ledger, "c", study="1.3", now_s=2.0)
    assert {study.study_uid for study in ledger.due(2.0)} == {"1.2", "1.3"}


def test_listed_objects_that_have_not_come_are_told() -> None:
    """When the association has ended and all is quiet the study is announced, with how many are missing."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.listed(frozenset({"1.9.a", "1.9.b", "1.9.c"}))
    ledger.ended(1, was_released=True, now_s=1.0)
    (complete,) = ledger.due(3.0)
    assert complete.reason.endswith("of 3 objects that its sender lists, 2 have not come")


def test_a_list_of_what_was_never_sent_changes_nothing() -> None:
    """It concerns no study."""
    ledger = StudyLedger(quiet_s=2.0)
    _stored(ledger, "a", now_s=0.0)
    ledger.listed(frozenset({"1.9.z"}))
    ledger.ended(1, was_released=True, now_s=1.0)
    (complete,) = ledger.due(3.0)
    assert complete.reason == "association ended and nothing more came"
