"""An independent DICOMweb client stores, finds and fetches."""

import asyncio
from pathlib import Path

from pydicom import dcmread

from tests.devices.dicom.conftest import Make
from tests.devices.dicom.web.conftest import Open, Peer


async def test_what_is_stored_is_found_and_fetched(
    open_site: Open, peer: Peer, thing: Make, tmp_path: Path
) -> None:
    """dicomweb-client stores two objects, finds study, series and instances, and fetches them byte for byte."""
    one, other = thing(), thing(object_uid="1.2.3.4.6", note="second")
    sent = [dcmread(each.write(tmp_path / f"{each.object_uid}.dcm")) for each in (one, other)]
    async with open_site() as site:
        client = peer(site)
        said = await asyncio.to_thread(client.store_instances, sent)
        await site.search("instances")
        studies = await asyncio.to_thread(client.search_for_studies)
        series = await asyncio.to_thread(client.search_for_series, "1.2.3")
        instances = await asyncio.to_thread(client.search_for_instances)
        fetched = await asyncio.to_thread(client.retrieve_study, "1.2.3")
        single = await asyncio.to_thread(client.retrieve_instance, "1.2.3", "1.2.3.1", "1.2.3.4.6")
        described = await asyncio.to_thread(client.retrieve_study_metadata, "1.2.3")
    assert {item.ReferencedSOPInstanceUID for item in said.ReferencedSOPSequence} == {"1.2.3.4.5", "1.2.3.4.6"}
    assert [one["0020000D"]["Value"] for one in studies] == [["1.2.3"]]
    assert [one["0020000E"]["Value"] for one in series] == [["1.2.3.1"]]
    assert {one["00080018"]["Value"][0] for one in instances} == {"1.2.3.4.5", "1.2.3.4.6"}
    assert {one.SOPInstanceUID: one[0x00204000].value for one in fetched} == {
        "1.2.3.4.5": "first",
        "1.2.3.4.6": "second",
    }
    assert single[0x00204000].value == "second"
    assert [one["00204000"]["Value"] for one in described] == [["first"], ["second"]]
