"""Under which names the hot spots of a study were in use, and where: what the journal says."""

from acquisition.session.journal import Journal, JournalUnusable
from acquisition.studies.reading import StudyMap
from navigation.hotspots import NamedPlace

MAPPED = "map in use"
"""Kind of the entries; each tells of one study, its frame of reference, and its spots by name."""


def note_map(journal: Journal, found: StudyMap) -> None:
    """Enter which spots a map has that comes into use, and where, unless that was entered last of its study."""
    told = {
        "study_uid": found.study.study_uid,
        "frame_of_reference_uid": found.study.frame_of_reference_uid,
        "spots": {spot.name: [float(part) for part in spot.centre_mm] for spot in found.hotspots},
    }
    try:
        former = [entry.told for entry in journal.of(MAPPED, study_uid=found.study.study_uid)]
    except JournalUnusable:
        return  # it says so itself, and takes no entry any more
    if former[-1:] != [told]:
        journal.add(MAPPED, told)


def names_in_use(journal: Journal, study_uid: str) -> tuple[NamedPlace, ...]:
    """List every name that a spot of a study was in use under, each with the place it had last."""
    places = {
        name: NamedPlace(
            name=name,
            centre_mm=(x_mm, y_mm, z_mm),
            frame_of_reference_uid=entry.told["frame_of_reference_uid"],
        )
        for entry in journal.of(MAPPED, study_uid=study_uid)
        for name, (x_mm, y_mm, z_mm) in entry.told["spots"].items()
    }
    return tuple(places.values())
