"""The feed's messages.

These models are the contract: they encode and check what goes over the socket, ``/asyncapi.json`` and
docs/feed.md are made from them, and so are the page's TypeScript types. Every physical name ends in its
unit. Positions are mm in DICOM patient axes (LPS) unless the name says another frame. Null is "not known",
never zero. The other ``..._messages`` hold parts of them.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from display.messages.access import SignIn
from display.messages.device import ConditionState, ToolState, TrafficState
from display.messages.estimate import PosteriorState, RejectionState, TargetState
from display.messages.kept import KeptRateState, PathState
from display.messages.key import KeyState
from display.messages.measures import Age, Matrix, Point
from display.messages.pose import TipErrorState
from display.messages.procedure import ProcedureState
from display.messages.resection import ResectionState
from display.messages.volume import LiveImageState, StudyState

VERSION = "2.2"
"""Version of the feed: the first number changes when an old display would misread a message, as one does that
knows only some of the words of a field; the second when there is more to read that it may leave unread."""

SUBPROTOCOL = "radionav.v1"
"""WebSocket subprotocol that both sides must name. It is of how they talk, not of what they say: it outlives
versions, so that a display of an old one gets a hello, and sees there that it must be reloaded."""


class DeviceLink(Struct, frozen=True, kw_only=True):
    """One device and the state of its link."""

    name: Annotated[str, Meta(description="Name in the site file.")]
    kind: Annotated[Literal["probe", "tracker", "dicom", "recorder", "mqtt"], Meta(description="What it is.")]
    label: Annotated[str, Meta(description="What to call it on a screen.")]
    state: Annotated[Literal["connecting", "live", "silent", "lost"], Meta(description="State of the link.")]
    detail: Annotated[
        str, Meta(description="What is wrong and what to do; while live empty, or whom the node refused.")
    ]
    primary: Annotated[bool, Meta(description="Whether navigation depends on it.")]


class TimingState(Struct, frozen=True, kw_only=True):
    """How well the times of a device's numbered frames are known: a line through when they came."""

    jitter_ms: Annotated[
        float | None,
        Meta(description="Of the newest 60 arrivals about the line through them, RMS; null before a line."),
    ]
    uncertainty_ms: Annotated[float | None, Meta(description="Of the newest frame's time, RMS; null likewise.")]
    dropped: Annotated[int, Meta(ge=0, description="Frames that never came, by their numbers.")]
    duplicates: Annotated[int, Meta(ge=0, description="Answers with a frame that had come; they are left out.")]
    restarts: Annotated[int, Meta(ge=0, description="How often the line was begun anew.")]
    reason: Annotated[str, Meta(description="Why, last: the number went back, frames left out, the clock jumped.")]


class DeviceState(DeviceLink, frozen=True, kw_only=True):
    """One device's link and the age of what it delivered."""

    age_s: Annotated[Age | None, Meta(description="Age of its newest reading; null before the first.")]
    stale_after_s: Annotated[
        float | None,
        Meta(description="Silence after which its readings are stale; null: as in ``hello``."),
    ] = None
    streams: Annotated[
        bool,
        Meta(description="False for what sends only now and then: whether it is there its ``state`` says alone."),
    ] = True
    timing: Annotated[
        TimingState | None, Meta(description="Null for a device without frame numbers, or without a link.")
    ] = None
    traffic: Annotated[
        TrafficState | None, Meta(description="Null for a device that gives no account of its link.")
    ] = None
    condition: Annotated[ConditionState | None, Meta(description="Null where it says nothing of itself.")] = None
    tools: Annotated[
        tuple[ToolState, ...],
        Meta(description="While live: tools of navigation that it says something of, the probe's first."),
    ] = ()


class RateState(Struct, frozen=True, kw_only=True):
    """Count rate of the probe in hand, over the newest readings that fill the integration time."""

    device: Annotated[str, Meta(description="The probe's name in the site file.")]
    rate_cps: Annotated[float | None, Meta(description="Dead-time-corrected rate; null when beyond correction.")]
    low_cps: Annotated[float, Meta(description="Lower end of the rate's 68 % interval.")]
    high_cps: Annotated[float | None, Meta(description="Upper end; null when beyond correction.")]
    counts: Annotated[int, Meta(ge=0, description="Counts as counted in that time.")]
    integration_s: Annotated[float, Meta(gt=0, description="Live time that they were counted in.")]
    dead_fraction: Annotated[float, Meta(description="Share of the true counts that dead time hides.")]
    background_cps: Annotated[float | None, Meta(description="From the probe's calibration; null without one.")]
    status: Annotated[Literal["ok", "overload", "saturated", "resynced"], Meta(description="Trust in it.")]
    age_s: Age
    time_constant_s: Annotated[
        float,
        Meta(
            ge=0, description="Above 0: made of a rate meter's values, whose smoothing over this time is undone."
        ),
    ] = 0.0

    @property
    def known_cps(self) -> float | None:
        """The rate; None where the instrument counts too few: the true one may be any above."""
        return None if self.status in {"overload", "saturated"} else self.rate_cps


