"""Nobody is answered who does not belong."""

import json
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError

from devices.dicom.settings import NodeSettings, WebClient
from devices.dicom.web.access import TokenUnusable, read_digest, read_digests
from devices.readings import LinkState
from tests.devices.dicom.conftest import Make, Settings
from tests.devices.dicom.web.conftest import KIND, READER_TOKEN, TOKEN, Open, in_parts

REFUSED: tuple[tuple[int, dict[str, str]], ...] = (
    (401, {}),
    (401, {"authorization": "Bearer"}),
    (401, {"authorization": f"Bearer {TOKEN[:-1]}"}),
    (401, {"authorization": f"Bearer {TOKEN}x"}),
    (401, {"authorization": f"Basic {TOKEN}"}),
    (403, {"authorization": f"Bearer {TOKEN}", "host": "attacker.example"}),
    (403, {"authorization": f"Bearer {TOKEN}", "host": "[::1"}),
    (403, {"authorization": f"Bearer {TOKEN}", "origin": "http://attacker.example"}),
)


async def test_only_a_client_by_our_name_is_answered(open_site: Open) -> None:
    """No token, a wrong one, a foreign name or a foreign page gets nothing, and each refusal is counted."""
    async with open_site() as site, httpx2.AsyncClient() as http:
        for status, headers in REFUSED:
            response = await http.get(f"{site.url}/studies", headers=headers)
            assert response.status_code == status, headers
            assert ("www-authenticate" in response.headers) == (status == 401)
        async for health in site.node.health_changes():
            if health.rejected == len(REFUSED):
                break
        right = {"authorization": f"Bearer {TOKEN}"}
        assert (await http.get(f"{site.url}/studies/1.2", headers=right)).status_code == 404


async def test_a_token_in_the_url_is_none(open_site: Open) -> None:
    """The secret is taken from its header only."""
    async with open_site() as site, httpx2.AsyncClient() as http:
        assert (await http.get(f"{site.url}/studies", params={"access_token": TOKEN})).status_code == 401


async def test_storing_wants_a_client_that_may(open_site: Open, thing: Make) -> None:
    """A client without may_store finds and fetches, and stores nothing; nor does nobody."""
    body = in_parts(thing().meta.to_bytes() + thing().data_set)
    async with open_site() as site, httpx2.AsyncClient() as http:
        for headers, status in (({}, 401), ({"authorization": f"Bearer {READER_TOKEN}"}, 403)):
            said = {"content-type": KIND} | headers
            response = await http.post(f"{site.url}/studies", content=body, headers=said)
            assert response.status_code == status
            assert list(site.folder.glob("*/*.dcm")) == []
        await site.store(thing().meta.to_bytes() + thing().data_set)
        reading = {"authorization": f"Bearer {READER_TOKEN}"}
        assert (await http.get(f"{site.url}/studies/1.2.3", headers=reading)).status_code == 200


async def test_the_trail_says_who_was_given_what(open_site: Open, thing: Make) -> None:
    """Storing, searching and fetching are audited with the client's title, and without the patient's name."""
    async with open_site() as site:
        await site.store(thing().meta.to_bytes() + thing().data_set)
        await site.search("studies", PatientID="SIM-0001")
        await site.http.get(f"{site.url}/studies/1.2.3")
        await site.http.get(f"{site.url}/studies/1.2.3/metadata")
    lines = [
        json.loads(line)
        for path in (site.folder / ".audit").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    told = [
        (
            one["EventIdentification"]["EventID"]["csd-code"],
            one["EventIdentification"]["EventActionCode"],
            one["ActiveParticipant"][1]["UserID"],
            one["ActiveParticipant"][1]["RoleIDCode"]["originalText"],
            one["ParticipantObjectIdentification"][0]["ParticipantObjectID"],
        )
        for one in lines
        if one["ParticipantObjectIdentification"]
    ]
    assert sorted(told) == [
        ("110104", "C", "SCRIPT", "Source Role ID", "1.2.3"),
        ("110104", "R", "SCRIPT", "Destination Role ID", "1.2.3"),
        ("110112", "E", "SCRIPT", "Source Role ID", "1.2.3"),  # the search that found it
        ("110112", "E", "SCRIPT", "Source Role ID", "1.2.3"),  # what it says of itself
    ]


def test_beyond_this_machine_only_by_tls(settings: Settings, web: dict[str, object]) -> None:
    """Another address than loopback without TLS, and TLS without a certificate, are refused as settings."""
    for wrong in ({"host": "0.0.0.0"}, {"host": "10.1.2.3"}, {"tls": True}):  # noqa: S104 - it must be refused
        with pytest.raises(ValidationError, match="tls"):
            settings(web=web | wrong)
    assert settings(web=web | {"host": "::1"}).web is not None


def test_nobody_may_unless_listed(settings: Settings) -> None:
    """DICOMweb is off by default, and without clients nobody may ask."""
    assert settings().web is None
    assert NodeSettings.model_validate({"folder": "x", "web": {}}).web is not None
    with pytest.raises(ValidationError, match="title of its own"):
        settings(web={"clients": [{"ae_title": "A", "token_file": "a"}, {"ae_title": "A", "token_file": "b"}]})


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o600, "cannot be read"),
        ("short", 0o600, "32 characters"),
        ("a b" * 20, 0o600, "32 characters"),
        (TOKEN, 0o644, "others may read"),
    ],
)
def test_a_token_file_that_keeps_no_secret_is_refused(
    tmp_path: Path, content: str | None, mode: int, said: str
) -> None:
    """A token file that is missing, too short, or for others to read is refused, with what to do."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(TokenUnusable, match=said):
        read_digest(path)


def test_two_clients_with_one_token_are_refused(tmp_path: Path) -> None:
    """Each client has a secret of its own, or the trail could not say who it was."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    with pytest.raises(TokenUnusable, match="one token"):
        read_digests([WebClient(ae_title=title, token_file=path) for title in ("A", "B")])


async def test_without_its_token_file_associations_go_on(
    open_site: Open, web: dict[str, object], tmp_path: Path
) -> None:
    """A token file that is missing closes DICOMweb and nothing else, and health says why until it is there."""
    path = tmp_path / "SCRIPT.token"
    path.unlink()
    async with open_site() as site:
        async for health in site.node.health_changes():
            if "SCRIPT.token" in health.detail:
                assert health.state is LinkState.LIVE
                break
        with pytest.raises(httpx2.TransportError):
            await site.http.get(f"{site.url}/studies")
        path.write_text(TOKEN)
        path.chmod(0o600)
        async for health in site.node.health_changes():
            if not health.detail:
                break
        assert (await site.http.get(f"{site.url}/studies")).status_code in {204, 503}
