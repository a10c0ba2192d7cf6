"""Frames of reference that persons have confirmed to be one space, study by study: what the journal says."""

from acquisition.session.journal import Journal
from acquisition.studies import SameFrames

JOINED, PARTED = "frames joined", "frames parted"
"""Kinds of the entries; each tells of one study and two Frame of Reference UIDs (0020,0052)."""


def confirmed_frames(journal: Journal, study_uid: str) -> tuple[SameFrames, ...]:
    """List what is confirmed of a study and was not taken back, with who confirmed it and when."""
    confirmed: dict[frozenset[str], SameFrames] = {}
    for entry in journal.of(JOINED, PARTED, study_uid=study_uid):
        one, other = entry.told["frames"]
        confirmed.pop(frozenset((one, other)), None)
        if entry.kind == JOINED:
            by = f"{entry.person} on {entry.at:%Y-%m-%d at %H:%M} UTC"
            confirmed[frozenset((one, other))] = SameFrames(frames=(one, other), confirmed_by=by)
    return tuple(confirmed.values())
