"""Names of hot spots stay with their places when an image that comes later orders them otherwise."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from navigation.hotspots import Hotspot, NamedPlace, keep_names

FRAME = "1.2.3"


def spot(name: str, *centre_mm: float) -> Hotspot:
    """A spot at a place."""
    return Hotspot(
        name=name,
        kind="injection" if name.startswith("injection") else "target",
        centre_mm=np.array(centre_mm),
        covariance_mm2=np.eye(3),
        activity_mbq=None,
        activity_factor=2.0,
        peak=1.0,
        volume_ml=1.0,
        relative_to_hottest=1.0,
    )


def place(name: str, *centre_mm: float, frame: str = FRAME) -> NamedPlace:
    """Where a name was."""
    x_mm, y_mm, z_mm = centre_mm
    return NamedPlace(name=name, centre_mm=(x_mm, y_mm, z_mm), frame_of_reference_uid=frame)


def names(spots: Sequence[Hotspot], named: Sequence[NamedPlace]) -> list[str]:
    """Names that spots get."""
    kept = keep_names(spots, named, FRAME)
    assert [one.centre_mm.tolist() for one in kept] == [one.centre_mm.tolist() for one in spots]
    return [one.name for one in kept]


def test_a_name_follows_its_place() -> None:
    """The second spot has become the hotter one, and each has moved by 2 mm: the names stay."""
    found = [spot("target 1", 62, 0, 0), spot("target 2", 2, 0, 0)]
    assert names(found, [place("target 1", 0, 0, 0), place("target 2", 60, 0, 0)]) == ["target 2", "target 1"]


def test_a_new_spot_gets_a_name_that_was_never_in_use() -> None:
    """It is neither the first nor the second, though the second is not seen any more."""
    found = [spot("target 1", 0, 30, 0), spot("target 2", 0, 0, 0)]
    assert names(found, [place("target 1", 0, 0, 0), place("target 2", 60, 0, 0)]) == ["target 3", "target 1"]


def test_a_name_that_a_person_gave_is_none_of_a_new_spot() -> None:
    """Two of one name could not be told apart: not in what is counted, and not in what is taken out."""
    found = [spot("target 1", 0, 0, 0), spot("target 2", 60, 0, 0)]
    kept = keep_names(found, [place("target 1", 0, 0, 0)], FRAME, drawn={"target 2"})
    assert [one.name for one in kept] == ["target 1", "target 3"]


def test_what_became_an_injection_site_keeps_the_name_it_had() -> None:
    """A name is what a person knows it by, its kind what it is taken for; another site gets a name of its own."""
    named = [place("target 1", 0, 0, 0), place("injection", 90, 0, 0)]
    found = [spot("injection", 0, 0, 0), spot("target 1", 90, 0, 0)]
    assert names(found, named) == ["target 1", "injection"]
    assert [one.kind for one in keep_names(found, named, FRAME)] == ["injection", "target"]
    assert names([spot("injection", 0, 50, 0)], named) == ["injection 2"]


@pytest.mark.parametrize(("off_mm", "name"), [(4.9, "target 1"), (5.1, "target 2")])
def test_a_place_is_where_it_is_to_5_mm(off_mm: float, name: str) -> None:
    """Nodes 10 mm apart are told apart, so that what lies nearer than half of it is the same."""
    assert names([spot("target 1", off_mm, 0, 0)], [place("target 1", 0, 0, 0)]) == [name]


def test_of_two_near_one_place_the_nearer_keeps_the_name() -> None:
    """The other one is new, whichever of them comes first."""
    for near, far in itertools.permutations((0, 1)):
        found = [spot("", 0, 0, 0), spot("", 0, 0, 0)]
        found[near], found[far] = spot("target 1", 1, 0, 0), spot("target 2", -4, 0, 0)
        kept = names(found, [place("target 1", 0, 0, 0)])
        assert (kept[near], kept[far]) == ("target 1", "target 2")


def test_places_of_another_space_are_none_of_this() -> None:
    """Whatever lies at the same numbers of another frame of reference is another spot, with a new name."""
    assert names([spot("target 1", 0, 0, 0)], [place("target 1", 0, 0, 0, frame="1.2.9")]) == ["target 2"]
