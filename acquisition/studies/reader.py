"""The process that reads a study: ``python -m acquisition.studies.reader CONNECTION`` (``acquisition.apart``).

Takes the paths of the study's objects, and what is known that they do not say; answers with what it read
(``acquisition.studies.reading``). Asked None, it answers None: it is there.
"""

from pathlib import Path

from acquisition.apart import answer_all, limit_memory
from acquisition.studies import Knowledge
from acquisition.studies.reading import MOST_BYTES, StudyMap, read_map

NICENESS = 10
"""A study may be there a second later; a count or a frame may not."""


def answer(question: tuple[tuple[Path, ...], Knowledge] | None) -> StudyMap | None:
    """Read a study."""
    return None if question is None else read_map(*question)


if __name__ == "__main__":
    limit_memory(MOST_BYTES)
    answer_all(answer, niceness=NICENESS)
