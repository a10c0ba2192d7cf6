"""Whether what answers at a port now is what answered there first: a calibration belongs to one instrument."""

from devices.errors import DeviceError
from devices.protocols import Accounted


class FirstAnswer:
    """What answered first; one that cannot say who it is must hang on the same USB adapter ever after.

    Parameters
    ----------
    device
        The device's name in the site file.

    """

    def __init__(self, device: str) -> None:
        self.identity = ""
        """What it says it is; empty where it cannot say, and before it answered."""
        self._device = device
        self._adapter: str | None = None
        self._is_known = False

    def check(self, identity: str, connection: object) -> None:
        """Note what answers first, and refuse another; ``connection`` is the one that it answers over.

        Raises
        ------
        DeviceError
            With the sentence that says which is wanted.

        """
        adapter = connection.adapter if isinstance(connection, Accounted) else None
        if self._is_known and identity != self.identity:
            raise DeviceError(
                self._device,
                f"another instrument answers: {identity or 'a nameless one'} instead of "
                f"{self.identity or 'a nameless one'}; connect the former one, or restart to use this one",
            )
        if self._is_known and not identity and adapter != self._adapter:
            raise DeviceError(
                self._device,
                f"another adapter has its port: {adapter or 'none on USB'} instead of "
                f"{self._adapter or 'none on USB'}, and the instrument cannot say who it is; plug it in where it "
                "was and name its port by /dev/serial/by-id or by-path, or restart to use this one",
            )
        self.identity, self._adapter, self._is_known = identity, adapter, True
