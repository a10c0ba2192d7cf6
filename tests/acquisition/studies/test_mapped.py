"""Large arrays in a file."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition.studies.mapped import SMALLEST_BYTES, map_arrays
from navigation.volume import Volume, VolumeGeometry


def make_volume() -> Volume:
    """Four times as large as is worth a file, its values all different."""
    shape = (16, 256, SMALLEST_BYTES // 4 // 1024)
    geometry = VolumeGeometry(
        patient_from_voxel=np.diag([3.0, 2, 1, 1]), shape=shape, frame_of_reference_uid="1.2"
    )
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(geometry=geometry, values=values, quantity="attenuation", unit="HU")


def resident_in_memory_kb(array: NDArray[np.float32]) -> int:
    """Memory that nobody can take back from an array, as the system tells it of the mapping that it lies in."""
    address = array.ctypes.data + array.nbytes // 2  # its first page may be a mapping of its own
    is_there, private_kb = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, _, rest = line.partition(" ")
        if "-" in first and not first.endswith(":"):
            low, high = (int(part, 16) for part in first.split("-"))
            is_there = low <= address < high
        elif is_there and first == "Anonymous:":
            private_kb = int(rest.split()[0])
    return private_kb


def test_a_volume_is_the_same_and_takes_no_memory(tmp_path: Path) -> None:
    """Its values lie in a file that has no name any more; nothing of them is memory of this process."""
    volume = make_volume()
    mapped = map_arrays(volume, tmp_path)
    np.testing.assert_array_equal(mapped.values, volume.values)
    np.testing.assert_array_equal(mapped.geometry.patient_from_voxel, volume.geometry.patient_from_voxel)
    assert mapped.values.flags.aligned
    assert not mapped.values.flags.writeable
    assert resident_in_memory_kb(volume.values) >= SMALLEST_BYTES // 1024
    assert resident_in_memory_kb(mapped.values) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_small_is_left_as_it_is(tmp_path: Path) -> None:
    """No file is made for a few numbers."""
    held = np.arange(100.0)
    assert map_arrays(held, tmp_path) is held


def test_a_disk_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """Whoever asked then keeps it in memory."""
    with pytest.raises(FileNotFoundError):
        map_arrays(make_volume(), tmp_path / "nowhere")
