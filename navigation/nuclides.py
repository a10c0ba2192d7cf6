"""Radionuclides as the service needs them: how fast they decay, what they emit, what water takes away."""

from dataclasses import dataclass

from navigation.decay import decay_factor


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaLine:
    """A principal photon line.

    Attributes
    ----------
    energy_kev
        Its energy, or the middle of a group that no probe resolves.
    photons_per_decay
        Mean number of photons of this line for each decay.
    water_attenuation_per_mm
        Narrow-beam linear attenuation of water (1 g/mL) at this energy.

    """

    energy_kev: float
    photons_per_decay: float
    water_attenuation_per_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuclide:
    """A radionuclide; ``lines`` by falling importance for a probe."""

    name: str
    half_life_s: float
    lines: tuple[GammaLine, ...]

    @property
    def main_line(self) -> GammaLine:
        """The line that a probe's window is set on."""
        return self.lines[0]

    def activity_mbq(self, reference_mbq: float, elapsed_s: float) -> float:
        """Activity left of ``reference_mbq``, ``elapsed_s`` after it was measured."""
        return reference_mbq * decay_factor(half_life_s=self.half_life_s, elapsed_s=elapsed_s)