class PoseState(Struct, frozen=True, kw_only=True):
    """Where the probe's tip is and which way it looks."""

    tip_mm: Annotated[Point, Meta(description="The tip in patient axes.")]
    axis: Annotated[Point, Meta(description="Unit vector from the tip the way it looks, patient axes.")]
    patient_from_tip: Annotated[Matrix, Meta(description="Rotation by rows; columns are left, up, ahead.")]
    tracker_error_mm: Annotated[float | None, Meta(description="The tracker's own residual, RMS.")]
    registration_error_mm: Annotated[
        float | None, Meta(description="Of the registration at the tip, RMS (TRE); null: not known.")
    ]
    error: Annotated[TipErrorState | None, Meta(description="The error budget at the tip.")] = None
    doubt: Annotated[
        str,
        Meta(description="Why this position is not trusted, and no count at it believed; empty while it is."),
    ] = ""
    age_s: Age


class AdviceState(Struct, frozen=True, kw_only=True):
    """Where to hold the probe next, seen from where it is now: a pose on the skin, the target located or not."""

    target: Annotated[str | None, Meta(description="The target that it is to locate; null: one on no map.")]
    tip_mm: Annotated[Point, Meta(description="Where to hold the tip, patient axes.")]
    axis: Annotated[Point, Meta(description="Unit vector the way to look from there, patient axes.")]
    way_mm: Annotated[Point, Meta(description="From the tip to there, patient axes.")]
    right_mm: Annotated[float, Meta(description="In the tip's frame: that way to its right.")]
    up_mm: Annotated[float, Meta(description="In the tip's frame: that way up.")]
    ahead_mm: Annotated[float, Meta(description="In the tip's frame: that way ahead.")]
    tilt_right_deg: Annotated[float, Meta(description="Turn the probe to its right by so much.")]
    tilt_up_deg: Annotated[float, Meta(description="Turn the probe up by so much.")]
    reached: Annotated[bool, Meta(description="The probe is held there.")]
    dwell_s: Annotated[float, Meta(description="How long to hold there.")]
    semi_axis_now_mm: Annotated[
        float | None, Meta(description="Longest semi-axis of the 95 % region now; null where not located.")
    ]
    semi_axis_after_mm: Annotated[float | None, Meta(description="The same as expected after the dwell.")]
    information_bit: Annotated[
        float | None, Meta(description="Least expected information on where a target is that is not located.")
    ]
    reason: Annotated[str, Meta(description="Why there.")]
    age_s: Age
    stale_after_s: Annotated[float, Meta(description="Age above which it is no advice any more.")]


class GuidanceState(Struct, frozen=True, kw_only=True):
    """What to do next, in words."""

    target: Annotated[str | None, Meta(description="The target that it is about.")]
    sentence: Annotated[str, Meta(description="One sentence for the surgeon.")]
    expected_rate_cps: Annotated[
        float | None, Meta(description="Rate that the posterior predicts where the probe last counted.")
    ]
    motion: Annotated[
        Literal["toward", "away", "still"] | None,
        Meta(description="What the tip's last second did to its distance from the target."),
    ]
    depth_mm: Annotated[float | None, Meta(description="Of the target's centre under the skin.")]
    depth_half_width_mm: Annotated[float | None, Meta(description="Half the 95 % interval of it.")]
    probability_near: Annotated[
        float | None, Meta(description="That the target is there, within 5 mm of its stated centre.")
    ]
    advice: Annotated[
        AdviceState | None,
        Meta(description="Where to hold the probe next; null where the sentence leads to the target instead."),
    ]


