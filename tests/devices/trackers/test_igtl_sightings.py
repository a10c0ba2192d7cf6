"""What the readings of an OpenIGTLink tool come to: a pose only where it may be believed, and else why not."""

from devices.readings import PoseReading, PoseStatus
from devices.trackers.igtl_sightings import Sightings

POSE = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.5, -2.0, 100.0)


def sightings() -> Sightings:
    return Sightings(
        "camera", ("Probe",), lost_after_s=0.25, frozen_after_s=1.0, late_after_s=0.5, opened_at_s=0.0
    )


def told(by: Sightings) -> list[PoseReading]:
    """All that is told by now."""
    found = []
    while (reading := by.next()) is not None:
        found.append(reading)
    return found


def test_a_tool_of_two_streams_is_refused_in_words_also_where_neither_sees_it() -> None:
    """Said to be hidden, or no more sent, it is not merely missing: who brings it back is not the remedy."""
    found = sightings()
    found.hear(("Probe",), "TDATA of Ours")
    found.see("Probe", 1.0, POSE)
    found.hear(("Probe",), "TDATA of Theirs")
    found.see("Probe", 1.01, (*POSE[:9], 5.0, 0.0, 0.0))
    found.miss("Probe", 1.02, "the tracker says: MISSING")
    assert found.tell_lost(2.0)
    first, *later = told(found)
    assert first.status is PoseStatus.OK
    assert [reading.status for reading in later] == [PoseStatus.REFUSED] * 3
    assert {reading.said for reading in later} == {
        "it comes both in TDATA of Ours and in TDATA of Theirs: give each tool its own name at the sender"
    }


def test_a_tool_is_lost_when_nothing_is_told_of_it_and_again_each_time() -> None:
    """A quarter of a second after the last word of it, while the sender is heard, and not before."""
    found = sightings()
    found.see("Probe", 1.0, POSE)
    assert [found.tell_lost(heard_at_s) for heard_at_s in (1.2, 1.25, 1.4, 1.5)] == [False, True, False, True]
    assert [(reading.status, reading.taken_at_s) for reading in told(found)] == [
        (PoseStatus.OK, 1.0),
        (PoseStatus.MISSING, 1.25),
        (PoseStatus.MISSING, 1.5),
    ]
