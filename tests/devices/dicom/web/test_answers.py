"""What HTTP says of a query and of a retrieval, besides what it gives."""

import pytest

from tests.devices.dicom.conftest import Make, Thing
from tests.devices.dicom.index.rows import until
from tests.devices.dicom.web.conftest import Open

NOBODY_LISTENS = "postgresql://radionav@127.0.0.1:1/none"


def _file(one: Thing) -> bytes:
    return one.meta.to_bytes() + one.data_set


ANSWERS = (
    (200, "studies?PatientID=SIM-0001"),
    (200, "studies?PatientID=SIM-0001&includefield=StudyDescription,00081030&includefield=all"),
    (204, "studies?PatientID=NOBODY"),
    (204, "studies?PatientID=SIM-0001&offset=1"),
    (204, "studies?limit=0"),
    (204, "studies/1.2.4/series"),
    (204, "studies/1.2.3/series/1.2.3.2/instances"),
    (400, "studies?PatientNaem=x"),
    (400, "studies?PatientComments=x"),
    (400, "studies?includefield=NoSuchField"),
    (400, "studies?limit=ten"),
    (400, "studies?StudyDate=2026"),
    (400, "studies/1.2.3/series?StudyInstanceUID=1.2.4"),
    (400, "studies/1.2.x/series"),
)


async def test_a_query_has_the_status_of_the_standard(open_site: Open, thing: Make) -> None:
    """200 with an array; 204 without a body where nothing matches; 400 in words where it cannot be asked."""
    async with open_site() as site:
        await site.store(_file(thing()))
        await site.search("studies")
        for status, path in ANSWERS:
            response = await site.http.get(f"{site.url}/{path}")
            assert response.status_code == status, path
            assert bool(response.content) == (status != 204), path
            if status == 200:
                assert response.headers["content-type"] == "application/dicom+json"
                assert len(response.json()) == 1


async def test_a_path_holds_a_query_to_what_it_names(open_site: Open, thing: Make) -> None:
    """Below a study only its own series are found, and below a series its own instances."""
    async with open_site() as site:
        for study in ("1.2.3", "1.2.4"):
            await site.store(_file(thing(study_uid=study, object_uid=f"{study}.9")))
        await until(site.folder, None, lambda found: len(found) == 2)
        found = {
            path: [one[tag]["Value"] for one in await site.search(path)]
            for path, tag in (
                ("series", "0020000E"),
                ("studies/1.2.4/series", "0020000E"),
                ("studies/1.2.4/instances", "00080018"),
                ("studies/1.2.4/series/1.2.4.1/instances", "00080018"),
            )
        }
    assert found == {
        "series": [["1.2.3.1"], ["1.2.4.1"]],
        "studies/1.2.4/series": [["1.2.4.1"]],
        "studies/1.2.4/instances": [["1.2.4.9"]],
        "studies/1.2.4/series/1.2.4.1/instances": [["1.2.4.9"]],
    }


async def test_what_an_answer_leaves_out_stands_in_its_warnings(open_site: Open, thing: Make) -> None:
    """As PS3.18 10.6.1.3 and 8.3.4.4 word them: matching that is not fuzzy, and how many results are left."""
    async with open_site() as site:
        for study in ("1.2.3", "1.2.4", "1.2.5"):
            await site.store(_file(thing(study_uid=study, object_uid=f"{study}.9")))
        await until(site.folder, None, lambda found: len(found) == 3)
        asked = {"limit": "1", "fuzzymatching": "true"}
        cut = await site.http.get(f"{site.url}/studies", params=asked)
        whole = await site.http.get(f"{site.url}/studies", params={"limit": "3", "fuzzymatching": "false"})
    literal = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
    assert cut.headers.get_list("warning") == [
        f'299 {site.url}: "{literal}"',
        f'299 {site.url}: "There are 2 additional results that can be requested"',
    ]
    assert (len(cut.json()), len(whole.json()), whole.headers.get_list("warning")) == (1, 3, [])


@pytest.mark.parametrize(
    "path",
    ["studies", "studies/1.2.3", "studies/1.2.3/metadata", "studies/1.2.3/series/1.2.3.1/instances/1.2.3.4.5"],
)
async def test_nothing_is_kept_on_the_way_nor_read_for_its_head(open_site: Open, thing: Make, path: str) -> None:
    """No cache keeps what names a patient, no browser guesses at it; HEAD, which would read it all, is 405."""
    async with open_site() as site:
        await site.store(_file(thing()))
        await site.search("studies")
        got = await site.http.get(f"{site.url}/{path}")
        head = await site.http.head(f"{site.url}/{path}")
    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert head.status_code == 405
    assert "HEAD" not in head.headers["allow"]


async def test_without_its_index_the_node_stores_and_gives_and_says_503_to_queries(
    open_site: Open, thing: Make
) -> None:
    """A database that is away is no empty answer: who searches is told to come again; the rest goes on."""
    async with open_site(index=NOBODY_LISTENS) as site:
        assert (await site.store(_file(thing()))).status_code == 200
        searched = await site.http.get(f"{site.url}/studies")
        fetched = await site.http.get(f"{site.url}/studies/1.2.3")
    assert (searched.status_code, "index" in searched.text) == (503, True)
    assert (fetched.status_code, thing().data_set in fetched.content) == (200, True)


async def test_a_store_that_is_refused_ends_its_connection(open_site: Open, thing: Make) -> None:
    """Of a body that nobody will read the rest is not waited for; after a query a connection goes on."""
    async with open_site() as site:
        for headers, says in (({"authorization": "Bearer x"}, 401), ({"content-type": "text/plain"}, 415)):
            refused = await site.http.post(f"{site.url}/studies", content=_file(thing()), headers=headers)
            assert (refused.status_code, refused.headers["connection"]) == (says, "close")
        assert "connection" not in (await site.http.get(f"{site.url}/studies/1.2.9")).headers
