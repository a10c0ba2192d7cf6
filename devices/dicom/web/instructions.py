"""What the node tells the process that speaks DICOMweb when it starts it: one line of JSON on standard input."""

from devices.dicom.settings import NodeSettings, Section

READY = b"ready"
"""The first packet on the line back, when requests are answered; events follow (``workers.handover``)."""


class Instructions(Section):
    """The node's settings, and for each client the SHA-256 of its token, hexadecimal, by AE title."""

    settings: NodeSettings
    digests: dict[str, str]