class ShineState(Struct, frozen=True, kw_only=True):
    """An injection site or an organ that shines into the probe as it is held now, by the estimate."""

    name: str
    share: Annotated[float, Meta(ge=0, le=1, description="Of the expected rate that all such sources make.")]
    expected_cps: Annotated[float, Meta(ge=0, description="Rate that this one makes.")]
    tip_right_mm: Annotated[float, Meta(description="In the tip's frame: to its right.")]
    tip_up_mm: Annotated[float, Meta(description="In the tip's frame: up.")]
    is_warned: Annotated[bool, Meta(description="True: the probe mostly counts what is no target.")]


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First message of every connection."""

    version: str
    session_id: Annotated[str, Meta(description="Changes when the service restarts: drop what you hold.")]
    simulated: Annotated[bool, Meta(description="True: show SIMULATED across the display, always.")]
    site: str
    room: str
    server_monotonic_s: float
    server_time_utc: str
    stale_after_s: Annotated[float, Meta(description="Grey out an input, or all, after this silence.")]
    language: Annotated[Literal["en", "ru"], Meta(description="Of the page, until somebody chooses.")] = "en"
    keys: Annotated[tuple[KeyState, ...], Meta(description="From the site file.")] = ()
    replayed: Annotated[bool, Meta(description="True: recorded before, not of now; show REPLAY, always.")] = False


class State(Struct, frozen=True, kw_only=True, tag="state"):
    """All that a display shows, as of now; the newest only, sent on ``next``."""

    seq: Annotated[int, Meta(ge=0, description="Counts frames made; gaps are frames this display was spared.")]
    session_id: str
    simulated: bool
    calibrated_at: Annotated[
        str | None, Meta(description="Date of the calibration of the probe in hand; null without one.")
    ]
    registered: Annotated[bool, Meta(description="Whether the study is joined to the patient on the table.")]
    server_monotonic_s: float
    server_time_utc: str
    spared: Annotated[int, Meta(ge=0, description="Frames made since the last one sent to this display.")]
    devices: tuple[DeviceState, ...]
    rate: RateState | None
    pose: PoseState | None
    targets: tuple[TargetState, ...]
    guidance: GuidanceState
    posterior: PosteriorState | None
    shine: Annotated[ShineState | None, Meta(description="Null where none shines in.")]
    rejections: Annotated[
        tuple[RejectionState, ...], Meta(description="Counts left out since the estimate was begun, most first.")
    ]
    study: StudyState | None
    live_image: Annotated[LiveImageState | None, Meta(description="Null before the first, and without a map.")]
    resection: ResectionState
    procedure: ProcedureState
    studies_revision: Annotated[int, Meta(ge=0, description="Changes when ``GET /v1/studies`` does.")]
    peak: Annotated[
        KeptRateState | None,
        Meta(description="Greatest rate since it was begun anew, of this procedure, patient and probe."),
    ]
    background: Annotated[
        KeptRateState | None,
        Meta(description="That a person chose to compare with; null: that of the probe's calibration."),
    ]
    path: PathState
    replayed: Annotated[bool, Meta(description="True: recorded before, not of now; show REPLAY, always.")] = False


class Heartbeat(Struct, frozen=True, kw_only=True, tag="heartbeat"):
    """Each second, whatever else happens: the service is alive."""

    seq: int
    server_monotonic_s: float


class Pong(Struct, frozen=True, kw_only=True, tag="pong"):
    """Answer to ``ping``, for the clock offset."""

    client_ms: float
    server_monotonic_s: float


class Refusal(Struct, frozen=True, kw_only=True, tag="refusal"):
    """Why the connection is about to be closed."""

    message: str


class Next(Struct, frozen=True, kw_only=True, tag="next", forbid_unknown_fields=True):
    """The display has drawn: send it the newest state once there is one after ``last_seq``."""

    last_seq: Annotated[int, Meta(ge=-1, description="Newest state drawn; -1 for none.")]


class Ping(Struct, frozen=True, kw_only=True, tag="ping", forbid_unknown_fields=True):
    """Asks for a ``pong``; the smallest round trip gives the clock offset."""

    client_ms: float


class Notice(Struct, frozen=True, kw_only=True):
    """What every message on a topic of its own says of itself."""

    version: str
    session_id: Annotated[str, Meta(description="Changes when the service restarts.")]
    simulated: Annotated[bool, Meta(description="True: nothing in it is of a patient; show SIMULATED with it.")]
    server_time_utc: Annotated[str, Meta(description="When it was sent, ISO 8601.")]
    replayed: Annotated[bool, Meta(description="True: recorded before, not of now; show REPLAY, always.")] = False


class GuidanceNotice(Notice, frozen=True, kw_only=True, tag="guidance"):
    """The guidance of one frame, on the MQTT topic ``guidance``."""

    guidance: GuidanceState


class HealthNotice(Notice, frozen=True, kw_only=True, tag="health"):
    """A device's link since its last change, retained on the MQTT topic ``health/{device}``: times, no ages."""

    since_utc: Annotated[str, Meta(description="When the link entered this state, ISO 8601.")]
    device: DeviceLink


ServerMessage: TypeAlias = Hello | State | Heartbeat | Pong | Refusal
ClientMessage: TypeAlias = Next | Ping | SignIn
