"""The feed's version follows its own rule: a display of an old one misreads nothing."""

import json
from pathlib import Path
from typing import Any

from display.asyncapi import describe_feed
from display.messages.feed import VERSION

WORDS = Path(__file__).with_name("feed-words.json")
"""Which words each field had when somebody last said what the version is."""


def words_of(schema: Any) -> set[str]:
    """Find the words that a field may have; none where it may have any."""
    if isinstance(schema, list):
        return set().union(*(words_of(each) for each in schema))
    if not isinstance(schema, dict):
        return set()
    here = {str(word) for word in schema.get("enum", ())}
    return here.union(*(words_of(schema[key]) for key in ("anyOf", "items", "prefixItems") if key in schema))


def vocabulary() -> dict[str, list[str]]:
    """Give the words of each field that has only some."""
    schemas = describe_feed()["components"]["schemas"]
    found = {
        f"{name}.{field}": sorted(words_of(kind))
        for name, schema in sorted(schemas.items())
        for field, kind in schema["properties"].items()
    }
    return {field: words for field, words in found.items() if words}


def test_a_new_word_asks_for_a_version() -> None:
    """A display tells targets from injection sites by such words: one that is new it takes for another."""
    asked = (
        "a field has other words: say by the rule in display/messages/ what VERSION must be, then write "
        f"VERSION and vocabulary() to {WORDS.name}"
    )
    assert json.loads(WORDS.read_text(encoding="utf-8")) == {"version": VERSION, "words": vocabulary()}, asked


def test_an_organ_is_no_word_of_the_first_version() -> None:
    """Displays of 1.0 drew whatever is no injection site as a target."""
    assert "organ" in vocabulary()["TargetState.kind"]
    assert int(VERSION.split(".")[0]) >= 2
