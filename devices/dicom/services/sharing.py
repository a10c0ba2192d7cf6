"""Who makes room, where there is no place for one more association."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Holder(Protocol):
    """An association that has a place; ``devices.dicom.services.provider.Served`` is one."""

    calling_ae: str
    is_behind: bool
    is_leaving: bool


H = TypeVar("H", bound=Holder)


def one_to_dismiss(sessions: Iterable[H], calling_ae: str) -> H | None:
    """Choose the association that ends for a new one of ``calling_ae``; None where all must stay.

    One that brings data sets at a fair pace stays, whoever asks. Of the others the oldest of the title that has
    most ends, unless that has fewer than the newcomer's would have: who has most takes nobody else's place.
    """
    staying = [one for one in sessions if not one.is_leaving]
    counts = Counter(one.calling_ae for one in staying)
    counts[calling_ae] += 1
    behind = [one for one in staying if one.is_behind and counts[one.calling_ae] >= counts[calling_ae]]
    return max(behind, key=lambda one: counts[one.calling_ae], default=None)
