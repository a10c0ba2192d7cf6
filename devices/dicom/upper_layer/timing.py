"""How long an association may take."""

from dataclasses import dataclass
from typing import Final

LOOKS_A_SILENCE: Final = 20
"""How often, in the longest silence allowed, the user learns how long it has been the peer's turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long an association may take for what.

    Attributes
    ----------
    artim_s
        The ARTIM timer (PS3.8 9.1.4, 9.1.5): to ask for an association, or to close the connection after its end.
    pdu_s
        From the first byte of a PDU to its last.
    idle_s
        Silence on an established association; time that we take ourselves does not count.
    total_s
        An association as a whole.

    """

    artim_s: float = 10.0
    pdu_s: float = 30.0
    idle_s: float = 120.0
    total_s: float = 14400.0

    @property
    def look_s(self) -> float:
        """After which the user learns again how long it has been the peer's turn."""
        return self.idle_s / LOOKS_A_SILENCE
