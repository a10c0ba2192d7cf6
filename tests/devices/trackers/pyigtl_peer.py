"""pyigtl in a process of its own, for its server takes over the signals and its threads outlive it.

``python pyigtl_peer.py serve`` prints its port, then sends one tool's pose at 100 Hz until its input ends.
``python pyigtl_peer.py listen PORT NAME`` prints each pose, or list of points, that it receives under this name as
a line of JSON, until its input ends.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import numpy as np
import pyigtl


def _until_input_ends(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def serve(ended: threading.Event) -> None:
    """Send TRANSFORMs, x counting up from 0; every other one with a version 2 header and metadata."""
    server = pyigtl.OpenIGTLinkServer(port=0, local_server=True)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sent = 0
    while not ended.is_set():
        if server.is_connected():
            matrix = np.array([(0.0, -1, 0, sent), (1, 0, 0, -2), (0, 0, 1, 100), (0, 0, 0, 1)])
            message = pyigtl.TransformMessage(matrix, device_name="Probe")
            message.header_version = 1 + sent % 2
            server.send_message(message, wait=False)
            server.send_message(pyigtl.StringMessage("ignored", device_name="Note"), wait=False)
            sent += 1
        time.sleep(0.01)


def listen(ended: threading.Event, port: int, tool: str) -> None:
    """Print what comes."""
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", port)
    while not ended.is_set():
        message = client.wait_for_message(tool, timeout=1)
        if message is None:
            continue
        if isinstance(message, pyigtl.PointMessage):
            described = zip(message.names, message.groups, message.positions, message.diameters, strict=True)
            line: dict[str, Any] = {
                "points": [
                    (name, group, np.asarray(position).tolist(), float(diameter))
                    for name, group, position, diameter in described
                ]
            }
        else:
            line = {
                "matrix": message.matrix.tolist(),
                "metadata": message.metadata,
                "sent_at_s": message.timestamp,
            }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    client.stop()


def run() -> None:
    """Do what the command line says."""
    ended = threading.Event()
    threading.Thread(target=_until_input_ends, args=(ended,), daemon=True).start()
    if sys.argv[1] == "serve":
        serve(ended)
    else:
        listen(ended, int(sys.argv[2]), sys.argv[3])
    sys.stdout.flush()
    os._exit(0)  # pyigtl's threads would keep the process for seconds


if __name__ == "__main__":
    run()
