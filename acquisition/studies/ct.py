"""CT series (PS3.3 A.3) into attenuation in Hounsfield units."""

from collections.abc import Sequence

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject
from acquisition.studies.plans import Beside, VolumePlan
from acquisition.studies.slices import read_stack, stack_slices
from acquisition.studies.times import read_moment
from navigation.volume import Volume


def plan_ct(objects: Sequence[StoredObject], _: Beside) -> VolumePlan:
    """Place a CT series.

    An absent Rescale Type means Hounsfield units (PS3.3 C.8.2.1.1.2); any other is not attenuation as this
    service uses it.

    Raises
    ------
    SeriesRefused
        For a localiser, values that are not Hounsfield units, or slices that do not form an even stack.

    """
    for stored in objects:
        if "LOCALIZER" in stored.attributes.texts("ImageType"):
            raise SeriesRefused(
                f"not a volume: {attribute_name('ImageType')} of {stored.path.name} says LOCALIZER"
            )
        if (rescale_type := stored.attributes.text("RescaleType")) not in {"", "HU"}:
            raise SeriesRefused(
                f"{attribute_name('RescaleType')} in {stored.path.name} is {rescale_type}, not Hounsfield units"
            )
    stack = stack_slices(objects)

    def read() -> tuple[Volume, str]:
        volume = Volume(geometry=stack.geometry, values=read_stack(stack), quantity="attenuation", unit="HU")
        return volume, "attenuation in HU"

    shape = stack.geometry.shape
    return VolumePlan(
        role="anatomy",
        geometry=stack.geometry,
        rank=(float(shape[0] * shape[1] * shape[2]),),
        taken_at=read_moment(stack.objects[0].attributes, "AcquisitionDate", "AcquisitionTime"),
        read=read,
    )
