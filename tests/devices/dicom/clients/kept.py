"""Objects as the node keeps them."""

import dataclasses
from pathlib import Path

from devices.dicom.storage.part10 import EMPTY
from tests.devices.dicom.conftest import Thing

STUDY = "1.2.3"


def stored(path: Path, thing: Thing) -> Path:
    """Write an object as the node's store does, with its seal."""
    meta = dataclasses.replace(thing.meta, seal=EMPTY.over(thing.data_set))
    path.write_bytes(meta.to_bytes() + thing.data_set)
    return path


def kept_study(folder: Path, count: int) -> list[Path]:
    """Write a study of so many objects, as in a node's folder."""
    (folder / STUDY).mkdir(parents=True)
    uids = [f"{STUDY}.4.{number}" for number in range(count)]
    return [stored(folder / STUDY / f"{uid}.dcm", Thing(object_uid=uid)) for uid in uids]
