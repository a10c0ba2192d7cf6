"""The worklist over HTTP: who is scheduled, and a patient chosen from it begins a procedure."""

from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient

from acquisition.session.reception import Reception
from acquisition.session.worklist import Schedule
from display.app import create_app
from tests.acquisition.session.test_reception import scheduled
from tests.acquisition.session.test_session import ANNA
from tests.display.test_stage import House


class Front:
    """A browser before a room that has a worklist of one."""

    def __init__(self) -> None:
        self.house = House()
        self.reception = Reception(
            self.house.console.session, self.house.console.archive, ask=self._ask, now=lambda: datetime.now(tz=UTC)
        )
        self.app = create_app(self.house.exhibits, reception=self.reception)
        self.client = TestClient(self.app, base_url="http://127.0.0.1")

    async def _ask(self, _on: date) -> Schedule:
        return Schedule(steps=(scheduled(ANNA),), troubles=("another is away",))


@pytest.fixture
def front() -> Front:
    """A browser, and the room."""
    return Front()


def test_the_worklist_is_listed_with_what_did_not_answer(front: Front) -> None:
    """Names as DICOM has them, days and texts that nobody gave as null and empty."""
    (entry,) = front.client.get("/v1/worklist").json()["steps"]
    assert (entry["patient_id"], entry["patient_name"], entry["procedure"]) == ("A-1", "ANNA^A", "Sentinel node")
    assert (entry["birth_date"], entry["accession_number"]) == (None, "")
    answer = front.client.get("/v1/worklist").json()
    assert (answer["revision"], answer["troubles"]) == (0, ["another is away"])


def test_a_patient_is_chosen_by_both_identifiers(front: Front) -> None:
    """204 once, 409 with a sentence where it does not hold, 422 for junk; the record names who chose."""
    front.client.get("/v1/worklist")
    choice = {"revision": 0, "patient_id": "A-1", "patient_name": "ANNA^A"}
    for wrong in ({"patient_name": "ANNE^A"}, {"patient_id": "A-2"}, {"revision": 9}):
        assert front.client.post("/v1/procedure/patient", json=choice | wrong).status_code == 409
    assert front.client.post("/v1/procedure/patient", json=choice | {"more": 1}).status_code == 422
    assert front.client.post("/v1/procedure/patient", json=choice).status_code == 204
    begun = [entry for entry in front.house.console.journal.after(0) if entry.kind == "begun"]
    assert [(entry.person, entry.told["study_uid"]) for entry in begun] == [("this machine", "")]
    again = front.client.post("/v1/procedure/patient", json=choice)
    assert (again.status_code, "acted meanwhile" in again.text) == (409, True)
