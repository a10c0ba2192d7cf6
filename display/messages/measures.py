"""Kinds of number that the feed's messages are made of."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

Point: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = tuple[Point, Point, Point]
Age: TypeAlias = Annotated[float, Meta(ge=0, description="Seconds since it was measured, at the time of sending.")]
SourceName: TypeAlias = Literal["target", "injection", "organ"]
