"""Who works at a real bench: a person at the terminal, or whoever keeps pace without being asked."""

import getpass
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

from acquisition.quality.steps import Assay
from acquisition.quality.technologist import Technologist, Unasked
from acquisition.quality.terminal import Keyboard, Terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What the command line says of who works.

    Attributes
    ----------
    person
        Who signs; None: asked for, or the account's name where nobody is asked.
    is_unasked
        Nothing is asked and no Enter waited for.
    activity_mbq
        Of the point source just now, where nobody is asked.

    """

    person: str | None = None
    is_unasked: bool = False
    activity_mbq: float | None = None

    async def technologist(self, console: Console) -> tuple[Technologist, str]:
        """Give who works at a real bench, and the name that signs."""
        if not self.is_unasked:
            terminal = Terminal(console, Keyboard(sys.stdin.fileno()), now=lambda: datetime.now(tz=UTC))
            return terminal, self.person or await terminal.person()
        point = None
        if self.activity_mbq is not None:
            point = Assay(activity_mbq=self.activity_mbq, measured_at=datetime.now(tz=UTC))
        return Unasked(lambda said: console.print(escape(said)), point), self.signature

    @property
    def signature(self) -> str:
        """The name that signs where nobody is asked."""
        return self.person or f"account {getpass.getuser()}"
