"""One C-FIND from its command to its last answer (PS3.4 C.4.1)."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, Protocol

from devices.dicom.services.commands import Command, Status
from devices.dicom.services.querying import (
    LONGEST_IDENTIFIER_BYTES,
    Lookup,
    Matches,
    QueryRefused,
    decode_question,
    encode_answer,
)
from devices.dicom.services.request import Refuse
from devices.dicom.upper_layer.user import Conclusion, Unacceptable, Work

BATCH: Final = 25
"""Answers that are sent at once; between two batches a cancellation is heard, and the peer waited for."""


class Answer(Protocol):
    """Sends one answer to the request."""

    def __call__(self, status: Status, *, data_set: bytes | None = None, comment: str = "") -> None:
        """Send it."""


class Finding:
    """A query, while its identifier comes in and until its answers are sent.

    Parameters
    ----------
    command
        What was asked.
    model
        The information model of its presentation context.
    lookup
        Finds what matches; None where nothing can be looked up.
    transfer_syntax
        How identifiers are encoded.
    answer, refuse
        Send an answer; tell of a refusal.
    disclosed
        Told how many matches of which studies are about to be sent.

    """

    def __init__(
        self,
        command: Command,
        *,
        model: str,
        lookup: Lookup | None,
        transfer_syntax: str,
        answer: Answer,
        refuse: Refuse,
        disclosed: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._message_id = command.message_id
        self._model = model
        self._lookup = lookup
        self._transfer_syntax = transfer_syntax
        self._answer = answer
        self._refuse = refuse
        self._disclosed = disclosed
        self._content = bytearray()
        self._is_cancelled = False
        self._batches: Iterator[list[bytes]] | None = None
        self._pending = Status.PENDING
        self._are_all = True

    def take(self, content: memoryview) -> None:
        """Gather part of the identifier."""
        self._content += content
        if len(self._content) > LONGEST_IDENTIFIER_BYTES:
            raise Unacceptable(f"a query of more than {LONGEST_IDENTIFIER_BYTES} bytes")

    def finish(self) -> Work:
        """Look up what matches; the answers follow by ``more``."""
        return self._look_up

    def more(self) -> Work | None:
        """Give the work of sending the next answers; None when none are to be sent."""
        return None if self._batches is None else lambda: self._go_on

    def cancel(self, message_id: int) -> None:
        """Send no more answers, if this is what is to be cancelled."""
        self._is_cancelled = self._is_cancelled or message_id == self._message_id

    def discard(self) -> None:
        """Send nothing more: the association has ended."""
        self._batches = None

    def _look_up(self) -> Conclusion:
        if self._lookup is None:
            return partial(self._turn_down, QueryRefused(Status.UNABLE_TO_PROCESS, "queries are not served"))
        try:
            question = decode_question(
                bytes(self._content), model=self._model, transfer_syntax=self._transfer_syntax
            )
            matches = self._lookup(question)
        except QueryRefused as exc:
            return partial(self._turn_down, exc)
        encoded = [encode_answer(one, transfer_syntax=self._transfer_syntax) for one in matches.answers]
        return partial(self._begin, matches, encoded)

    def _turn_down(self, refused: QueryRefused) -> None:
        self._refuse(f"a query: {refused}")
        self._answer(refused.status, comment=str(refused))

    def _begin(self, matches: Matches, encoded: list[bytes]) -> None:
        self._disclosed(matches.studies)
        self._are_all = matches.are_all
        if not matches.is_every_key_known:
            self._pending = Status.PENDING_WITHOUT_KEYS
        self._batches = iter([encoded[start : start + BATCH] for start in range(0, len(encoded), BATCH)])

    def _go_on(self) -> None:
        batch = None if self._is_cancelled or self._batches is None else next(self._batches, None)
        if batch is not None:
            for data_set in batch:
                self._answer(self._pending, data_set=data_set)
            return
        self._batches = None
        if self._is_cancelled:
            self._answer(Status.CANCELLED)
        elif self._are_all:
            self._answer(Status.SUCCESS)
        else:
            self._answer(Status.OUT_OF_RESOURCES, comment="more match than are sent: ask for less")
