"""The feed's messages: what was made of a received study, and what a person says of its spaces."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from display.messages.measures import Matrix, Point

Row = tuple[float, float, float, float]


class FramesApart(Struct, frozen=True, kw_only=True):
    """Two frames of reference that nothing joins: what lies in the one has no place in the other."""

    one_uid: Annotated[str, Meta(description="Frame of Reference UID (0020,0052) that the map is in.")]
    other_uid: Annotated[str, Meta(description="That of images or drawings which are not used for it.")]


class FramesRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/frames``: a person answers for two frames of reference being one space, or no longer.

    The study is read again; answered 204 when it has been, or 409 with a sentence why not.
    """

    study_uid: str
    one_uid: str
    other_uid: str
    is_same: Annotated[bool, Meta(description="False takes a confirmation back.")]


class GridReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the voxels of a series lie, by its own objects."""

    shape: Annotated[tuple[int, int, int], Meta(description="Slices, rows, columns (k, j, i).")]
    spacing_mm: Annotated[Point, Meta(description="Between neighbours along k, j, i.")]
    patient_from_voxel: Annotated[
        tuple[Row, Row, Row, Row], Meta(description="Takes (k, j, i, 1) to LPS mm; by rows.")
    ]
    frame_of_reference_uid: str


class VolumeReport(GridReport, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A volume in use, in the study's space."""

    quantity: str
    unit: str
    smallest: float
    largest: float


class FactorsReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Factors from Bq/mL to standardised uptake values; null where height or sex is not known."""

    bw_g_per_bq: Annotated[float, Meta(description="By body weight.")]
    lbm_g_per_bq: Annotated[float | None, Meta(description="By lean body mass, James.")]
    lbm_janmahasatian_g_per_bq: Annotated[float | None, Meta(description="The same, Janmahasatian.")]
    bsa_cm2_per_bq: Annotated[float | None, Meta(description="By body surface.")]


class UptakeReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Standardised uptake of a PET."""

    factors: FactorsReport | None
    why_not: Annotated[str, Meta(description="What is missing for them, with the tag; empty where they are.")]


class SeriesMade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was made of one series."""

    series_uid: str
    modality: str
    description: str
    objects: int
    accepted: Annotated[bool, Meta(description="Whether it is used.")]
    reason: Annotated[str, Meta(description="What its values are; or why it is not used, with the tag.")]
    geometry: Annotated[GridReport | None, Meta(description="Null where its objects do not place it.")]
    uptake: Annotated[UptakeReport | None, Meta(description="Of a PET.")]
    volume: Annotated[VolumeReport | None, Meta(description="What is used of it.")]


class RouteReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A straight way in."""

    entry_mm: Annotated[Point, Meta(description="Where it meets the skin, LPS.")]
    direction: Annotated[Point, Meta(description="Unit vector from there to the spot.")]
    depth_mm: float
    water_mm: Annotated[float, Meta(description="Depth in water that attenuates as much at 140 keV.")]


class CandidateReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spot that stands out of its surroundings, as at the scan; a proposal for a person to confirm."""

    name: str
    kind: Literal["target", "injection"]
    proposal: Annotated[str, Meta(description="What organ it may be instead, and why; empty for none.")]
    origin: Annotated[str, Meta(description="``found``, or where a person drew it.")]
    centre_mm: Annotated[Point, Meta(description="LPS.")]
    covariance_mm2: Annotated[Matrix, Meta(description="Of the centre; movement since the scan comes on top.")]
    activity_mbq: Annotated[float | None, Meta(description="Null where the values are no activity.")]
    activity_factor: Annotated[float, Meta(description="It is known to a factor of this, 1 sigma.")]
    peak: Annotated[float | None, Meta(description="Value of the hottest voxel.")]
    mean: Annotated[float | None, Meta(description="Mean within the 50 % outline.")]
    volume_ml: Annotated[float | None, Meta(description="Above half of the peak, the surroundings taken off.")]
    volume_41_ml: Annotated[float | None, Meta(description="Above 41 % of the peak as it is.")]
    volume_gradient_ml: Annotated[float | None, Meta(description="Within the steepest fall.")]
    relative_to_hottest: Annotated[float | None, Meta(description="Content as a share of the hottest spot's.")]
    masked_within_mm: Annotated[
        float | None,
        Meta(description="So near a node of ``masked_share`` of it might be missed. Null: not measured."),
    ]
    masked_share: Annotated[
        float | None,
        Meta(description="Of its content; where more than a thousandth, a fainter node might be missed anywhere."),
    ]
    masking: Annotated[
        str, Meta(description="The same in words, for persons; empty: no more than any spot hides.")
    ]
    shortest_route: Annotated[RouteReport | None, Meta(description="Null where the CT shows no way in.")]
    planned_route: Annotated[
        RouteReport | None, Meta(description="Along ``approach``; null without one, and where the CT shows none.")
    ]


class ResolutionReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How wide a point is taken to be in the activity: its candidates are found and measured by it."""

    fwhm_mm: Annotated[float, Meta(description="Full width at half maximum.")]
    sigma_mm: Annotated[float, Meta(description="How well it is known, 1 sigma.")]
    words: Annotated[str, Meta(description="Where it is from: the site, what the objects name, or the image.")]


class StudyReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer to ``GET /v1/studies/<study_uid>``: all that was made of a study, 404 where none of it has come.

    With ``?approach=x,y,z``, a direction from the skin inwards (LPS), the way along it is told too.
    """

    study_uid: str
    patient_id: str
    patient_name: str
    description: str
    taken_at: Annotated[str | None, Meta(description="When the activity was as the values say, ISO 8601.")]
    joined_by: Annotated[
        str, Meta(description="Why CT and activity are in one space; empty where they are not both there.")
    ]
    apart: Annotated[tuple[FramesApart, ...], Meta(description="What a person might confirm to be one space.")]
    half_life_s: Annotated[
        float | None,
        Meta(description="Of the radionuclide as the objects name it; null where they name none, or several."),
    ]
    nuclide: Annotated[
        str | None, Meta(description="As the objects name it, two with + between them; null where they name none.")
    ]
    resolution: Annotated[ResolutionReport | None, Meta(description="Null without an activity.")]
    skin: Annotated[str, Meta(description="``found``, or why there is none.")]
    candidates: tuple[CandidateReport, ...]
    series: tuple[SeriesMade, ...]


class SeriesEntry(Struct, frozen=True, kw_only=True):
    """What was made of one received series."""

    series_uid: str
    modality: str
    description: str
    objects: int
    accepted: Annotated[bool, Meta(description="Whether it became a volume.")]
    reason: Annotated[str, Meta(description="Why not, with the DICOM tag; empty when accepted.")]


class StudyEntry(Struct, frozen=True, kw_only=True):
    """A received study and what was made of it."""

    study_uid: str
    patient_id: str
    patient_name: str
    description: str
    taken_at_utc: str | None
    received_from: Annotated[str, Meta(description="Calling AE title.")]
    objects: int
    conflicts: Annotated[
        int, Meta(ge=0, description="UIDs that several different objects have; all are kept, one is used.")
    ]
    in_use: bool
    usable: Annotated[bool, Meta(description="Whether it holds a map to navigate by.")]
    joined_by: Annotated[
        str, Meta(description="Why its CT and activity are in one space; empty where they are not both there.")
    ] = ""
    apart: Annotated[
        tuple[FramesApart, ...], Meta(description="What a person might confirm to be one space.")
    ] = ()
    series: tuple[SeriesEntry, ...]


class StudyList(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/studies``, newest first."""

    revision: int
    studies: tuple[StudyEntry, ...]
    is_partial: Annotated[
        bool, Meta(description="Whether others came too, of which only whoever may act is told.")
    ] = False


class StudyChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/procedure``: a person confirmed both identifiers of the patient on the table."""

    study_uid: str
    patient_id: str
    patient_name: str
    revision: Annotated[
        int, Meta(description="Of the list that the person saw; a study came into use since: 409.")
    ]
