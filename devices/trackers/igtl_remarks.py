"""What an OpenIGTLink sender says besides poses: the newest of each name, words in the log."""

from collections.abc import Mapping
from typing import TypeAlias

import structlog

from devices.trackers.igtl import Message
from devices.trackers.igtl_values import Capability, Sensor, Words

log = structlog.get_logger()

GREATEST_REMARKS = 64
"""Names whose remarks are kept; a sender that invents names without end is not remembered without end."""

Remark: TypeAlias = Sensor | Words | Capability
"""What a tracker says that is no pose."""

READERS: Mapping[str, type[Sensor] | type[Words] | type[Capability]] = {
    kind.KIND: kind for kind in (Sensor, Words, Capability)
}


class Remarks:
    """Keeps what one link's sender said; ``device`` is its name in the site file, for the log."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._newest: dict[tuple[str, str], Remark] = {}

    @property
    def newest(self) -> Mapping[tuple[str, str], Remark]:
        """The newest remark by message type and device name."""
        return self._newest

    def take(self, message: Message) -> None:
        """Keep a message that is a remark; pass over any other; ``FrameError`` where it does not fit its type."""
        reader = READERS.get(message.kind)
        if reader is None:
            return
        remark, key = reader.from_bytes(message.content), (message.kind, message.device_name)
        former = self._newest.get(key)
        if former == remark or (former is None and len(self._newest) >= GREATEST_REMARKS):
            return
        self._newest[key] = remark
        match remark:
            case Words():
                log.info("tracker_says", device=self._device, about=message.device_name, words=remark.text[:200])
            case Capability():
                log.info("tracker_knows", device=self._device, kinds=remark.kinds[:64])
