"""What was made of a study, as who asks for it sees it; and what a person says of its frames of reference."""

import msgspec

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.session.frames import confirmed_frames
from acquisition.session.journal import Journal
from acquisition.session.session import Session
from acquisition.studies.report import Direction, summarise
from display.messages.study import FramesApart, FramesRequest, SeriesEntry, StudyEntry, StudyList, StudyReport
from display.messages.volume import StudyState, SurfaceState, VolumeState


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


def show_study(
    archived: ArchivedStudy,
    *,
    anatomy: VolumeState | None,
    activity: VolumeState | None,
    surfaces: tuple[SurfaceState, ...],
) -> StudyState:
    """Show the study in use and where its volumes can be fetched."""
    study = archived.study
    return StudyState(
        study_uid=study.study_uid,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        description=study.description,
        taken_at_utc=study.taken_at.isoformat() if study.taken_at else None,
        joined_by=study.joined_by,
        anatomy=anatomy,
        activity=activity,
        surfaces=surfaces,
    )


def list_studies(archive: StudyArchive) -> StudyList:
    """List what came in and what was made of it, newest first."""
    in_use = archive.in_use
    return StudyList(
        revision=archive.revision,
        studies=tuple(
            StudyEntry(
                study_uid=archived.received.study_uid,
                patient_id=archived.study.patient_id,
                patient_name=archived.study.patient_name,
                description=archived.study.description,
                taken_at_utc=archived.study.taken_at.isoformat() if archived.study.taken_at else None,
                received_from=archived.received.calling_ae,
                objects=len(archived.received.objects),
                conflicts=archived.received.conflicts,
                in_use=archived is in_use,
                usable=archived.is_usable,
                joined_by=archived.study.joined_by,
                apart=tuple(FramesApart(one_uid=one, other_uid=other) for one, other in archived.study.apart),
                series=tuple(
                    SeriesEntry(
                        series_uid=series.series_uid,
                        modality=series.modality,
                        description=series.description,
                        objects=series.objects,
                        accepted=series.accepted,
                        reason=series.reason,
                    )
                    for series in archived.study.series
                ),
            )
            for archived in archive.newest_first()
        ),
    )
