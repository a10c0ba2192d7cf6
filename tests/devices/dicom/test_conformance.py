"""The conformance statement says what the code does."""

from pathlib import Path

from devices.dicom.conformance import statement
from devices.dicom.meanings import ACTION_STATUSES, QUERY_STATUSES, STORAGE_STATUSES
from devices.dicom.services.commands import Status

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_code_says() -> None:
    """docs/conformance.md is current: else run python -m devices.dicom.conformance docs/conformance.md."""
    assert (DOCS / "conformance.md").read_text(encoding="utf-8") == statement()


def test_every_status_is_stated() -> None:
    """No status can be answered that the statement does not list."""
    assert {*STORAGE_STATUSES, *ACTION_STATUSES, *QUERY_STATUSES, Status.UNRECOGNISED_OPERATION} == set(Status)
