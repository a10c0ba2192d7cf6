"""Studies as they come in, small enough to think about."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from acquisition.studies import SeriesReport, Study
from acquisition.studies.reading import StudyMap
from devices.dicom.study import ReceivedStudy
from navigation.hotspots import Hotspot
from navigation.skin import SkinSurface
from navigation.volume import Volume, VolumeGeometry

STEP_MM = 5.0
SHAPE = (24, 24, 24)


def geometry() -> VolumeGeometry:
    """A cube of 120 mm about the patient's origin, axes along z, y, x."""
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = STEP_MM
    affine[:3, 3] = -STEP_MM * (np.array(SHAPE) - 1) / 2
    affine[3, 3] = 1.0
    return VolumeGeometry(patient_from_voxel=affine, shape=SHAPE, frame_of_reference_uid="1.2")


def ct() -> Volume:
    """A block of tissue in air; its front skin lies at y = -30."""
    values = np.full(SHAPE, -1000.0, dtype=np.float32)
    values[4:20, 6:18, 4:20] = 40.0
    return Volume(geometry=geometry(), values=values, quantity="attenuation", unit="HU")


def spect(peak: float = 100.0) -> Volume:
    """One voxel of activity, 2.5 mm left of, behind and above the origin."""
    values = np.zeros(SHAPE, dtype=np.float32)
    values[12, 12, 12] = peak
    return Volume(geometry=geometry(), values=values, quantity="activity concentration", unit="Bq/mL")


def hotspot(activity_mbq: float | None = 0.5) -> Hotspot:
    """A node 10 mm under the front skin."""
    return Hotspot(
        name="target 1",
        kind="target",
        centre_mm=np.array([0.0, -20.0, 0.0]),
        covariance_mm2=np.eye(3),
        activity_mbq=activity_mbq,
        activity_factor=2.0,
        peak=100.0,
        volume_ml=0.2,
        relative_to_hottest=1.0,
    )


def study(
    uid: str = "1.1",
    *,
    patient_id: str = "A-1",
    patient_name: str = "ANNA^A",
    activity: Volume | None = None,
    has_map: bool = True,
) -> Study:
    """A SPECT/CT study as read; without a map, a CT alone."""
    report = SeriesReport(
        series_uid=f"{uid}.1", modality="CT", description="", objects=1, accepted=True, reason="used", volume=ct()
    )
    return Study(
        study_uid=uid,
        patient_id=patient_id,
        patient_name=patient_name,
        description="",
        taken_at=None,
        half_life_s=None,
        nuclide=None,
        resolution=None,
        series=(report,),
        anatomy=ct(),
        activity=(activity or spect()) if has_map else None,
    )


def study_map(found: Study, *, activity_mbq: float | None = 0.5) -> StudyMap:
    """What navigation starts from, with the skin of its CT."""
    hotspots = () if found.activity is None else (hotspot(activity_mbq),)
    return StudyMap(study=found, hotspots=hotspots, skin=SkinSurface(ct()), obstacle="")


def without_skin(found: StudyMap) -> StudyMap:
    """The same where the CT did not come."""
    return replace(found, skin=None, obstacle="the study has no CT in the activity's space")


def received(uid: str = "1.1", *, objects: int = 1) -> ReceivedStudy:
    """An announcement of the node."""
    paths = tuple(Path(f"{uid}/{number}.dcm") for number in range(objects))
    return ReceivedStudy(study_uid=uid, calling_ae="SPECTCT", objects=paths, reason="complete")
