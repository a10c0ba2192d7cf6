"""What the node tells the process that sends: one line of JSON on standard input."""

from pathlib import Path

from devices.dicom.settings import AeTitle, Peer, Section


class Instructions(Section):
    """Our title, the node's folder, the destination, and the files of the orders that are due for it."""

    calling_ae: AeTitle
    folder: Path
    peer: Peer
    orders: tuple[Path, ...]
