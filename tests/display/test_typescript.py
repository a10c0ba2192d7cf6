"""The page's types are those of the messages."""

from pathlib import Path

import pytest

from display import typescript
from display.typescript import interfaces

TYPES = Path(typescript.__file__).parent / "page" / "src" / "feed-types.ts"


def test_the_committed_types_are_fresh() -> None:
    """A change of the messages that the page was not told of fails here."""
    fresh = TYPES.read_text(encoding="utf-8") == interfaces()
    assert fresh, "run: python -m display.typescript display/page/src/feed-types.ts"


def test_null_and_fixed_lengths_reach_the_page() -> None:
    """What may be null says so, a point has three numbers, and a message is known by its tag."""
    written = interfaces()
    assert "readonly rate_cps: number | null;" in written
    assert "readonly tip_mm: readonly [number, number, number];" in written
    assert "readonly points_mm: readonly (readonly [number, number, number])[];" in written
    assert 'readonly type: "state";' in written
    assert "export type ServerMessage = Hello | State | Heartbeat | Pong | Refusal;" in written


def test_an_unknown_schema_is_refused() -> None:
    """A kind of schema without a rule stops the writing, instead of becoming ``any``."""
    with pytest.raises(TypeError, match="no TypeScript type is known"):
        typescript._type({"type": "object", "additionalProperties": {}})
