"""Looks into an index from outside, as whoever answers queries does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from devices.dicom.index.catalogue import Catalogue, present
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.tables import objects


def rows(folder: Path, database: str | None = None, *, table: Table = objects) -> list[dict[str, Any]]:
    """Every row of a table; of the objects those whose files are there."""
    chosen = select(table).order_by(*table.primary_key.columns)
    with Catalogue.open(folder, database) as catalogue, catalogue.reading() as connection:
        if table is objects:
            chosen = chosen.where(present)
        return [dict(row) for row in connection.execute(chosen).mappings()]


async def until(
    folder: Path, database: str | None, is_so: Callable[[dict[str, dict[str, Any]]], object]
) -> dict[str, dict[str, Any]]:
    """Wait until something is so of the objects' rows, by path, and give them."""
    async with asyncio.timeout(30):
        while True:
            try:
                found = {row["path"]: row for row in await asyncio.to_thread(rows, folder, database)}
                if is_so(found):
                    return found
            except IndexUnavailable:  # being made in this moment
                pass
            await asyncio.sleep(0.02)
