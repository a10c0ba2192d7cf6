"""The procedure as a display shows it; and what a person asks for."""

from typing import Literal

from acquisition.session.plan import PlannedSource
from acquisition.session.procedure import Procedure
from acquisition.session.session import Session
from acquisition.session.steps import IMPOSSIBLE_WITHOUT, Step, Transition, transitions_from
from acquisition.session.yardstick import Yardstick
from display.messages.feed import State
from display.messages.procedure import CheckState, MoveState, PlannedState, ProcedureRequest, ProcedureState
from display.states.kept import keep_rate, live_rate

KEPT_S = 0.25
"""How long a state is shown anew before it is put together again; what a person does is seen at once."""

ORDER = tuple(Step)

NO_BACKGROUND = "there is no live rate to take as the background"


class ProcedureView:
    """Shows a session, put together a few times a second: most frames show what the one before did."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made_s = float("-inf")
        self._made: ProcedureState | None = None

    def show(self, *, now_s: float) -> ProcedureState:
        """Show it as it stands now."""
        made, procedure = self._made, self._session.procedure
        is_seen = made is not None and (made.number, made.revision) == (procedure.number, procedure.revision)
        if made is None or not is_seen or now_s - self._made_s > KEPT_S:
            made, self._made_s = show_procedure(self._session), now_s
            self._made = made
        return made


def show_procedure(session: Session) -> ProcedureState:
    """Show where a procedure stands."""
    procedure = session.procedure
    is_timing_out = procedure.step is Step.TIME_OUT
    return ProcedureState(
        number=procedure.number,
        began_at_utc=procedure.began_at.isoformat() if procedure.began_at else "",
        revision=procedure.revision,
        step=procedure.step.value,
        taken=tuple(step.value for step in procedure.taken),
        moves=tuple(_show_move(session, each) for each in transitions_from(procedure.step)),
        sources=tuple(_show_source(source, procedure) for source in session.sources),
        checklist=tuple(
            CheckState(
                name=item.name,
                said=item.said,
                is_good=item.is_good,
                is_confirmed=item.name in procedure.checks,
            )
            for item in (session.items() if is_timing_out else ())
        ),
        overrides=len(procedure.overrides),
        trouble=session.trouble,
    )


def _show_source(source: PlannedSource, procedure: Procedure) -> PlannedState:
    drawn = procedure.drawn.get(source.name) if source.is_drawn else None
    is_entered = drawn is not None and drawn.activity_mbq is not None
    return PlannedState(
        name=source.name,
        proposed=source.proposed,
        proposal=source.proposal,
        masking=source.masking,
        confirmed=procedure.sorts.get(source.name),
        centre_mm=source.centre_mm,
        side=source.side,
        depth_mm=source.depth_mm,
        activity_mbq=source.activity_mbq,
        skin_rate_cps=source.skin_rate_cps,
        is_drawn=source.is_drawn,
        radius_mm=source.drawn_radius_mm,
        entered_mbq=drawn.activity_mbq if drawn else None,
        entered_at_utc=drawn.activity_at.isoformat() if drawn and is_entered else None,
    )


def _show_move(session: Session, transition: Transition) -> MoveState:
    unmet = session.unmet(transition)
    return MoveState(
        to=transition.to.value,
        is_forward=ORDER.index(transition.to) > ORDER.index(transition.start),
        unmet=tuple(need.value for need in unmet),
        is_possible=not IMPOSSIBLE_WITHOUT & set(unmet),
    )


async def act(
    session: Session, yardstick: Yardstick, request: ProcedureRequest, newest: State | None
) -> str | int:
    """Do what a person asks for; gives the number of its entry, or a sentence why not."""
    if request.revision != session.procedure.revision:
        return "somebody else has acted meanwhile: look again, then repeat it if it still holds"
    match request:
        case ProcedureRequest(action="mark"):
            return await _mark(session, newest)
        case ProcedureRequest(action="begin_peak" | "choose_background" | "leave_background" as action):
            refusal = measure_by(yardstick, action, newest)
            await session.settle()
        case ProcedureRequest(action="move", to=str(to), reason=reason):
            refusal = await session.move(Step(to), reason)
        case ProcedureRequest(action="sort", name=str(name), sort=str(sort)):
            refusal = await session.sort(name, sort)
        case ProcedureRequest(action="draw", place_mm=(_, _, _) as place_mm, sort="target" | "injection" as kind):
            refusal = await session.draw(
                kind,
                place_mm,
                request.radius_mm,
                name=request.name or "",
                activity_mbq=request.activity_mbq,
                activity_at=request.activity_at_utc,
            )
        case ProcedureRequest(action="erase", name=str(name)):
            refusal = await session.erase(name)
        case ProcedureRequest(action="check", name=str(name)):
            refusal = await session.check(name)
        case _:
            refusal = f"{request.action} does not say what: see docs/feed.md"
    return refusal or session.failure or session.procedure.revision


def measure_by(
    yardstick: Yardstick,
    action: Literal["begin_peak", "choose_background", "leave_background"],
    newest: State | None,
) -> str | None:
    """Change what the rate is held against, by what displays show; returns why not, or None."""
    if action == "begin_peak":
        yardstick.begin_peak()
    elif action == "leave_background":
        yardstick.leave()
    else:
        rate = keep_rate(live_rate(newest.rate, newest.devices) if newest else None)
        if rate is None:
            return NO_BACKGROUND
        yardstick.choose(rate)
    return None


async def _mark(session: Session, newest: State | None) -> int | str:
    rate, pose = (newest.rate, newest.pose) if newest else (None, None)
    seq = await session.mark(
        rate_cps=rate.known_cps if rate and rate.age_s <= 1 else None,
        tip_mm=pose.tip_mm if pose and pose.age_s <= 1 and not pose.doubt else None,
    )
    return session.failure or seq
