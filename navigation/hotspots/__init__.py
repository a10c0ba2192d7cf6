"""Candidate targets of a SPECT or PET volume."""

from navigation.hotspots.drawing import add_drawn
from navigation.hotspots.finding import Hotspot, find_hotspots
from navigation.hotspots.naming import NamedPlace, keep_names
from navigation.hotspots.physiology import propose_organs

__all__ = ["Hotspot", "NamedPlace", "add_drawn", "find_hotspots", "keep_names", "propose_organs"]
