"""Which role a request needs."""

import pytest

from display.access.gate import needed_role
from display.access.people import Role


@pytest.mark.parametrize(
    ("path", "method", "role"),
    [
        ("/v1/calibrations", "GET", Role.VIEW),
        ("/v1/calibrations/tool", "POST", Role.ENGINEER),
        ("/v1/calibrations/timing", "POST", Role.ENGINEER),
        ("/v1/calibrations/timing/acts", "POST", Role.ENGINEER),
        ("/v1/calibrations/register", "POST", Role.ACT),
        ("/v1/calibrations/verify/acts", "POST", Role.ACT),
        ("/v1/procedure/acts", "POST", Role.ACT),
    ],
)
def test_a_calibration_needs_whoever_makes_it(path: str, method: str, role: Role) -> None:
    """Tip and delay are the engineer's, with no patient there; registration is done by whoever acts in theatre."""
    assert needed_role(path, method) is role
