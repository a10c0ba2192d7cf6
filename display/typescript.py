"""The feed's messages as TypeScript interfaces, for the page.

``python -m display.typescript FILE`` writes them; a test keeps the committed file fresh.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from display.asyncapi import CARRIED
from display.messages.event import Event, Follow
from display.messages.feed import SUBPROTOCOL, VERSION, ClientMessage, ServerMessage

HEADING = """\
// Written by `python -m display.typescript` from display/messages/: change that, not this.

"""

SCALARS = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "Readonly<Record<string, unknown>>",
}
"""JSON schema's scalar types and TypeScript's."""


def interfaces() -> str:
    """Every message of the feed, and every part of one, as a TypeScript module.

    Raises
    ------
    TypeError
        If a message uses a schema that has no rule here.

    """
    schemas, components = msgspec.json.schema_components(
        (ServerMessage, ClientMessage, *CARRIED, Event, Follow),
        ref_template="#/{name}",
    )
    lines = [
        HEADING,
        f'export const VERSION = "{VERSION}";\n',
        f'export const SUBPROTOCOL = "{SUBPROTOCOL}";\n',
    ]
    lines.extend(_interface(name, schema) for name, schema in components.items())
    for name, schema in zip(("ServerMessage", "ClientMessage"), schemas[:2], strict=True):
        lines.append(f"\nexport type {name} = {_type(schema)};\n")
    return "".join(lines)


def _interface(name: str, schema: dict[str, Any]) -> str:
    required = set(schema["required"])
    lines = ["\n", _comment(schema, ""), f"export interface {name} {{\n"]
    for field, kind in schema["properties"].items():
        optional = "" if field in required else "?"
        lines += [_comment(kind, "  "), f"  readonly {field}{optional}: {_type(kind)};\n"]
    return "".join([*lines, "}\n"])


def _comment(schema: dict[str, Any], indent: str) -> str:
    said = schema.get("description")
    return f"{indent}/** {said} */\n" if said else ""


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            return reference.removeprefix("#/")
        case {"anyOf": [*choices]}:
            return " | ".join(_type(choice) for choice in choices)
        case {"enum": [*values]}:
            return " | ".join(f'"{value}"' for value in values)
        case {"type": "array", "prefixItems": [*members]}:
            return f"readonly [{', '.join(_type(member) for member in members)}]"
        case {"type": "array", "items": item}:
            is_joined = bool({"anyOf", "enum", "prefixItems"} & set(item))
            return f"readonly ({_type(item)})[]" if is_joined else f"readonly {_type(item)}[]"
        case {"type": str(scalar)} if scalar in SCALARS and "additionalProperties" not in schema:
            return SCALARS[scalar]
    raise TypeError(f"{schema}: no TypeScript type is known for this schema; add its rule")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(interfaces(), encoding="utf-8")
