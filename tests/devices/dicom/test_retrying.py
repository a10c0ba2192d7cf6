"""How long is waited before something is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from devices.dicom.retrying import Retrying


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_pauses_grow_to_their_longest(attempt: int, jitter: float) -> None:
    """From 5 s to 10 min, at most halved by chance, however long the outage."""
    pause_s = Retrying().pause_s(attempt, jitter=lambda: jitter)
    whole_s = min(600.0, 5.0 * 2.0 ** min(attempt - 1, 10))
    assert whole_s / 2 <= pause_s <= whole_s
