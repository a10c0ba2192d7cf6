"""Volumes as the page fetches them: unknown stays unknown, and nothing of another map is left."""

import numpy as np

from display.shelf import Shelf, ShelvedVolume, shelve
from navigation.volume import Volume, VolumeGeometry


def image(value: float) -> ShelvedVolume:
    """A live image of two voxels, one of them unknown."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=(1, 1, 2), frame_of_reference_uid="1.2")
    values = np.array([[[np.nan, value]]], dtype=np.float32)
    return shelve(Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL"))


def test_what_is_unknown_is_no_number() -> None:
    """It is sent as not a number, and is not the greatest value."""
    shelved = image(5.0)
    assert np.isnan(np.frombuffer(shelved.packed, "<f4")[0])
    assert shelved.state.greatest == 5.0
    assert shelved.state.dtype == "float32"


def test_the_image_before_the_newest_can_still_be_fetched() -> None:
    """A page that has just been told of it finds it; an older one is gone, as are all with another map."""
    shelf, study = Shelf(), image(9.0)
    shelf.replace(study)
    images = [image(float(number)) for number in range(3)]
    assert len({each.state.etag for each in images}) == 3
    for each in images:
        shelf.renew(each)
    assert [shelf.find(each.state.etag) for each in images] == [None, *images[1:]]
    assert shelf.find(study.state.etag) is study
    shelf.clear_images()
    assert shelf.find(images[2].state.etag) is None
    assert shelf.find(study.state.etag) is study
