"""What was made of a study, as who asks for it sees it; and what a person says of its frames of reference."""

import msgspec

from acquisition.archive import StudyArchive
from acquisition.session.frames import confirmed_frames
from acquisition.session.journal import Journal
from acquisition.session.session import Session
from acquisition.studies.report import Direction, summarise
from display.study_messages import FramesRequest, StudyReport


def report_study(archive: StudyArchive, study_uid: str, approach: Direction | None = None) -> StudyReport | None:
    """Report on a study, along a planned approach too where there is one; None where nothing of it has been read.

    Looks at every voxel: not for the event loop.
    """
    archived = archive.find(study_uid)
    return None if archived is None else msgspec.convert(summarise(archived.map, approach), StudyReport)


async def act(archive: StudyArchive, session: Session, journal: Journal, request: FramesRequest) -> str | None:
    """Enter what a person says of two frames of reference, and read the study by it; gives why not, or None."""
    archived, frames = archive.find(request.study_uid), {request.one_uid, request.other_uid}
    if archived is None:
        return "no such study has come in"
    if request.is_same and not any(frames == set(pair) for pair in archived.study.apart):
        return "these are no two frames of reference of the study that wait for a confirmation"
    confirmed = confirmed_frames(journal, request.study_uid)
    if not request.is_same and not any(frames == set(each.frames) for each in confirmed):
        return "nobody has confirmed that these two are one space"
    pair = request.one_uid, request.other_uid
    return await session.confirm_frames(
        request.study_uid,
        pair,
        is_same=request.is_same,
        read_again=lambda: archive.read_again(request.study_uid, holds=request.is_same),
    )
