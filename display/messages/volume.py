"""The feed's messages: volumes that a page can fetch, and what they are of."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from display.messages.measures import Age, Point


class VolumeState(Struct, frozen=True, kw_only=True):
    """A volume that the page can fetch and slice."""

    url: Annotated[
        str, Meta(description="Little-endian voxels, i fastest, then j, then k; NaN where a float is not known.")
    ]
    etag: str
    dtype: Literal["int16", "float32"]
    shape: Annotated[tuple[int, int, int], Meta(description="Slices, rows, columns (k, j, i).")]
    patient_from_voxel: Annotated[
        tuple[Point, Point, Point], Meta(description="Linear part by rows; columns step along k, j, i, mm.")
    ]
    origin_mm: Annotated[Point, Meta(description="Centre of voxel (0, 0, 0).")]
    quantity: str
    unit: str
    greatest: Annotated[float, Meta(description="Greatest value in it.")]


class SurfaceState(Struct, frozen=True, kw_only=True):
    """A surface of triangles that the page can fetch: little-endian, positions then indices."""

    kind: Literal["skin", "bone", "activity"]
    url: Annotated[
        str, Meta(description="float32 x, y, z of each vertex, mm (LPS); then three uint32 a triangle.")
    ]
    etag: str
    vertices: Annotated[int, Meta(gt=0)]
    triangles: Annotated[int, Meta(gt=0)]


class StudyState(Struct, frozen=True, kw_only=True):
    """The study that the map comes from."""

    study_uid: str
    patient_id: str
    patient_name: str
    description: str
    taken_at_utc: Annotated[str | None, Meta(description="ISO 8601; null where the objects do not say.")]
    joined_by: Annotated[
        str,
        Meta(
            description="Why CT and activity are in one space: the same Frame of Reference UID, a registration "
            "object, or who confirmed it; empty where they are not both there."
        ),
    ] = ""
    anatomy: Annotated[VolumeState | None, Meta(description="CT.")]
    activity: Annotated[VolumeState | None, Meta(description="SPECT or PET.")]
    surfaces: Annotated[tuple[SurfaceState, ...], Meta(description="Of skin, bone and what is hot.")]


class LiveImageState(Struct, frozen=True, kw_only=True):
    """The image of the activity that the probe's own counts make, renewed about once a second."""

    number: Annotated[int, Meta(gt=0, description="Counts the images made; another number is another image.")]
    volume: Annotated[
        VolumeState | None,
        Meta(
            description="NaN where the counts cannot tell; the newest two can be fetched. Null while nothing "
            "can be told."
        ),
    ]
    coverage: Annotated[
        float, Meta(ge=0, le=1, description="Share of what the probe has looked at in which it is known.")
    ]
    known_ml: Annotated[float, Meta(ge=0, description="Volume in which it is known.")]
    readings: Annotated[int, Meta(ge=0, description="Tracked counts that it rests on.")]
    without: Annotated[tuple[str, ...], Meta(description="Injection sites, whose light was taken off before.")]
    age_s: Age
    stale_after_s: Annotated[float, Meta(description="Age above which it shows what was, not what is.")]
