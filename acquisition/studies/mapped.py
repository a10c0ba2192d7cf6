"""What holds large arrays, kept in a file: the system gives it memory while it is looked at, and takes it back.

A CT is held in half a gigabyte, and every study that came in is kept to be chosen: a week of them is more than a
machine has.
"""

import mmap
import pickle
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

SMALLEST_BYTES = 2**20
"""Of an array that is worth a place in the file."""

ALIGNED_BYTES = 64

Held = TypeVar("Held")


def map_arrays(held: Held, folder: Path | None) -> Held:
    """Give the same with its large arrays in a file without a name, read-only; it goes with the last of them.

    Parameters
    ----------
    held
        Anything that can be pickled.
    folder
        On whose disk; None for that of temporary files.

    Raises
    ------
    OSError
        Where it cannot be written there.

    """
    found: list[pickle.PickleBuffer] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        is_small = buffer.raw().nbytes < SMALLEST_BYTES
        if not is_small:
            found.append(buffer)
        return is_small

    told = pickle.dumps(held, protocol=5, buffer_callback=take)
    if not found:
        return held
    with TemporaryFile(dir=folder) as file:
        places = []
        for buffer in found:
            file.write(bytes(-file.tell() % ALIGNED_BYTES))
            places.append((file.tell(), buffer.raw().nbytes))
            file.write(buffer.raw())
        file.flush()
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    mapped: Held = pickle.loads(told, buffers=[view[first : first + size] for first, size in places])  # noqa: S301 - ours
    return mapped
