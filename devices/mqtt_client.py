"""aiomqtt's client, mended where a broken connection would print a traceback."""

import socket

import aiomqtt
from paho.mqtt.client import Client


class MqttClient(aiomqtt.Client):
    """Watches its socket for writing only while there is one and something to write.

    aiomqtt 2.5.1 hands the descriptor to the event loop for its next turn; where paho has closed the socket by
    then, the loop finds a bad descriptor, or somebody else's, and says so with a traceback.
    """

    def _on_socket_register_write(self, client: Client, userdata: object, sock: socket.socket) -> None:  # noqa: ARG002
        def write() -> None:
            try:
                client.loop_write()
            except (OSError, ValueError) as exc:  # the connection broke, or was closed meanwhile
                if not self._disconnected.done():
                    self._disconnected.set_exception(exc)

        def watch() -> None:
            if sock.fileno() >= 0 and client.want_write():
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(watch)
