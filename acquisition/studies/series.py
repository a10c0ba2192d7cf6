"""Objects of a study by series, and which kind of volume a series may become."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydicom import uid
from pydicom.uid import UID

from acquisition.studies.attributes import attribute_name
from acquisition.studies.ct import plan_ct
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.multiframe import plan_enhanced_ct, plan_enhanced_mr, plan_enhanced_pet
from acquisition.studies.nm import plan_nm
from acquisition.studies.objects import StoredObject
from acquisition.studies.pet import plan_converted_pet, plan_pet
from acquisition.studies.plans import Beside, Uptake, VolumePlan
from navigation.volume import Volume, VolumeGeometry

Planner = Callable[[Sequence[StoredObject], Beside], VolumePlan]

PLANNERS: dict[UID, Planner] = {
    uid.CTImageStorage: plan_ct,
    uid.PositronEmissionTomographyImageStorage: plan_pet,
    uid.NuclearMedicineImageStorage: plan_nm,
    uid.EnhancedCTImageStorage: plan_enhanced_ct,
    uid.LegacyConvertedEnhancedCTImageStorage: plan_enhanced_ct,
    uid.EnhancedPETImageStorage: plan_enhanced_pet,
    uid.LegacyConvertedEnhancedPETImageStorage: plan_converted_pet,
    uid.EnhancedMRImageStorage: plan_enhanced_mr,
    uid.LegacyConvertedEnhancedMRImageStorage: plan_enhanced_mr,
    uid.ParametricMapStorage: plan_enhanced_pet,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The objects of one series, in the order they were given."""

    series_uid: str
    objects: tuple[StoredObject, ...]

    @property
    def modality(self) -> str:
        """Modality (0008,0060) of the first object; a label for people, never what decides."""
        return self.objects[0].attributes.text("Modality")

    @property
    def description(self) -> str:
        """Series Description (0008,103E) of the first object."""
        return self.objects[0].attributes.text("SeriesDescription")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReport:
    """What became of a series.

    Attributes
    ----------
    series_uid, modality, description
        As the console named it; empty for files that are no DICOM objects.
    objects
        How many objects came.
    accepted
        Whether it became the study's anatomy or activity, or joins frames of reference.
    reason
        A sentence: what its values are, or why it was not used, with the attribute at fault.
    volume
        The volume that is used, in the study's patient space, else None.
    geometry
        Where its own objects place it, used or not; None where they do not.
    uptake
        Of a PET: factors into standardised uptake values, or why there are none.

    """

    series_uid: str
    modality: str
    description: str
    objects: int
    accepted: bool
    reason: str
    volume: Volume | None
    geometry: VolumeGeometry | None = None
    uptake: Uptake | None = None


def group_series(objects: Iterable[StoredObject]) -> tuple[Series, ...]:
    """Gather objects by Series Instance UID (0020,000E), series in the order of their first object."""
    grouped: dict[str, list[StoredObject]] = {}
    for stored in objects:
        grouped.setdefault(stored.series_uid, []).append(stored)
    return tuple(Series(series_uid=key, objects=tuple(members)) for key, members in grouped.items())


def plan_volume(series: Series, beside: Beside) -> VolumePlan:
    """Place a series in the patient by its SOP class, with what is known ``beside`` it.

    Modality is not trusted: screen captures carry NM too.

    Raises
    ------
    SeriesRefused
        Where it is no volume, mixes kinds of objects, or its geometry is missing or contradicts itself.

    """
    kinds = {stored.sop_class_uid for stored in series.objects}
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.name for kind in kinds))
        raise SeriesRefused(f"{attribute_name('SOPClassUID')} differs within the series: {names}")
    kind = kinds.pop()
    planner = PLANNERS.get(kind)
    if planner is None:
        raise SeriesRefused(f"not a volume: {kind.name}")
    return planner(series.objects, beside)
