"""DICOM attributes read with a type, a count and a sentence when they are not there.

pydicom converts a value when it is first looked at, so a broken one may raise almost anything, late. Here is the
one place where that is met.
"""

import math
import reprlib
from collections.abc import Sized
from dataclasses import dataclass
from functools import cache
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_description, dictionary_has_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from acquisition.studies.errors import SeriesRefused

LONGEST_UID = 64
"""PS3.5 9.1."""

LARGEST_FACTOR = 1e12
"""Of a stored value by a private attribute: no value of an image is more, however little is stored."""


def attribute_name(keyword: str) -> str:
    """Spell a keyword as the standard does: ``Image Position (Patient) (0020,0032)``."""
    return _spell(Tag(tag_for_keyword(keyword) or 0))


def _spell(tag: BaseTag) -> str:
    name = dictionary_description(tag) if dictionary_has_tag(tag) else "private"
    return f"{name} ({tag.group:04x},{tag.element:04x})"


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The attributes of one data set, and where it came from for the sentence of a refusal.

    Every method raises `SeriesRefused` naming the attribute where its value is missing, empty, of the wrong
    number or not readable.
    """

    dataset: Dataset
    where: str

    def value(self, keyword: str) -> Any | None:
        """Whatever stands there; None where it is absent or empty."""
        try:
            tag = _tag(keyword)
            found = self.dataset[tag].value if tag in self.dataset else None
        except Exception as exc:  # pydicom raises whatever the broken value trips over
            raise SeriesRefused(f"{attribute_name(keyword)} in {self.where} cannot be read: {exc}") from exc
        return None if found is None or (isinstance(found, Sized) and not len(found)) else found

    def text(self, keyword: str) -> str:
        """One text, "" where there is none; several values are joined as DICOM does."""
        found = self.value(keyword)
        if found is None:
            return ""
        values = found if isinstance(found, MultiValue | list) else [found]
        return "\\".join(str(value).strip() for value in values)

    def required_text(self, keyword: str) -> str:
        """One text that must be there."""
        return self.text(keyword) or self._missing(keyword)

    def required_uid(self, keyword: str) -> str:
        """One UID that must be there.

        Taken from its bytes: a series has thousands of them, and pydicom's check of each takes longer than to read
        a slice.
        """
        item = self.dataset.get_item(_tag(keyword))
        if isinstance(item, RawDataElement) and isinstance(item.value, bytes):
            found = item.value.decode("ascii", "replace").strip(" \0") or self._missing(keyword)
        else:
            found = self.required_text(keyword)
        if len(found) > LONGEST_UID or not (found.isascii() and found.isprintable()):
            # two that are no text would come out the same, and join what does not belong together
            self._refuse(keyword, "is no UID")
        return found

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Every value of a multi-valued text."""
        return tuple(part.strip() for part in self.text(keyword).split("\\") if part)

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """Exactly ``count`` finite numbers."""
        numbers = self._numbers(keyword)
        if len(numbers) != count:
            self._refuse(keyword, f"holds {len(numbers)} values instead of {count}")
        return numbers

    def number(self, keyword: str) -> float:
        """One finite number that must be there."""
        return self.numbers(keyword, 1)[0]

    def optional_number(self, keyword: str) -> float | None:
        """One finite number, or None where the attribute is absent or empty."""
        return None if self.value(keyword) is None else self.number(keyword)

    def integers(self, keyword: str) -> tuple[int, ...]:
        """Read at least one whole number."""
        numbers = self._numbers(keyword)
        if any(number != int(number) for number in numbers):
            self._refuse(keyword, "holds a number that is not whole")
        return tuple(int(number) for number in numbers)

    def count(self, keyword: str) -> int:
        """One whole number above zero that must be there."""
        numbers = self.integers(keyword)
        if len(numbers) != 1 or numbers[0] < 1:
            self._refuse(keyword, f"is {numbers}, not one number above zero")
        return numbers[0]

    def tag_name(self, keyword: str) -> str:
        """Spell the attribute that an attribute points to (VR AT)."""
        numbers = self.integers(keyword)
        return _spell(Tag(numbers[0]))

    def private_text(self, creator: str, group: int, element: int) -> str:
        """Read a private attribute by its creator, as a text; "" where there is none."""
        try:
            if creator not in self.dataset.private_creators(group):
                return ""
            block = self.dataset.private_block(group, creator)
            found = block[element].value if element in block else ""
        except Exception as exc:  # as in value()
            raise SeriesRefused(
                f"({group:04x},xx{element:02x}) of {creator} in {self.where} cannot be read: {exc}"
            ) from exc
        # an implicit object does not tell the kind of a private value: its bytes are its text
        return (found.decode("ascii", "replace") if isinstance(found, bytes) else str(found or "")).strip(" \0")

    def private_number(self, creator: str, group: int, element: int) -> float | None:
        """Read a private attribute by its creator as a factor, above zero and likely; None where it is none."""
        try:
            number = float(self.private_text(creator, group, element))
        except ValueError:
            return None
        return number if 0 < number < LARGEST_FACTOR else None

    def many_numbers(self, keyword: str) -> NDArray[np.float64]:
        """Read at least one finite number, where there may be a million of them: from their text."""
        item = self.dataset.get_item(_tag(keyword))
        if not (isinstance(item, RawDataElement) and isinstance(item.value, bytes) and item.VR in {"DS", None}):
            return np.array(self._numbers(keyword))
        parts = item.value.strip(b" \0").split(b"\\")
        if parts == [b""]:
            self._missing(keyword)
        try:
            numbers = np.array([float(part) for part in parts])
        except ValueError as exc:
            raise SeriesRefused(f"{attribute_name(keyword)} in {self.where} holds what is no number") from exc
        if not np.isfinite(numbers).all():
            self._refuse(keyword, "holds a value that is not finite")
        return numbers

    def items(self, keyword: str) -> tuple["Attributes", ...]:
        """Each item of a sequence, none where it is absent or empty."""
        found = self.value(keyword)
        if found is None:
            return ()
        if not isinstance(found, Sequence):
            self._refuse(keyword, "is no sequence")
        return tuple(Attributes(dataset=item, where=self.where) for item in found)

    def _numbers(self, keyword: str) -> tuple[float, ...]:
        found = self.value(keyword)
        if found is None:
            return self._missing(keyword)
        values = found if isinstance(found, MultiValue | list) else [found]
        try:
            numbers = tuple(float(value) for value in values)
        except (TypeError, ValueError) as exc:
            raise SeriesRefused(
                f"{attribute_name(keyword)} in {self.where} is no number: {reprlib.repr(found)}"
            ) from exc
        if not all(math.isfinite(number) for number in numbers):
            self._refuse(keyword, "holds a value that is not finite")
        return numbers

    def _missing(self, keyword: str) -> Never:
        raise SeriesRefused(f"{attribute_name(keyword)} is missing or empty in {self.where}")

    def _refuse(self, keyword: str, why: str) -> Never:
        raise SeriesRefused(f"{attribute_name(keyword)} in {self.where} {why}")
