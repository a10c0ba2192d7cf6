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
        return parse_datetime(attributes.text(keyword), zone_of=attributes)
    except SeriesRefused:
        return None


def parse_datetime(text: str, *, zone_of: Attributes) -> datetime | None:
    """Parse a date-time (DT) in its own zone, else in that of an object, else in this host's.

    None where it is not readable, or gives no minute: half an hour is 17 % of F-18.
    """
    if not text[:12].isdigit() or len(text) < 12:
        return None
    try:
        moment = DT(text)
        zone = _zone(zone_of.text("TimezoneOffsetFromUTC"))
    except (ValueError, SeriesRefused):
        return None
    if moment is None:
        return None
    # a datetime of its own: pydicom's DT keeps the text that it was made of
    plain = datetime.combine(moment.date(), moment.timetz())
    if plain.tzinfo is None:
        return plain.replace(tzinfo=zone) if zone else plain.astimezone()
    return plain


def read_time_on(attributes: Attributes, keyword: str, *, day: datetime) -> datetime | None:
    """Read a time (TM) on the day of a moment, in that moment's zone; None where it is missing or not readable."""
    try:
        time: TM | None = TM(attributes.text(keyword))
    except (ValueError, SeriesRefused):
        return None
    return None if time is None else datetime.combine(day.date(), time, tzinfo=day.tzinfo)


def _zone(offset: str) -> timezone | None:
    if not offset:
        return None
    hours, minutes = int(offset[:-2]), int(f"{offset[0]}{offset[-2:]}")
    return timezone(timedelta(hours=hours, minutes=minutes))
