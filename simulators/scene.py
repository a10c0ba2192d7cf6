"""The theatre that every simulated device looks at: a patient, what is hot in her, and a hand with a probe.

Patient axes (LPS, mm), time in seconds of the scene's own clock. Tissue has moved between the scan and the
theatre, so that what the map says and what the probe sees differ as they do in life.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.body import Body
from simulators.probe_physics import ProbePhysics

TC99M_HALF_LIFE_S = 6.015 * 3600.0
"""ICRP Publication 107."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something hot: a target to be found, or the injection site."""

    name: str
    kind: Literal["target", "injection"]
    centre_mm: NDArray[np.float64]
    activity_mbq: float
    radius_mm: float


def _under_skin(body: Body, across: float, z_mm: float, depth_mm: float) -> NDArray[np.float64]:
    point_mm, outward = body.skin(across, z_mm)
    return point_mm - depth_mm * outward


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One patient on the table.

    Attributes
    ----------
    body
        Where tissue is.
    physics
        The probe in the surgeon's hand.
    sources
        What is hot now, where it is now.
    shift_mm
        How far the sources have moved since the scan.
    hours_since_scan
        Time over which their activity decayed since the scan.
    background_bq_per_ml
        Activity concentration of all other tissue at the scan.
    tissue_background_cps
        What that adds to the probe's own background.

    """

    body: Body = field(default_factory=Body)
    physics: ProbePhysics = field(default_factory=ProbePhysics)
    sources: tuple[Source, ...] = ()
    shift_mm: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    hours_since_scan: float = 4.0
    background_bq_per_ml: float = 60.0
    tissue_background_cps: float = 3.0

    @property
    def scan_sources(self) -> tuple[Source, ...]:
        """The sources as the scanner saw them: before the shift, before the decay."""
        growth = 2.0 ** (self.hours_since_scan * 3600.0 / TC99M_HALF_LIFE_S)
        return tuple(
            Source(
                name=source.name,
                kind=source.kind,
                centre_mm=source.centre_mm - self.shift_mm,
                activity_mbq=source.activity_mbq * growth,
                radius_mm=source.radius_mm,
            )
            for source in self.sources
        )

    def patient_from_tip(self, now_s: float) -> RigidTransform:
        """Pose of the probe's tip: a hand sweeping the skin over the left chest, now wide, now close."""
        width = 0.3 + 0.7 * np.cos(np.pi * now_s / 60.0) ** 2
        across = 0.57 + 0.23 * width * np.sin(2 * np.pi * now_s / 11.0)
        z_mm = 10.0 + 34.0 * width * np.sin(2 * np.pi * now_s / 7.3 + 1.0)
        skin_mm, outward = self.body.skin(across, z_mm)
        headwards = np.array([0.0, 0.0, 1.0])
        sideways = np.cross(headwards, outward)
        lean = 0.35 * np.sin(2 * np.pi * now_s / 5.1) * sideways
        lean = lean + 0.35 * np.sin(2 * np.pi * now_s / 6.7 + 2.0) * headwards
        ahead = -outward + lean
        ahead /= np.linalg.norm(ahead)
        up = headwards - (headwards @ ahead) * ahead
        up /= np.linalg.norm(up)
        rotation = np.column_stack([np.cross(up, ahead), up, ahead])
        return RigidTransform(
            to=Frame.PATIENT, from_=Frame.TIP, rotation=rotation, translation_mm=skin_mm + 2.0 * outward
        )

    def without(self, name: str) -> "Scene":
        """Give the same patient after this source was cut out and carried away.

        Raises
        ------
        ValueError
            Where there is none of that name.

        """
        left = tuple(source for source in self.sources if source.name != name)
        if len(left) == len(self.sources):
            raise ValueError(
                f"no source is called {name}: there are {', '.join(each.name for each in self.sources)}"
            )
        return replace(self, sources=left)

    def rate_cps(self, patient_from_tip: RigidTransform) -> float:
        """Rate of true events in the energy window at a pose, before dead time."""
        tip_mm = patient_from_tip.translation_mm
        centres_mm = np.array([source.centre_mm for source in self.sources]).reshape(-1, 3)
        rate_cps = self.physics.rate_cps(
            patient_from_tip.inverse.points_mm(centres_mm),
            np.array([source.activity_mbq for source in self.sources]),
            self.body.water_mm(tip_mm, centres_mm),
        )
        return rate_cps + self.tissue_background_cps


def sentinel_node_scene() -> Scene:
    """Lay out a sentinel node in the left chest wall, 70 mm from its injection site, moved 8 mm since the scan."""
    body = Body()
    return Scene(
        body=body,
        sources=(
            Source(
                name="node",
                kind="target",
                centre_mm=_under_skin(body, 0.62, 10.0, 25.0),
                activity_mbq=0.5,
                radius_mm=5.0,
            ),
            Source(
                name="injection site",
                kind="injection",
                centre_mm=_under_skin(body, 0.18, -12.0, 12.0),
                activity_mbq=20.0,
                radius_mm=7.0,
            ),
        ),
        shift_mm=np.array([5.0, -4.0, 5.0]),
    )


class Surgeon:
    """Moves the probe through a scene and lets its crystal count: the scene over time.

    Parameters
    ----------
    scene
        Where everything is.
    started_s
        Clock reading at which the scene's time is zero.
    rng
        Where the Poisson draws come from.

    """

    def __init__(self, scene: Scene, *, started_s: float, rng: np.random.Generator) -> None:
        self.scene = scene
        self._started_s = started_s
        self._rng = rng

    def patient_from_tip(self, now_s: float) -> RigidTransform:
        """Pose of the tip at a clock reading."""
        return self.scene.patient_from_tip(now_s - self._started_s)

    def events(self, start_s: float, end_s: float) -> int:
        """Events in the energy window between two clock readings, the pose taken every 20 ms at most."""
        steps = max(1, int(np.ceil((end_s - start_s) / 0.02)))
        width_s = (end_s - start_s) / steps
        middles_s = start_s + width_s * (np.arange(steps) + 0.5)
        expected = sum(self.scene.rate_cps(self.patient_from_tip(at_s)) for at_s in middles_s) * width_s
        return int(self._rng.poisson(expected))
