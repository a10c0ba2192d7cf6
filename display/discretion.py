"""What somebody is told who may not act: of the patient whom the displays show, of nobody who was here before.

A display's token lies in its browser, and its screen is read by whoever passes: it learns what belongs to the
procedure on the table. Whoever acts answers for what she asks, under her name, and is told all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from acquisition.patient import Patient
from acquisition.session.frames import JOINED, PARTED
from acquisition.session.journal import Entry, Journal
from acquisition.tracking.joining import REGISTERED
from display.access.admission import Visitor
from display.access.people import Role
from display.hub import Hub
from display.messages.study import StudyList

MOST_UNASKED = 1000
"""So many entries that are of no procedure are told to who names none: a room without gathers more in years.

Older ones are there for who names a number.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discretion:
    """Says what is told to whom; ``hub`` has what the displays show, ``journal`` what was ever recorded."""

    hub: Hub
    journal: Journal

    @property
    def _shown(self) -> int:
        """Number of the procedure that displays show, also once it has ended; 0 for none."""
        return self.hub.newest.procedure.number if self.hub.newest else 0

    def first_shown(self) -> int:
        """Give the number of the first entry of the record that is of what the displays show.

        Between two procedures it is the first after the former one's last step.

        Raises
        ------
        JournalUnusable
            Where the record cannot be read.

        """
        return self._shown or self.journal.newest_of("moved") + 1

    def first_unasked(self) -> int:
        """Give the number of the first entry for who names none from where to go on; raises as `first_shown`.

        A procedure is told from its beginning, however long it is.
        """
        return self._shown or max(self.first_shown(), self.journal.newest_seq - MOST_UNASKED + 1)

    def first_seq(self, visitor: Visitor) -> int:
        """Give the number of the first entry of the record that may be told; raises as `first_shown`."""
        return 0 if visitor.may(Role.ACT) else self.first_shown()

    def tell(self, visitor: Visitor, entry: Entry) -> Entry | None:
        """Give what may be told of an entry; None for nothing.

        A person may answer meanwhile for the study of somebody else, and records that older services began name
        a registration's patient, who may be a former one.
        """
        if visitor.may(Role.ACT):
            return entry
        if entry.kind == REGISTERED:
            return replace(entry, told={key: _without_patient(each) for key, each in entry.told.items()})
        if entry.kind not in {JOINED, PARTED}:
            return entry
        study = self.hub.newest.study if self.hub.newest else None
        return entry if study is not None and entry.told["study_uid"] == study.study_uid else None

    def may_read_report(self, visitor: Visitor, number: int) -> bool:
        """Whether the report of a procedure may be told."""
        return visitor.may(Role.ACT) or number == self._shown

    def studies(self, visitor: Visitor, received: StudyList) -> StudyList:
        """Leave out the studies of others than the patient whose study is in use, and say that some are."""
        if visitor.may(Role.ACT):
            return received
        in_use = next((study for study in received.studies if study.in_use), None)
        patient = Patient(patient_id=in_use.patient_id, name=in_use.patient_name) if in_use else None
        hers = tuple(
            study
            for study in received.studies
            if study is in_use or (patient and patient.is_named(study.patient_id, study.patient_name))
        )
        return msgspec.structs.replace(received, studies=hers, is_partial=len(hers) < len(received.studies))

    def may_read_study(self, visitor: Visitor, study_uid: str, received: StudyList) -> bool:
        """Whether all may be told that was made of one of the studies that were received."""
        told = self.studies(visitor, received).studies
        return visitor.may(Role.ACT) or any(study.study_uid == study_uid for study in told)


def _without_patient(registration: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: each for key, each in registration.items() if key != "patient_id"}
