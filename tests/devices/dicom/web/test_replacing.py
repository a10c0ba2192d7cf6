"""Other bytes under a UID that is there: which of them everybody sees, and that the files alone say so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Table

from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.reconciliation import reconcile_all
from devices.dicom.index.tables import objects, series, studies
from devices.dicom.storage.placement import OnConflict
from devices.dicom.storage.store import ObjectStore
from tests.devices.dicom.conftest import Make, Thing
from tests.devices.dicom.index.rows import rows, until
from tests.devices.dicom.web.conftest import Open

TABLES: tuple[Table, ...] = (studies, series, objects)


def _file(one: Thing) -> bytes:
    return one.meta.to_bytes() + one.data_set


def _made_anew(folder: Path, database: str | None) -> list[list[dict[str, object]]]:
    """Empty the index, make it from the files, and give every row."""
    with ObjectStore.open(folder, free_floor_mb=0):
        catalogue = Catalogue.to_write(folder, database)
        catalogue.clear()
        for _ in reconcile_all(catalogue, folder, on_gone=lambda *_: None, at=datetime.now(tz=UTC)):
            pass
        catalogue.close()
    return [rows(folder, database, table=table) for table in TABLES]


@pytest.mark.parametrize("policy", ["keep first", "replace", "reject"])
async def test_what_is_in_use_is_found_given_out_and_indexed_anew(
    open_site: Open, web: dict[str, object], thing: Make, database: str | None, policy: str
) -> None:
    """Search, retrieval, metadata and an index made anew all speak of the same one of two objects."""
    clients = web["clients"]
    assert isinstance(clients, list)
    clients[0]["on_conflict"] = policy
    first, other = thing(patient_id="WRONG"), thing(patient_id="RIGHT", note="other ")
    neighbour = thing(object_uid="1.2.3.9", patient_id="WRONG")
    async with open_site(index=database) as site:
        await site.store(_file(first), _file(neighbour))
        await until(site.folder, database, lambda found: len(found) == 2)
        status = (
            await site.store(_file(other), _file(thing(object_uid="1.2.3.9", patient_id="RIGHT")))
        ).status_code
        used = other if policy == "replace" else first
        fetched = await site.http.get(f"{site.url}/studies/1.2.3")
        assert fetched.content.count(used.patient_id.encode()) == 2
        assert (other.data_set in fetched.content) is (policy == "replace")
        described = (await site.http.get(f"{site.url}/studies/1.2.3/metadata")).json()
        assert [one["00100020"]["Value"] for one in described] == [[used.patient_id]] * 2
        await until(site.folder, database, lambda found: len(found) == (2 if policy == "reject" else 4))
        (found,) = await site.search("studies", PatientID=used.patient_id)
        assert found["00201208"]["Value"] == [2]
        if policy != "reject":
            (found,) = await site.search("instances", SOPInstanceUID=other.object_uid)
            with Catalogue.open(site.folder, database) as catalogue:
                assert set(catalogue.conflicts()) == {"1.2.3.4.5", "1.2.3.9"}
    assert status == (409 if policy == "reject" else 200)
    before = [rows(site.folder, database, table=table) for table in TABLES]
    assert _made_anew(site.folder, database) == before
    assert before[0][0]["patient_id"] == used.patient_id


async def test_back_to_the_first_and_killed_before_its_row(
    open_site: Open, web: dict[str, object], thing: Make, database: str | None
) -> None:
    """What replaced its own replacement is in use, described by the next start where its row did not come."""
    clients = web["clients"]
    assert isinstance(clients, list)
    clients[0]["on_conflict"] = "replace"
    first, other = thing(patient_id="A"), thing(patient_id="BB", note="other ")
    async with open_site(index=database) as site:
        for one in (first, other):
            await site.store(_file(one))
        await until(site.folder, database, lambda found: len(found) == 2)
    place = site.folder / "1.2.3" / "1.2.3.4.5.dcm"
    with ObjectStore.open(site.folder, free_floor_mb=0) as store:
        spool = store.begin(first.meta)
        spool.write(first.data_set)
        spool.keep(OnConflict.REPLACE)
    async with open_site(index=database) as site:
        plain = "1.2.3/1.2.3.4.5.dcm"
        await until(site.folder, database, lambda found: found[plain]["size_bytes"] == place.stat().st_size)
        assert len(await site.search("studies", PatientID="A")) == 1
    before = [rows(site.folder, database, table=table) for table in TABLES]
    assert _made_anew(site.folder, database) == before
