"""Candidate targets of a SPECT or PET volume."""

from navigation.hotspots.drawing import add_drawn
from navigation.hotspots.finding import Hotspot, find_candidates, find_hotspots
from navigation.hotspots.naming import NamedPlace, keep_names
from navigation.hotspots.physiology import propose_organs
from navigation.hotspots.resolution import Resolution

__all__ = [
    "Hotspot",
    "NamedPlace",
    "Resolution",
    "add_drawn",
    "find_candidates",
    "find_hotspots",
    "keep_names",
    "propose_organs",
]
