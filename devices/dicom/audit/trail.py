"""What the node notes in the audit trail, in the shape of the standard's schema (PS3.15 A.5.1).

What happened, who took part, about what: UIDs and titles, and no patient's name.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from devices.dicom.audit.days import Days
from devices.dicom.audit.message import (
    APPLICATION_ACTIVITY,
    APPLICATION_START,
    APPLICATION_STOP,
    DELETE,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    MINOR_FAILURE,
    NODE_AUTHENTICATION,
    QUERY,
    SECURITY_ALERT,
    SERIOUS_FAILURE,
    SOP_CLASS_UID,
    STUDY_DELETED,
    SUCCESS,
    TRANSFER,
    Happening,
    Removal,
    coded,
    encoded,
    named_study,
)

log = structlog.get_logger()


def _today() -> datetime:
    return datetime.now(tz=UTC)


class AuditTrail:
    """Writes the trail of one node, and reads in it.

    Parameters
    ----------
    folder
        The store's.
    ae_title
        The node's.
    wall_time
        Gives the time now, in UTC.

    """

    def __init__(self, folder: Path, *, ae_title: str, wall_time: Callable[[], datetime] = _today) -> None:
        self._days = Days(folder)
        self._ae_title = ae_title
        self._wall_time = wall_time

    def started(self) -> None:
        """Note that the node has begun."""
        self._write(Happening(event=APPLICATION_ACTIVITY, kind=APPLICATION_START, action="E"))

    def stopped(self) -> None:
        """Note that the node ends in order."""
        self._write(Happening(event=APPLICATION_ACTIVITY, kind=APPLICATION_STOP, action="E"))

    def transferred(
        self,
        calling_ae: str,
        address: str,
        studies: Mapping[str, int],
        *,
        was_released: bool,
        name: str = "",
        described: str = "",
    ) -> None:
        """Note what an association has brought: for each study how many objects were acknowledged.

        ``name`` is the transfer's, in hexadecimal digits, by which ``noted`` finds it.

        Raises
        ------
        OSError
            Where it cannot be noted.

        """
        named = {"ParticipantObjectDetail": [{"type": TRANSFER, "value": encoded(name)}]} if name else {}
        for study_uid, objects in studies.items():
            self._write(
                Happening(
                    event=INSTANCES_TRANSFERRED,
                    action="C",
                    outcome=SUCCESS if was_released else MINOR_FAILURE,
                    source=(calling_ae, address),
                    about=[named_study(study_uid, objects) | named],
                    described=described,
                ),
                is_certain=True,
            )

    def noted(self, name: str, *, since: datetime) -> set[str]:
        """Studies of a transfer that the trail has notes of, of the day of ``since`` or later."""
        mark = encoded(name).encode()
        return {
            message["ParticipantObjectIdentification"][0]["ParticipantObjectID"]
            for message in self._days.find(lambda line: mark in line, since=since)
        }

    def conflicting(
        self, calling_ae: str, address: str, study_uid: str, object_uid: str, *, is_replaced: bool
    ) -> None:
        """Note an object that came with other bytes than the one in use under its UID, and which is in use now."""
        instances = [{"NumberOfInstances": 1, "Instance": [{"UID": object_uid}]}]
        use = "this one is in use now" if is_replaced else "the one before stays in use"
        self._write(
            Happening(
                event=INSTANCES_TRANSFERRED,
                action="U" if is_replaced else "C",
                source=(calling_ae, address),
                about=[named_study(study_uid, 1) | {"SOPClass": instances}],
                described=f"other bytes came under a UID that is there; both are kept, {use}",
            )
        )

    def shared(self, calling_ae: str, object_uid: str, study_uid: str, other_study_uid: str) -> None:
        """Note an object whose UID is that of one in another study too."""
        instances = [{"NumberOfInstances": 1, "Instance": [{"UID": object_uid}]}]
        self._write(
            Happening(
                event=INSTANCES_TRANSFERRED,
                action="C",
                source=(calling_ae, ""),
                about=[named_study(study_uid, 1) | {"SOPClass": instances}, named_study(other_study_uid, 1)],
                described="one UID in two studies: both objects are kept, each in use in its study",
            )
        )

    def disclosed(self, reader: str, address: str, studies: Mapping[str, int], *, is_query: bool) -> None:
        """Note who was given objects, or what is known of them: of which studies, of how many."""
        about = [named_study(study_uid, objects) for study_uid, objects in studies.items()]
        if is_query:
            self._write(Happening(event=QUERY, action="E", source=(reader, address), about=about))
        else:
            self._write(
                Happening(event=INSTANCES_TRANSFERRED, action="R", destination=(reader, address), about=about)
            )

    def asked(
        self, peer: tuple[str, str], sop_class_uid: str, *, study_uid: str = "", asked_by: str, failure: str = ""
    ) -> None:
        """Note that we have asked another node: its title and address, by which SOP class, and why it failed."""
        asked = {
            "ParticipantObjectTypeCode": 2,
            "ParticipantObjectTypeCodeRole": 24,  # a query (PS3.15 A.5.3.10)
            "ParticipantObjectIDTypeCode": coded(SOP_CLASS_UID),
            "ParticipantObjectID": sop_class_uid,
        }
        self._write(
            Happening(
                event=QUERY,
                action="E",
                outcome=MINOR_FAILURE if failure else SUCCESS,
                destination=peer,
                is_ours=True,
                person=asked_by,
                about=[asked, *([named_study(study_uid, None)] if study_uid else [])],
                described=failure,
            )
        )

    def sent(
        self, peer: tuple[str, str], study_uid: str, objects: int, *, asked_by: str = "", failure: str = ""
    ) -> None:
        """Note how many objects of a study another node has taken from us, and why it has not taken all.

        Raises
        ------
        OSError
            Where it cannot be noted.

        """
        self._write(
            Happening(
                event=INSTANCES_TRANSFERRED,
                action="R",
                outcome=MINOR_FAILURE if failure else SUCCESS,
                destination=peer,
                is_ours=True,
                person=asked_by,
                about=[named_study(study_uid, objects)],
                described=failure,
            ),
            is_certain=True,
        )

    def missing(self, study_uid: str, objects: int) -> Removal:
        """Note that files of a study are gone that the node did not delete."""
        message = self._write(
            Happening(
                event=INSTANCES_ACCESSED,
                action=DELETE,
                outcome=SERIOUS_FAILURE,
                about=[named_study(study_uid, objects)],
                described="the files are missing, and were not deleted by the node",
            )
        )
        return Removal.of(message)

    def deleted(self, study_uid: str, objects: int, *, deleted_by: str, reason: str, failure: str = "") -> Removal:
        """Note that a person has a study deleted, by which rule, and why that failed where it did.

        Raises
        ------
        OSError
            Where it cannot be noted, so that nothing may be deleted.

        """
        message = self._write(
            Happening(
                event=STUDY_DELETED,
                action=DELETE,
                outcome=SERIOUS_FAILURE if failure else SUCCESS,
                person=deleted_by,
                about=[named_study(study_uid, objects)],
                described=f"{reason}: {failure}" if failure else reason,
            ),
            is_certain=True,
            is_durable=True,
        )
        return Removal.of(message)

    def removals(self) -> Iterator[Removal]:
        """Every note of a study that was deleted, or of files that were missing, oldest first."""
        for message in self._days.find(lambda line: b'"EventActionCode":"D"' in line):
            if message["EventIdentification"]["EventActionCode"] == DELETE:
                yield Removal.of(message)

    def refused(self, calling_ae: str, address: str, reason: str) -> None:
        """Note a connection, an association or an object that was not accepted."""
        self._write(
            Happening(
                event=SECURITY_ALERT,
                kind=NODE_AUTHENTICATION,
                action="E",
                outcome=MINOR_FAILURE,
                source=(calling_ae, address),
                described=reason,
            )
        )

    def _write(
        self, happening: Happening, *, is_certain: bool = False, is_durable: bool = False
    ) -> dict[str, Any]:
        now = self._wall_time()
        message = happening.message(self._ae_title, at=now)
        try:
            self._days.add(message, now, is_durable=is_durable)
        except OSError as exc:
            # a full disk must not end the node: objects are refused, with their own status
            log.error("the audit trail cannot be written", folder=str(self._days.folder), reason=str(exc))  # noqa: TRY400 - the sentence says it
            if is_certain:
                raise
        return message
