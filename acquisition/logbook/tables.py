"""The logbook's tables, in SQLite and PostgreSQL alike: rows are added, and the database refuses all else."""

from typing import Final

from sqlalchemy import DDL, Boolean, Column, Integer, MetaData, String, Table, Text, event

from devices.databases import Moment

VERSION: Final = 1

metadata = MetaData()

about = Table("quality_logbook", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

records = Table(
    "quality_records",
    metadata,
    Column("key_id", String, primary_key=True, comment="which machine's key sealed it"),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 1, without gaps, for each key"),
    Column("at", Moment, nullable=False, index=True),
    Column("kind", String, nullable=False, comment="morning, calibration, count, background, exvivo"),
    Column("probe", String, nullable=False, comment="its name in the site file"),
    Column("identity", String, nullable=False, comment="what it said it is"),
    Column("person", String, nullable=False, comment="who did it"),
    Column("simulated", Boolean, nullable=False),
    Column("passed", Boolean, comment="none: nothing was judged"),
    Column("told", Text, nullable=False, comment="all that came of it, JSON"),
    Column("before", String(64), nullable=False, comment="seal of the record before it"),
    Column("seal", String(64), nullable=False, comment="HMAC-SHA256 over all of this row"),
)

REFUSAL: Final = "the logbook is only added to"

for _change in ("UPDATE", "DELETE"):
    event.listen(
        records,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER quality_records_{_change.lower()} BEFORE {_change} ON quality_records "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        ).execute_if(dialect="sqlite"),
    )

event.listen(
    records,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE OR REPLACE FUNCTION quality_records_stay() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    ).execute_if(dialect="postgresql"),
)
event.listen(
    records,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE TRIGGER quality_records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON quality_records "
        "FOR EACH STATEMENT EXECUTE FUNCTION quality_records_stay()"
    ).execute_if(dialect="postgresql"),
)
