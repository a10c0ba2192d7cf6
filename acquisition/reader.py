"""The process that reads one study: ``python -m acquisition.reader PIPE``.

Takes the paths of the study's objects as JSON on standard input, and sends what it read through the pipe whose
descriptor it was started with (``acquisition.reading``).
"""

import json
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from acquisition.apart import stand_back
from acquisition.reading import read_map

NICENESS = 10
"""A study may be there a second later; a count or a frame may not."""


def main() -> None:
    """Read the study and answer."""
    stand_back(NICENESS)
    with Connection(int(sys.argv[1]), readable=False) as answers:
        answers.send(read_map([Path(path) for path in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
