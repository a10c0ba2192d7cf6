"""What carries an association."""

from typing import Protocol


class Connection(Protocol):
    """A TCP or TLS connection, as an association sees it; nothing here raises where the connection is gone."""

    def write(self, content: bytes) -> None:
        """Send bytes in one piece: two would wait for each other's acknowledgement (Nagle)."""

    def end_writing(self) -> None:
        """Say that nothing more comes from us."""

    def close(self) -> None:
        """Close it once what was written is sent."""

    def drop(self) -> None:
        """Close it at once."""

    def start_artim(self) -> None:
        """Start the ARTIM timer anew; the association is told when it expires."""

    def stop_artim(self) -> None:
        """Stop it."""

    def detach(self) -> int | None:
        """Give away its descriptor and leave it open; None where it cannot be."""
