"""The index's tables: studies, their series, their objects; and an audit of what was removed.

Every row can be made again, from the objects' files and from those of the audit trail. A column that holds a DICOM
attribute carries its tag and value representation in ``Column.info``: the reader of files and whoever answers
queries share them.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from devices.databases import Moment

VERSION: Final = 1
"""Of these tables; an index of another version is made anew."""


def _attribute(name: str, tag: int, vr: str, *, is_key: bool = False) -> Column[Any]:
    kind = Integer() if vr in {"IS", "US"} else String()
    said = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return Column(name, kind, primary_key=is_key, nullable=not is_key, info={"tag": tag, "vr": vr}, comment=said)


metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("folder", String, primary_key=True, comment="identity of the folder that this is the index of"),
    Column("version", Integer, nullable=False),
)

studies = Table(
    "studies",
    metadata,
    _attribute("study_uid", 0x0020000D, "UI", is_key=True),
    _attribute("patient_id", 0x00100020, "LO"),
    _attribute("patient_name", 0x00100010, "PN"),
    _attribute("patient_birth_date", 0x00100030, "DA"),
    _attribute("patient_sex", 0x00100040, "CS"),
    _attribute("study_id", 0x00200010, "SH"),
    _attribute("study_date", 0x00080020, "DA"),
    _attribute("study_time", 0x00080030, "TM"),
    _attribute("study_description", 0x00081030, "LO"),
    _attribute("accession_number", 0x00080050, "SH"),
    _attribute("referring_physician", 0x00080090, "PN"),
)
"""A study is described by the first object in use that came of it."""

series = Table(
    "series",
    metadata,
    Column("study_uid", ForeignKey(studies.c.study_uid), primary_key=True),
    _attribute("series_uid", 0x0020000E, "UI", is_key=True),
    _attribute("modality", 0x00080060, "CS"),
    _attribute("series_number", 0x00200011, "IS"),
    _attribute("series_description", 0x0008103E, "LO"),
    _attribute("series_date", 0x00080021, "DA"),
    _attribute("series_time", 0x00080031, "TM"),
    _attribute("body_part", 0x00180015, "CS"),
    _attribute("performed_date", 0x00400244, "DA"),
    _attribute("performed_time", 0x00400245, "TM"),
)
"""A series is described by the first object in use that came of it.

``series_uid`` is empty where objects name none.
"""

objects = Table(
    "objects",
    metadata,
    Column("path", String, primary_key=True, comment="relative to the node's folder"),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("object_uid", String, nullable=False, index=True, info={"tag": 0x00080018, "vr": "UI"}),
    Column("sop_class_uid", String, nullable=False, info={"tag": 0x00080016, "vr": "UI"}),
    Column("transfer_syntax", String, nullable=False),
    _attribute("instance_number", 0x00200013, "IS"),
    _attribute("rows", 0x00280010, "US"),
    _attribute("columns", 0x00280011, "US"),
    _attribute("bits_allocated", 0x00280100, "US"),
    _attribute("number_of_frames", 0x00280008, "IS"),
    Column("size_bytes", BigInteger, nullable=False, comment="of the file"),
    Column("checksum", String, comment="CRC-64/XZ of the data set as received, 16 hexadecimal digits"),
    Column("calling_ae", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("gone_at", Moment, comment="when its file was found missing"),
    ForeignKeyConstraint(["study_uid", "series_uid"], ["series.study_uid", "series.series_uid"]),
)
"""A row for each file. The one of an ``object_uid`` whose path is made of the UIDs alone is in use."""

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("event", String, nullable=False, comment="code of the event, DICOM PS3.16 CID 400"),
    Column("study_uid", String, nullable=False, index=True),
    Column("message", Text, nullable=False, comment="as in the audit trail, PS3.15 A.5"),
)
"""What was removed or is missing; the trail's files hold the same messages."""

DERIVED: Final = (studies, series, objects, audit)
"""Tables that are made from the files, each after those that it refers to."""
