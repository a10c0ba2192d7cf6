"""TLS beside plain DICOM, with DCMTK as the console."""

import asyncio
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from devices.dicom.client import run_node
from devices.errors import DeviceUnavailable

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.peer("openssl")]


def certify(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a key and a certificate signed by itself, for 127.0.0.1."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(  # noqa: S603 - our own command
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


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


async def test_old_tls_is_refused(settings: Any, run: Any, tmp_path: Path) -> None:
    """TLS 1.1 is refused, 1.2 with forward secrecy accepted (BCP 195)."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "node")
    async with run_node(settings(tls={"port": 0, "certificate": certificate, "key": key})) as node:
        place = ("-connect", f"127.0.0.1:{node.tls_port}", "-CAfile", certificate)
        for version, cipher, is_accepted in (
            ("-tls1_1", "ALL@SECLEVEL=0", False),
            ("-tls1_2", "AES128-SHA", False),
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
