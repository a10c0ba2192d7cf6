"""Answers to requests that the node sends on an association that a console opened."""

import asyncio
from collections.abc import Callable

from devices.dicom.services.commands import STATUS, Command
from devices.dicom.upper_layer.user import Channel


class Answers:
    """Those that are waited for, by message ID."""

    def __init__(self) -> None:
        self._asked: dict[int, asyncio.Future[int | None]] = {}

    async def ask(
        self,
        association: Channel,
        context_id: int,
        request: Callable[[int], bytes],
        data_set: bytes,
        *,
        time_s: float,
    ) -> int | None:
        """Send a request, made for a message ID, and wait for its status; None where there is none."""
        message_id = next(number for number in range(1, 65536) if number not in self._asked)
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._asked[message_id] = answer
        association.send(context_id, request(message_id), data_set)
        try:
            async with asyncio.timeout(time_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[message_id]

    def take(self, command: Command) -> None:
        """Take an answer; one that nobody waits for is dropped."""
        self._settle(command.message_id, command.number(STATUS))

    def give_up(self) -> None:
        """Let nobody wait any longer."""
        for message_id in self._asked:
            self._settle(message_id, None)

    def _settle(self, message_id: int, status: int | None) -> None:
        answer = self._asked.get(message_id)
        if answer is not None and not answer.done():
            answer.set_result(status)
