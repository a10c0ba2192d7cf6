"""DICOMweb over HTTPS, end to end, by clients that are not ours: curl, httpx and Python's own."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
import pytest_asyncio

from devices.dicom.client import StorageNode, run_node
from tests.devices.dicom.certificates import certify
from tests.devices.dicom.conftest import Make, Settings
from tests.devices.dicom.index.rows import until
from tests.devices.dicom.web.conftest import KIND, TOKEN, in_parts

Secured: TypeAlias = tuple[StorageNode, Path]

WRONG = "0" * 64

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.peer("curl")]


@pytest_asyncio.fixture
async def secured(settings: Settings, web: dict[str, object], tmp_path: Path) -> AsyncIterator[Secured]:
    """Run a node that speaks HTTPS; gives it and its certificate."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    tls = {"port": 0, "certificate": certificate, "key": key}
    async with run_node(settings(tls=tls, web=web | {"tls": True})) as node:
        yield node, certificate


def _token(folder: Path, token: str) -> Path:
    # in a file, as on the command line everybody on the machine would see it
    path = folder / "curl.conf"
    path.write_text(f'header = "Authorization: Bearer {token}"\n', encoding="ascii")
    return path


async def test_curl_stores_searches_and_fetches(
    secured: Secured, settings: Settings, run: Any, thing: Make, tmp_path: Path
) -> None:
    """What curl sends by HTTPS it finds and gets back byte for byte; with another token it gets nothing."""
    node, certificate = secured
    root = f"https://127.0.0.1:{node.web_port}/dicom-web"
    body, answer = tmp_path / "body", tmp_path / "answer"
    body.write_bytes(in_parts(thing().meta.to_bytes() + thing().data_set))

    async def curl(*arguments: object, token: str = TOKEN) -> tuple[int, str]:
        asked = ("curl", "--silent", "--show-error", "--max-time", 60, "--cacert", certificate)
        code, output = await run(
            *(*asked, "--config", _token(tmp_path, token), "--output", answer, "--write-out", "%{http_code}"),
            *arguments,
        )
        return code, output

    sending = ("--header", f"Content-Type: {KIND}", "--data-binary", f"@{body}")
    assert await curl(*sending, f"{root}/studies", token=WRONG) == (0, "401")
    assert await curl(*sending, f"{root}/studies") == (0, "200")
    await until(settings().folder, None, lambda found: len(found) == 1)
    assert await curl(f"{root}/studies?PatientID=SIM-0001") == (0, "200")
    (found,) = json.loads(answer.read_bytes())
    assert found["0020000D"]["Value"] == ["1.2.3"]
    assert found["00081190"]["Value"] == [f"{root}/studies/1.2.3"]
    assert await curl(f"{root}/studies/1.2.3") == (0, "200")
    assert thing().data_set in answer.read_bytes()
    code, output = await run(
        *("curl", "--silent", "--show-error", "--config", _token(tmp_path, TOKEN), f"{root}/studies/1.2.3")
    )
    assert code == 60, output  # a certificate of an authority that is not known is not accepted


async def test_python_clients_are_let_in_by_certificate_and_token(secured: Secured) -> None:
    """Httpx and urllib verify the certificate; who has no token, or another, is told 401."""
    node, certificate = secured
    url = f"https://127.0.0.1:{node.web_port}/dicom-web/studies/1.2.9"
    context = ssl.create_default_context(cafile=certificate)
    for token, status in ((TOKEN, 404), (WRONG, 401), ("", 401)):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(verify=context, timeout=60) as http:
            assert (await http.get(url, headers=headers)).status_code == status

        def fetch(headers: dict[str, str] = headers) -> int:
            asked = urllib.request.Request(url, headers=headers)
            try:
                with urllib.request.urlopen(asked, context=context, timeout=60) as response:  # noqa: S310 - https
                    return int(response.status)
            except urllib.error.HTTPError as exc:
                with exc:
                    return exc.code

        assert await asyncio.to_thread(fetch) == status
    async with httpx2.AsyncClient(timeout=60) as http:
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await http.get(url)


async def test_plain_http_to_the_tls_port_is_refused_in_words(secured: Secured, run: Any, tmp_path: Path) -> None:
    """400 with what to do, on the health too; no token is looked at; other garbage is dropped; HTTPS goes on."""
    node, certificate = secured
    plain = f"http://127.0.0.1:{node.web_port}/dicom-web/studies"
    code, output = await run(
        *(
            "curl",
            "--silent",
            "--max-time",
            60,
            "--config",
            _token(tmp_path, TOKEN),
            "--write-out",
            " %{http_code}",
        ),
        plain,
    )
    assert (code, output) == (0, "plain HTTP came to the port for HTTPS: use https:// in its URL\n 400")
    async with asyncio.timeout(30):
        async for health in node.health_changes():
            if "plain HTTP came to the port for HTTPS" in health.detail:
                break
    reader, writer = await asyncio.open_connection("127.0.0.1", node.web_port)
    writer.write(b"\x00garbage" * 100)
    try:
        assert b"HTTP" not in await reader.read(65536)
    except ConnectionError:
        pass
    finally:
        writer.close()
    async with httpx2.AsyncClient(verify=ssl.create_default_context(cafile=certificate), timeout=60) as http:
        assert (await http.get(plain.replace("http:", "https:"))).status_code == 401
