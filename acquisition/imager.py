"""The process that makes the live image: ``python -m acquisition.imager CONNECTION``.

Takes a field, then batches, through the connection whose descriptor it was started with, and answers each batch
with an image (``acquisition.imaging``). Whatever else wants the processor comes first.
"""

import os
import sys
from multiprocessing.connection import Connection

from threadpoolctl import threadpool_limits

from acquisition.imaging import Batch, Field
from navigation.image.freehand import Freehand

NICENESS = 10
"""How far it stands back: the picture may be late, a count or a frame may not."""


def main() -> None:
    """Renew the image with each batch until nobody asks any more."""
    os.nice(NICENESS)
    with threadpool_limits(limits=1), Connection(int(sys.argv[1])) as asker:
        field: Field = asker.recv()
        freehand = Freehand(field.response, field.tissue, frame_of_reference_uid=field.frame_of_reference_uid)
        try:
            while True:
                batch: Batch = asker.recv()
                asker.send(freehand.update(batch.observations, known_mm=batch.known_mm, known_mbq=batch.known_mbq))
        except (EOFError, OSError):  # the asker is gone, as at the end of the service
            return


if __name__ == "__main__":
    main()
