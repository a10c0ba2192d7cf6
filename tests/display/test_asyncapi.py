"""The feed's page for people is made from the messages."""

from pathlib import Path

import pytest

from display.asyncapi import describe_feed, document_feed
from display.messages.feed import State

PAGE = Path(__file__).parents[2] / "docs" / "feed.md"


def test_the_committed_page_is_fresh() -> None:
    """A change of the messages that docs/feed.md was not told of fails here."""
    assert PAGE.read_text(encoding="utf-8") == document_feed(), "run: make feed"


def test_every_message_and_field_is_described() -> None:
    """Nothing goes over the socket that the page does not explain."""
    page = document_feed()
    schemas = describe_feed()["components"]["schemas"]
    for name, schema in schemas.items():
        assert f"### {name}\n" in page
        for field in schema["properties"]:
            assert f"| `{field}` |" in page.split(f"### {name}\n")[1].split("###")[0], f"{name}.{field}"
    assert set(State.__struct_fields__) <= set(schemas["State"]["properties"])


@pytest.mark.parametrize("link", ["DeviceState", "TargetState", "StudyState", "VolumeState"])
def test_a_part_can_be_found_from_where_it_is_named(link: str) -> None:
    """Links within the page lead to a heading."""
    assert f"[{link}](#{link.lower()})" in document_feed()
