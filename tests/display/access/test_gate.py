"""Which role a request needs."""

import pytest

from display.access.admission import Visitor
from display.access.gate import THIS_MACHINE, may_go_on, needed_roles
from display.access.people import Role


@pytest.mark.parametrize(
    ("path", "method", "roles"),
    [
        ("/v1/calibrations", "GET", {Role.VIEW}),
        ("/v1/calibrations/tool", "POST", {Role.ENGINEER}),
        ("/v1/calibrations/timing", "POST", {Role.ENGINEER}),
        ("/v1/calibrations/timing/acts", "POST", {Role.ACT, Role.ENGINEER}),
        ("/v1/calibrations/timing/acts/", "POST", {Role.ENGINEER}),
        ("/v1/calibrations/register", "POST", {Role.ACT}),
        ("/v1/calibrations/verify/acts", "POST", {Role.ACT}),
        ("/v1/procedure/acts", "POST", {Role.ACT}),
        ("/v1/feed", "GET", set()),
    ],
)
def test_a_calibration_needs_whoever_makes_it(path: str, method: str, roles: set[Role]) -> None:
    """Tip and delay are the engineer's, with no patient there; registration is done by whoever acts in theatre."""
    assert needed_roles(path, method) == roles


@pytest.mark.parametrize(
    ("step", "visitor", "may"),
    [
        ("tool", Visitor(name="this machine", role=Role.ACT), False),
        ("timing", Visitor(name="E. Engineer", role=Role.ENGINEER), True),
        ("timing", THIS_MACHINE, True),
        ("register", Visitor(name="S. Surgeon", role=Role.ACT), True),
    ],
)
def test_only_an_engineer_goes_on_with_what_is_hers(step: str, visitor: Visitor, *, may: bool) -> None:
    """Whoever acts may end tip and delay, no more, whatever her name; where nobody signs in everybody may."""
    assert may_go_on(step, visitor) is may
