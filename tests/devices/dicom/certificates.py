"""Certificates for 127.0.0.1, made by OpenSSL: one that signs itself, and an authority's."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

AUTHORITY: Final = """\
[ca]
default_ca = issuing
[issuing]
new_certs_dir = .
database = index
default_md = sha256
rand_serial = yes
copy_extensions = copy
unique_subject = no
policy = any_name
[any_name]
commonName = supplied
"""

ADDRESS: Final = ("-addext", "subjectAltName=IP:127.0.0.1")


def certify(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a key and a certificate signed by itself; gives their files."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    _openssl(folder, "req", "-x509", "-days", "2", *_asked(key, name), "-out", certificate)
    return key, certificate


class Authority:
    """Signs certificates, in a folder of its own; two may have one name."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir()
        self._folder = folder
        self._key, self.certificate = certify(folder, name)
        (folder / "authority.cnf").write_text(AUTHORITY)
        (folder / "index").touch()

    def issue(self, name: str, *, days: tuple[int, int] = (-1, 2)) -> tuple[Path, Path]:
        """Make a key and a certificate that holds from and until so many days from now; gives their files."""
        key, certificate = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        request = certificate.with_suffix(".csr")
        _openssl(self._folder, "req", *_asked(key, name), "-out", request)
        times = ("-startdate", _when(days[0]), "-enddate", _when(days[1]))
        signer = ("-config", "authority.cnf", "-cert", self.certificate, "-keyfile", self._key)
        _openssl(self._folder, "ca", "-batch", "-notext", *signer, *times, "-in", request, "-out", certificate)
        return key, certificate


def _asked(key: Path, name: str) -> tuple[object, ...]:
    return ("-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", *ADDRESS, "-keyout", key)


def _when(days: int) -> str:
    return f"{datetime.now(tz=UTC) + timedelta(days=days):%Y%m%d%H%M%SZ}"


def _openssl(folder: Path, *arguments: object) -> None:
    subprocess.run(  # noqa: S603 - our own command
        ["openssl", *map(str, arguments)],  # noqa: S607 - the peer that is installed
        check=True,
        capture_output=True,
        cwd=folder,
    )
