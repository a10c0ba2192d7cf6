"""The key that seals records, and the chain that the seals make.

A record's seal is HMAC-SHA256 (RFC 2104, FIPS 198-1) over all its fields and the seal of the record before it: who
has not the key cannot change, exchange or insert a record without its seal ceasing to fit. What a chain alone does
not tell is that its end was cut off; the number and seal of the newest record stand in a file beside the key.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devices.dicom.storage.durability import synchronise_folder, write_durably

KEY_BYTES: Final = 32
"""As long as the digest (RFC 2104, 3)."""

FIRST: Final = "0" * 64
"""What stands in place of the seal before the first record."""


class LogbookUnusable(Exception):
    """Raised when the logbook cannot be used; the message says which file or database, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record: its number, 0 where there is none, and its seal."""

    number: int
    seal: str


class SealKey:
    """The key of one machine, in a file that only its owner reads."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self.key_id = hashlib.sha256(key).hexdigest()[:16]
        """Names the key without telling it."""

    @classmethod
    def open(cls, path: Path) -> "SealKey":
        """Read the key; one is made where there is no file.

        Raises
        ------
        LogbookUnusable
            Where it cannot be read or made, others may read it, or it is no key.

        """
        try:
            if not path.exists():
                _make(path)
            mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as exc:
            raise LogbookUnusable(f"{path}: the logbook's key cannot be read: {exc}") from exc
        if mode & 0o077:
            raise LogbookUnusable(f"{path}: others may read the logbook's key: chmod 600 {path}")
        try:
            key = bytes.fromhex(text.strip())
        except ValueError as exc:
            raise LogbookUnusable(f"{path}: is no key: bring back the copy that was kept of it") from exc
        if len(key) != KEY_BYTES:
            raise LogbookUnusable(f"{path}: {len(key)} bytes, and a key has {KEY_BYTES}: bring back its copy")
        return cls(path, key)

    def seal(self, fields: Mapping[str, Any]) -> str:
        """Seal a record's fields, plain JSON types, the seal of the record before it among them."""
        said = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else add with this key meanwhile."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @property
    def _head_file(self) -> Path:
        return self._path.with_name(f"{self._path.name}.head")

    def head(self) -> Head:
        """Read what the newest record was.

        Raises
        ------
        LogbookUnusable
            Where the file cannot be read.

        """
        try:
            number, seal = self._head_file.read_text(encoding="ascii").split()
            return Head(int(number), seal)
        except FileNotFoundError:
            return Head(0, FIRST)
        except (OSError, ValueError) as exc:
            raise LogbookUnusable(f"{self._head_file}: does not tell the newest record: {exc}") from exc

    def note_head(self, head: Head) -> None:
        """Write what the newest record is."""
        try:
            write_durably(self._head_file, f"{head.number} {head.seal}\n".encode())
        except OSError as exc:
            raise LogbookUnusable(f"{self._head_file}: cannot be written: {exc.strerror}") from exc


def _make(path: Path) -> None:
    """Make a key; where two do so at once, one key holds for both."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    write_durably(written, secrets.token_hex(KEY_BYTES).encode() + b"\n")
    with suppress(FileExistsError):
        path.hardlink_to(written)
    written.unlink()
    synchronise_folder(path.parent)
