"""Whether what a step needs is so, by what the room holds."""

from collections.abc import Callable

from acquisition.resection.bed import Decision
from acquisition.resection.resection import Resection
from acquisition.session.checklist import Item
from acquisition.session.plan import PlannedSource
from acquisition.session.procedure import Procedure
from acquisition.session.steps import Need, Transition
from navigation.estimation.estimate import Posterior


def unmet_of(
    transition: Transition,
    procedure: Procedure,
    *,
    sources: tuple[PlannedSource, ...],
    resection: Resection,
    posterior: Posterior | None,
    items: Callable[[], tuple[Item, ...]],
) -> tuple[Need, ...]:
    """List what is not so yet of what a step needs; ``items`` goes through the time-out."""
    targets = posterior.targets if posterior and posterior.is_consistent else ()
    kinds = [procedure.sorts.get(source.name) for source in sources]
    counted = {specimen.of for specimen in resection.specimens}
    looks = [resection.looks.get(each.number) for each in resection.removed]
    met: dict[Need, Callable[[], bool]] = {
        Need.WHOLE: lambda: False,
        Need.CONFIRMED: lambda: procedure.number > 0,
        Need.SORTED: lambda: bool(kinds) and None not in kinds,
        Need.TARGETED: lambda: "target" in kinds,
        Need.CHECKED: lambda: all(item.is_good and item.name in procedure.checks for item in items()),
        Need.LOCATED: lambda: any(each.kind == "target" and each.is_localisable for each in targets),
        Need.REMOVED: lambda: bool(resection.removed),
        Need.COUNTED: lambda: all(each.target.name in counted for each in resection.removed),
        Need.DECIDED: lambda: all(look and look.decision is Decision.REMOVED for look in looks),
    }
    return tuple(need for need in transition.needs if not met[need]())
