"""Transactions of storage commitment on the disk: a file each, from their request until they are reported."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from devices.dicom.services.commitment import Transaction
from devices.dicom.storage.durability import make_folder, write_durably

FOLDER: Final = ".commitments"

log = structlog.get_logger()


class UnreadableTransaction(Exception):
    """Raised when the file of a transaction is gone, or does not hold one."""


def place(folder: Path, transaction: Transaction) -> Path:
    """Name the file of a transaction in a store's folder."""
    # two senders may choose one UID; in hexadecimal a title holds nothing that a path does not
    return folder / FOLDER / f"{transaction.transaction_uid}.{transaction.calling_ae.encode().hex()}.json"


def whose(path: Path) -> str:
    """Say whose a transaction is, by the name of its file; empty where that is not ours."""
    try:
        return bytes.fromhex(path.stem.rpartition(".")[2]).decode()
    except ValueError:
        return ""


def keep(path: Path, transaction: Transaction) -> None:
    """Write a transaction durably, in place of what was known of it; raises ``OSError``."""
    make_folder(path.parent)
    write_durably(path, msgspec.json.encode(transaction))


def kept(folder: Path) -> list[Path]:
    """Files of the transactions in a store's folder whose senders have not heard yet."""
    return sorted((folder / FOLDER).glob("*.json"))


def read(path: Path) -> Transaction:
    """Read a transaction.

    Raises
    ------
    UnreadableTransaction
        Where its file is gone, or holds something else.
    OSError
        Where the disk refuses.

    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Transaction)
    except (FileNotFoundError, msgspec.DecodeError) as exc:
        raise UnreadableTransaction(f"{path}: {exc}") from exc


def left_behind(folder: Path) -> Iterator[Transaction]:
    """Read the transactions in a store's folder, one after another."""
    for path in kept(folder):
        try:
            yield read(path)
        except UnreadableTransaction as exc:
            log.warning("a commitment cannot be read", reason=str(exc))
