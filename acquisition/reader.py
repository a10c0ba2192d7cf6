"""The process that reads one study: ``python -m acquisition.reader PIPE``.

Takes the paths of the study's objects, and what is known that they do not say, as JSON on standard input; sends
what it read through the pipe whose descriptor it was started with (``acquisition.reading``).
"""

import sys
from multiprocessing.connection import Connection

from acquisition.apart import stand_back
from acquisition.reading import read_map, read_question

NICENESS = 10
"""A study may be there a second later; a count or a frame may not."""


def main() -> None:
    """Read the study and answer."""
    stand_back(NICENESS)
    with Connection(int(sys.argv[1]), readable=False) as answers:
        answers.send(read_map(*read_question(sys.stdin.read())))


if __name__ == "__main__":
    main()
