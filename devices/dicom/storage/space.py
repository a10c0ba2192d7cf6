"""Watches the room on the disk: tells when it falls below the floor, and when there is room again."""

import asyncio
from collections.abc import Callable

from devices.dicom.storage.store import ObjectStore

LOOK_EVERY_S = 2.0


class SpaceWatch:
    """Looks at the free space.

    Parameters
    ----------
    store
        Whose floor it is.
    tell
        Called with a sentence when there is too little, and with an empty one when there is enough again.

    """

    def __init__(self, store: ObjectStore, *, tell: Callable[[str], None]) -> None:
        self._store = store
        self._tell = tell
        self._is_told = False

    def look(self) -> None:
        """Look now; a refusal may be for want of space, and is then told after its cause."""
        try:
            self._store.check_space()
        except OSError as exc:
            if not self._is_told:
                self._is_told = True
                self._tell(str(exc))
        else:
            if self._is_told:
                self._is_told = False
                self._tell("")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)
