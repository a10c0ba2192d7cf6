"""How much of the rate an injection site or an organ is expected to make: above a share it hides a target."""

import numpy as np

from display.messages.feed import ShineState
from navigation.estimation.estimate import Posterior
from navigation.probe.response import Response
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

BELIEVED_AT = 0.5
"""Probability above which a source is taken to shine."""

WARNED_ABOVE = 0.5
"""Share of the expected rate above which the probe mostly counts what is no target."""


def show_shine(
    posterior: Posterior | None, response: Response | None, tissue: Tissue | None, tip: RigidTransform | None
) -> ShineState | None:
    """Show where an injection site or an organ shines from and how much; None where none is expected to."""
    if posterior is None or response is None or tissue is None or tip is None or not posterior.is_consistent:
        return None
    shining = [each for each in posterior.targets if each.presence > BELIEVED_AT]
    if all(each.kind == "target" for each in shining):
        return None
    axis = tip.rotation[:, 2]
    places_mm = np.array([each.centre_mm for each in shining])
    activity_mbq = np.array([each.activity_mbq for each in shining])
    per_mbq = response.expected_rate_cps(places_mm, tip.translation_mm[None, :], axis[None, :], tissue)[0]
    rates_cps = per_mbq * activity_mbq
    total_cps = float(rates_cps.sum()) + posterior.background_cps
    sites = [(float(rate), each) for rate, each in zip(rates_cps, shining, strict=True) if each.kind != "target"]
    rate_cps, site = max(sites, key=lambda found: found[0])
    left_mm, up_mm, _ = tip.rotation.T @ (site.centre_mm - tip.translation_mm)
    share = sum(rate for rate, _ in sites) / total_cps if total_cps > 0 else 0.0
    return ShineState(
        name=site.name,
        share=min(max(share, 0.0), 1.0),
        expected_cps=rate_cps,
        tip_right_mm=-float(left_mm),
        tip_up_mm=float(up_mm),
        is_warned=share > WARNED_ABOVE,
    )
