"""Spatial registration objects, written with pydicom alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.acquisition.studies.written import make_object, save


def write_registration(
    folder: Path,
    *,
    to_uid: str,
    motions: Sequence[tuple[str, NDArray[np.float64]]],
    series: str = "1.2.826.60",
    kind: str = "RIGID",
    edit: Callable[[Dataset], None] | None = None,
) -> list[Path]:
    """Write an object that brings frames of reference into ``to_uid`` by 4 x 4 motions, mm."""
    dataset = make_object(uid.SpatialRegistrationStorage, "REG", series, 0)
    dataset.FrameOfReferenceUID, dataset.ContentLabel = to_uid, "FUSION"
    items = []
    for from_uid, motion in [(to_uid, np.eye(4)), *motions]:
        matrix, registration, item = Dataset(), Dataset(), Dataset()
        matrix.FrameOfReferenceTransformationMatrixType = kind
        matrix.FrameOfReferenceTransformationMatrix = [f"{number:.10g}" for number in motion.ravel()]
        registration.MatrixSequence = Items([matrix])
        item.FrameOfReferenceUID, item.MatrixRegistrationSequence = from_uid, Items([registration])
        items.append(item)
    dataset.RegistrationSequence = Items(items)
    if edit:
        edit(dataset)
    return [save(dataset, folder / f"{series}.dcm")]
