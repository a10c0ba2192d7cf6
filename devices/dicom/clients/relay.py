"""What an archive sends on our association (C-GET), handed to our node: its own checks hold, and its durability.

The node has the lock of its folder, and counts, announces and audits what it takes. So what comes is sent to it,
as the archive's, and the archive is answered as the node answers: Success means that the node has it on the disk.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext, build_context

from devices.dicom.clients.answers import Fate, judge
from devices.dicom.clients.association import PeerFailed, associated
from devices.dicom.settings import NodeSettings, Peer

OUT_OF_RESOURCES: Final = 0xA700

EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what the site file may say, not bound here
"""Where a node is reached from its own machine that listens on every address."""


class Relay:
    """Hands objects on, one at a time. Made by ``relaying``.

    ``failed`` are those that the node did not take, by UID, with the reason.
    """

    def __init__(self, node: Association, folder: Path) -> None:
        self._node = node
        self._path = folder / "object.dcm"
        self.failed: dict[str, str] = {}

    def store(self, event: Event) -> int:
        """Hand on what a C-STORE request brought, and give the node's status."""
        self._path.write_bytes(event.encoded_dataset())  # as it came, with a head that names its transfer syntax
        try:
            answer = self._node.send_c_store(self._path)
            status = answer.Status if "Status" in answer else None
        except RuntimeError:  # pynetdicom's, where the association has ended
            status = None
        if status is None:
            fate, reason, status = Fate.POSTPONED, "the node broke off: its log tells why", OUT_OF_RESOURCES
        else:
            fate, reason = judge(status)
        if fate is not Fate.STORED:
            self.failed[str(getattr(event.request, "AffectedSOPInstanceUID", ""))] = reason
        return int(status)


@contextmanager
def relaying(archive: Peer, node: NodeSettings, accepted: Sequence[PresentationContext]) -> Iterator[Relay]:
    """Open an association with our node, in the archive's name, for all that it may send.

    Raises
    ------
    PeerFailed
        Where the node does not run, or does not let the archive in from this machine.

    """
    ours = Peer(
        name="node",
        ae_title=node.ae_title,
        host=EVERY_ADDRESS.get(node.host, node.host),
        port=node.port,
    )
    contexts = [build_context(context.abstract_syntax or "", [*context.transfer_syntax]) for context in accepted]
    with TemporaryDirectory(prefix="radionav-") as folder:
        try:
            with associated(ours, contexts, calling_ae=archive.ae_title) as association:
                yield Relay(association, Path(folder))
        except PeerFailed as exc:
            if exc.peer is not ours:
                raise
            sentence = f"what it sends cannot be stored: {exc}; radionav must run, and let {archive.ae_title} in"
            raise PeerFailed(archive, f"{sentence} from this machine") from exc
