"""One state for all displays, written once; each is told how many frames it was spared."""

import msgspec
import pytest

from display.hub import Hub
from tests.display.test_app import state


@pytest.mark.parametrize("spared", [0, 1, 4711])
def test_a_frame_is_written_as_if_for_its_display_alone(spared: int) -> None:
    """To the byte, also where a text holds what looks like the number, and after another state."""
    hub = Hub()
    for seq, session_id in ((1, "s"), (2, '"spared":0,'), (3, "ё")):
        each = msgspec.structs.replace(state(seq), session_id=session_id)
        alone = msgspec.json.encode(msgspec.structs.replace(each, spared=spared)).decode()
        assert hub.text_of(each, spared=9) != alone
        assert hub.text_of(each, spared=spared) == alone
