"""NDI's own library, in a process of its own, for its calls block: ``python ndicapi_peer.py PORT ROM``.

``PORT`` is a serial port's path or ``host:number``. It loads one passive tool, tracks it, asks once by TX and once
by BX, provokes an error, and prints what it read as a line of JSON. The library raises ``OSError`` for every error
and wrong checksum that it finds.
"""

import json
import sys
from contextlib import suppress

import ndicapy as ndi


def run(port: str, rom: str) -> None:
    """Do it all."""
    if port.startswith("/"):
        device = ndi.ndiOpen(port)
    else:
        host, number = port.rsplit(":", 1)
        device = ndi.ndiOpenNetwork(host, int(number))
    if device is None:
        raise SystemExit(f"NDI's library cannot open {port}")
    found = {"init": ndi.ndiCommand(device, "INIT:"), "version": ndi.ndiCommand(device, "VER:0")}
    if port.startswith("/"):
        found["comm"] = ndi.ndiCommand(device, f"COMM:{ndi.NDI_115200:d}{ndi.NDI_8N1:03d}{ndi.NDI_NOHANDSHAKE:d}")
    ndi.ndiCommand(device, "PHRQ:*********1****")
    handle = ndi.ndiGetPHRQHandle(device)
    ndi.ndiPVWRFromFile(device, handle, rom)
    ndi.ndiCommand(device, "PHSR:02")
    found["new handles"] = [
        ndi.ndiGetPHSRHandle(device, index) for index in range(ndi.ndiGetPHSRNumberOfHandles(device))
    ]
    found["handle"] = handle
    ndi.ndiCommand(device, f"PINIT:{handle:02X}")
    ndi.ndiCommand(device, f"PENA:{handle:02X}D")
    ndi.ndiCommand(device, "TSTART:")
    one = bytes([handle])  # the library's Python takes a handle as one character in some places
    ndi.ndiTX(device, ndi.NDI_XFORMS_AND_STATUS)
    found["tx"] = {
        "transform": ndi.ndiGetTXTransform(device, one),
        "port status": ndi.ndiGetTXPortStatus(device, one),
        "frame": ndi.ndiGetTXFrame(device, one),
        "system status": ndi.ndiGetTXSystemStatus(device),
    }
    ndi.ndiBX(device, ndi.NDI_XFORMS_AND_STATUS)
    found["bx"] = {
        "transform": ndi.ndiGetBXTransform(device, one),
        "port status": ndi.ndiGetBXPortStatus(device, one),
        "frame": ndi.ndiGetBXFrame(device, one),
        "system status": ndi.ndiGetBXSystemStatus(device),
    }
    # the library checks the answer; its Python has no getters for it, and takes its bytes for text afterwards
    with suppress(UnicodeDecodeError):
        ndi.ndiCommand(device, "BX2:--6d=tools --1d=none")
    found["bx2 error"] = ndi.ndiGetError(device)
    try:
        ndi.ndiCommand(device, "PHSR:00")
    except OSError as exc:
        found["error while tracking"] = str(exc)
    ndi.ndiCommand(device, "TSTOP:")
    (ndi.ndiClose if port.startswith("/") else ndi.ndiCloseNetwork)(device)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
