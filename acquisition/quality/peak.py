"""The photopeak: whether it is where the nuclide's line is, and as narrow as the crystal makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import PeakLimits, PointSource
from acquisition.quality.spectra import EnergyScale
from acquisition.quality.steps import Known
from navigation.statistics.peak import fit_peak

PEAK = "peak"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPeak:
    """A count of the point source's spectrum; passes unmeasured where the site file says that there are none."""

    limits: PeakLimits
    source: PointSource
    scale: EnergyScale | None
    placement: Placement
    name: str = PEAK
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count, or none where no spectrum can be read."""
        if self.scale is None:
            return ()
        return (
            Exposure(placement=self.placement, longest_s=self.limits.longest_s, counts_wanted=self.limits.counts),
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        limits = self.limits
        return f"within ±{limits.greatest_shift:.0%} of the line, at most {limits.greatest_resolution:.0%} wide"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge place and width of the peak.

        Raises
        ------
        NavigationError
            Where no peak stands out near the line.

        """
        if self.scale is None:
            reason = "not measured: this probe gives no spectrum; constancy and sensitivity watch its window"
            return StepResult(name=self.name, passed=True, figures=(), limit=self.limit, reason=reason)
        if not counts or counts[0].spectrum is None:
            reason = (
                "no spectrum came, though the site file gives its energy scale, so that a drifted gain would "
                "not be seen: look at the probe's settings, and repeat"
            )
            return failure(self.name, self.limit, reason)
        spectrum = counts[0].spectrum
        line_kev = known.nuclides[self.source.nuclide].main_line.energy_kev
        found = fit_peak(self.scale.energies_kev(len(spectrum)), spectrum, line_kev=line_kev)
        shift, resolution = found.centre_kev / line_kev - 1, found.fwhm_kev / found.centre_kev
        figures = (
            Figure(name=PEAK, value=found.centre_kev, unit="keV", sigma=found.centre_sigma_kev),
            Figure(name="shift", value=100 * shift, unit="%", sigma=100 * found.centre_sigma_kev / line_kev),
            Figure(
                name="resolution",
                value=100 * resolution,
                unit="%",
                sigma=100 * found.fwhm_sigma_kev / found.centre_kev,
            ),
        )
        said = f"the peak is at {found.centre_kev:.1f} keV, {shift:+.1%} of {line_kev:g} keV"
        if abs(shift) - 2 * found.centre_sigma_kev / line_kev > self.limits.greatest_shift:
            reason = f"{said}: its gain has drifted, so that the window cuts the peak; set gain or window anew"
            return failure(self.name, self.limit, reason, *figures)
        if resolution - 2 * found.fwhm_sigma_kev / found.centre_kev > self.limits.greatest_resolution:
            reason = (
                f"the peak is {resolution:.0%} wide: the crystal, its light or its coupling has suffered, or the "
                "electronics are noisy"
            )
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{said}, {resolution:.1%} wide"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
