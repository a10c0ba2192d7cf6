"""Dates and times of DICOM attributes as moments."""

from datetime import datetime, timedelta, timezone

from pydicom.valuerep import DA, DT, TM

from acquisition.studies.attributes import Attributes
from acquisition.studies.errors import SeriesRefused


def read_moment(attributes: Attributes, date_keyword: str, time_keyword: str) -> datetime | None:
    """Read a date and a time, in the zone of Timezone Offset From UTC (0008,0201), else in this host's.

    None where either is missing or not readable: a moment is wanted for decay, never for geometry.
    """
    try:
        date: DA | None = DA(attributes.text(date_keyword))
        time: TM | None = TM(attributes.text(time_keyword))
        zone = _zone(attributes.text("TimezoneOffsetFromUTC"))
    except (ValueError, SeriesRefused):
        return None
    if not (date and time):
        return None
    moment = datetime.combine(date, time, tzinfo=zone)
    return moment if zone else moment.astimezone()


def read_datetime(attributes: Attributes, keyword: str) -> datetime | None:
    """Read a DICOM date-time (DT), None where it is missing or not readable."""
    try:
        moment = DT(attributes.text(keyword))
        zone = _zone(attributes.text("TimezoneOffsetFromUTC"))
    except (ValueError, SeriesRefused):
        return None
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone) if zone else moment.astimezone()
    return moment


def _zone(offset: str) -> timezone | None:
    if not offset:
        return None
    hours, minutes = int(offset[:-2]), int(f"{offset[0]}{offset[-2:]}")
    return timezone(timedelta(hours=hours, minutes=minutes))
