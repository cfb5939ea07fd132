"""Writes what a page can say and hear as JSON Schema and TypeScript: `python -m scripts.make_types [FOLDER]`."""

import json
import sys
from pathlib import Path
from typing import Any

from msgspec.json import schema_components

from bus.actor import answers
from schemas import registry
from schemas.errors import Failure
from schemas.message import Message, tag_of

FOLDER = Path(__file__).parents[1] / "gateway" / "web"
HEAD = "/** What a page can say to Scanbus and hear from it; made by `make types` from the service's own messages. */\n"


def main() -> None:
    """Write both files into the folder that was named, or where the gateway serves them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    components = browser_types()
    (folder / "scanbus.schema.json").write_text(json_schema(components))
    (folder / "scanbus.d.ts").write_text(typescript(components))


def browser_types() -> dict[str, Any]:
    """The JSON Schema of each type that a page meets, by name; messages by their tags, such as `device.scan`."""
    kinds: dict[type[Message], None] = {Failure: None}
    for request in registry.browser_requests().values():
        reply, parts = answers(request)
        kinds |= dict.fromkeys((request, reply, *parts))
    kinds |= {event: None for event in registry.events().values() if event.browser}
    found: dict[str, Any] = {}
    for kind in kinds:
        (reference,), components = schema_components([kind], ref_template="{name}")
        own = components.pop(reference["$ref"])
        found |= {name: _renamed(schema) for name, schema in components.items()}
        found[tag_of(kind)] = _renamed(own)
    return dict(sorted(found.items()))


def json_schema(components: dict[str, Any]) -> str:
    """One JSON Schema (2020-12) document with every type below `$defs`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": components}
    text = json.dumps(schema, indent=1, ensure_ascii=False)
    return text.replace('"$ref": "', '"$ref": "#/$defs/') + "\n"


def typescript(components: dict[str, Any]) -> str:
    """The same as TypeScript declarations: `device.scan` is `DeviceScan`."""
    lines = [HEAD]
    for name, schema in components.items():
        if text := schema.get("description"):
            lines.append(f"/** {' '.join(text.split())} */")
        lines.append(f"export type {_identifier(name)} = {_typescript(schema)};\n")
    return "\n".join(lines)


def _renamed(schema: Any) -> Any:
    """The schema without the titles that only repeat the names of classes."""
    if isinstance(schema, dict):
        return {key: _renamed(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    return [_renamed(each) for each in schema] if isinstance(schema, list) else schema


def _identifier(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace(".", "_").split("_")) if "." in name else name


def _typescript(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": name}:
            return _identifier(name)
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"anyOf": choices}:
            return " | ".join(dict.fromkeys(_typescript(choice) for choice in choices))
        case {"type": "array", "items": items}:
            return f"Array<{_typescript(items)}>"
        case {"type": "object", "properties": properties}:
            required = schema.get("required", [])
            fields = [f"{key}{'' if key in required else '?'}: {_typescript(each)}" for key, each in properties.items()]
            return f"{{ {'; '.join(fields)} }}" if fields else "{}"
        case {"type": "object", "additionalProperties": values}:
            return f"Record<string, {_typescript(values)}>"
        case {"type": "integer" | "number"}:
            return "number"
        case {"type": "string" | "boolean" | "null" as plain}:
            return plain
    raise ValueError(f"this has no TypeScript yet: {schema}")


if __name__ == "__main__":
    main()
