"""The process of the live image: ``python -m acquisition.image.imager CONNECTION`` (``acquisition.apart``).

Takes a field, then batches, and answers each batch with an image (``acquisition.image.imaging``).
"""

from acquisition.apart import answer_all
from acquisition.image.imaging import Batch, Field
from navigation.image.freehand import Freehand, FreehandImage

NICENESS = 10
"""Whatever else wants the processor comes first: the picture may be late."""


class Darkroom:
    """Makes images in one field."""

    def __init__(self) -> None:
        self._freehand: Freehand | None = None

    def answer(self, question: Field | Batch) -> FreehandImage | None:
        """Begin with a field, then renew the image with each batch; None where there is none yet."""
        if isinstance(question, Field):
            self._freehand = Freehand(
                question.response,
                question.tissue,
                frame_of_reference_uid=question.frame_of_reference_uid,
                half_life_s=question.half_life_s,
            )
        elif self._freehand is not None:
            return self._freehand.update(
                question.observations, known_mm=question.known_mm, known_mbq=question.known_mbq
            )
        return None


if __name__ == "__main__":
    answer_all(Darkroom().answer, niceness=NICENESS)
