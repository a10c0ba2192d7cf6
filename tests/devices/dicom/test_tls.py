"""TLS beside plain DICOM, with DCMTK as the console."""

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.client import run_node
from devices.errors import DeviceUnavailable
from tests.devices.dicom.certificates import Authority, certify
from tests.devices.dicom.seen import ended, is_refused

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.peer("openssl")]


async def test_both_sides_show_a_certificate(settings: Any, run: Any, thing: Any, tmp_path: Path) -> None:
    """A console with the certificate that is asked for delivers; another, or none, is refused; plain goes on."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    console_key, console_certificate = await asyncio.to_thread(certify, tmp_path, "console")
    stranger_key, stranger_certificate = await asyncio.to_thread(certify, tmp_path, "stranger")
    tls = {"port": 0, "certificate": certificate, "key": key, "client_ca": console_certificate}
    file = thing().write(tmp_path / "one.dcm")
    async with run_node(settings(tls=tls)) as node:
        trusting = ("+cf", certificate, "-aec", "RADIONAV")
        known = ("storescu", "+tls", console_key, console_certificate, *trusting)
        code, output = await run(*known, "127.0.0.1", node.tls_port, file)
        assert code == 0, output
        for stranger in (("+tls", stranger_key, stranger_certificate), ("+tla",)):
            code, _ = await run("echoscu", *stranger, *trusting, "127.0.0.1", node.tls_port)
            assert code != 0
        code, _ = await run("echoscu", "-aec", "RADIONAV", "127.0.0.1", node.tls_port)
        assert code != 0, "plain DICOM on the port for TLS"
        code, output = await run("echoscu", "-aec", "RADIONAV", "127.0.0.1", node.port)
        assert code == 0, output


async def test_handshakes_that_say_nothing_do_not_keep_others_out(settings: Any, run: Any, tmp_path: Path) -> None:
    """Of fifty from one address that begin no TLS all but a few are closed at once, and a console is served."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    tls = {"port": 0, "certificate": certificate, "key": key}
    async with run_node(settings(tls=tls, request_time_s=60)) as node, asyncio.timeout(40):
        silent = [await asyncio.open_connection("127.0.0.1", node.tls_port) for _ in range(50)]
        for reader, _ in silent[:42]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
        trusting = ("+tla", "+cf", certificate, "-aec", "RADIONAV")
        code, output = await run("echoscu", *trusting, "127.0.0.1", node.tls_port)
        assert code == 0, output
        for _, writer in silent:
            writer.close()


async def test_who_signed_it_and_until_when_counts(settings: Any, run: Any, thing: Any, tmp_path: Path) -> None:
    """Of certificates by one name only that of the authority that is named, and in its time, lets a console in."""
    node, ours = await asyncio.to_thread(lambda: [Authority(tmp_path / name) for name in ("node", "ours")])
    key, certificate = await asyncio.to_thread(node.issue, "node")
    tls = {"port": 0, "certificate": certificate, "key": key, "client_ca": ours.certificate}
    file = thing().write(tmp_path / "one.dcm")
    async with run_node(settings(tls=tls)) as running:
        command = ("storescu", "+cf", node.certificate, "-aec", "RADIONAV")
        for issuer, days, is_let_in, sentence in (
            (ours, (-1, 2), True, ""),
            (ours, (-3, -1), False, "certificate has expired"),
            (ours, (1, 2), False, "certificate is not yet valid"),
            (node, (-1, 2), False, ""),
        ):
            shown = await asyncio.to_thread(issuer.issue, "camera", days=days)
            code, output = await run(*command, "+tls", *shown, "127.0.0.1", running.tls_port, file)
            assert (code == 0) is is_let_in, output
            assert not sentence or await is_refused(running, sentence)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "the beginning"])
async def test_a_handshake_that_does_not_come_is_given_up(
    settings: Any, console: Any, tmp_path: Path, said: bytes
) -> None:
    """After the time for a request, from one that says nothing and from one that says a byte at a time."""

    async def trickle(raw: Any) -> None:
        for byte in said:
            raw.writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    tls = {"port": 0, "certificate": certificate, "key": key}
    async with run_node(settings(tls=tls, request_time_s=0.3)) as node, console(node.tls_port) as raw:
        trickling = asyncio.create_task(trickle(raw))
        await ended(raw)
        trickling.cancel()
        assert await is_refused(node, "no TLS connection")


async def test_garbage_on_the_port_for_tls_is_counted_and_forgotten(
    settings: Any, run: Any, console: Any, tmp_path: Path
) -> None:
    """Each of twenty that speak no TLS is one refusal and takes no room; a console is served after them."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    tls = {"port": 0, "certificate": certificate, "key": key}
    async with run_node(settings(tls=tls, maximum_associations=1)) as node:
        for garbage in [b"GET / HTTP/1.1\r\n\r\n", bytes(range(256))] * 10:
            async with console(node.tls_port) as raw:
                raw.writer.write(garbage)
                await ended(raw)
        trusting = ("+tla", "+cf", certificate, "-aec", "RADIONAV")
        code, output = await run("echoscu", *trusting, "127.0.0.1", node.tls_port)
        assert code == 0, output
        async with asyncio.timeout(20), aclosing(node.health_changes()) as changes:
            async for health in changes:
                if health.rejected >= 20:
                    break
        assert (health.rejected, "no TLS connection" in health.detail) == (20, True)


async def test_old_tls_is_refused(settings: Any, run: Any, tmp_path: Path) -> None:
    """TLS 1.1 is refused; so is 1.2 without forward secrecy or without authenticated encryption (BCP 195)."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    async with run_node(settings(tls={"port": 0, "certificate": certificate, "key": key})) as node:
        place = ("-connect", f"127.0.0.1:{node.tls_port}", "-CAfile", certificate)
        for version, cipher, is_accepted in (
            ("-tls1_1", "ALL@SECLEVEL=0", False),
            ("-tls1_2", "AES128-SHA", False),
            ("-tls1_2", "ECDHE-RSA-AES128-SHA256", False),
            ("-tls1_2", "ECDHE-RSA-AES128-GCM-SHA256", True),
        ):
            _, output = await run("openssl", "s_client", *place, version, "-cipher", cipher)
            assert ("Verify return code: 0 (ok)" in output and "Cipher is (NONE)" not in output) == is_accepted


async def test_a_missing_certificate_is_one_plain_sentence(settings: Any, tmp_path: Path) -> None:
    """The node does not start, and the error names the files."""
    tls = {"port": 0, "certificate": tmp_path / "none.pem", "key": tmp_path / "none.key"}
    with pytest.raises(DeviceUnavailable, match=r"none\.pem.*that can be read"):
        async with run_node(settings(tls=tls)):
            pass
