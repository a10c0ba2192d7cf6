"""The process that speaks DICOMweb: ``python -m devices.dicom.web LINE LISTENER``, started by the node.

The two arguments are descriptors that it inherits: the line to the node, on which it tells what happens as workers
do, and the listening socket. Standard input gives the settings and the digests of the clients' tokens, a line of
JSON each; when it closes the process ends.
"""

import asyncio
import os
import socket
import sys

from pydicom import config

from devices.dicom.child import read_line
from devices.dicom.services.events import Cause, Event, Refusal
from devices.dicom.storage.store import ObjectStore
from devices.dicom.web.access import Access
from devices.dicom.web.application import Web, create_app
from devices.dicom.web.instructions import READY, Instructions
from devices.dicom.web.server import make_server
from devices.dicom.workers.handover import encode
from devices.stderr_log import log_to_stderr


async def _serve(instructions: Instructions) -> None:
    settings, web = instructions.settings, instructions.settings.web
    if web is None:
        raise RuntimeError("the settings are without DICOMweb")
    line, listener = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])

    def tell(happened: Event) -> None:
        try:
            line.send(encode(happened))
        except OSError:
            os._exit(1)  # the node is gone: nothing more may be acknowledged

    clients = {bytes.fromhex(instructions.digests[client.ae_title]): client for client in web.clients}
    store = ObjectStore(settings.folder, free_floor_mb=settings.free_floor_mb)
    application = create_app(
        Web(settings=settings, store=store, access=Access(clients, names=web.names), notify=tell)
    )
    server = make_server(
        application,
        settings,
        web,
        refuse=lambda reason: tell(Refusal(cause=Cause.CONNECTION, calling_ae="", address="", reason=reason)),
    )
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def until_closed() -> None:
        while await reader.read(65536):
            pass
        server.should_exit = True

    line.send(READY)
    closing = asyncio.create_task(until_closed(), name="standard input")
    try:
        await server.serve(sockets=[listener])
    finally:
        closing.cancel()


def main() -> None:
    """Run until the node is gone."""
    log_to_stderr()
    config.settings.reading_validation_mode = config.IGNORE  # what a sender wrote is shown as it is
    asyncio.run(_serve(Instructions.model_validate_json(read_line())))
