"""Reads the settings and remembers where each came from: defaults < files < environment < flags."""

import os
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from schemas.config import Config
from schemas.errors import Invalid

PREFIX = "SCANBUS_"
"""An environment variable's name is this, then the setting in capitals with `__` for each dot."""


class Setting(Struct, frozen=True):
    """One value and where it came from."""

    name: str
    """Dotted, such as `gateway.ports`."""
    value: Any
    origin: str


class Settings(Struct, frozen=True):
    """The configuration, and each of its values with its origin."""

    config: Config
    values: list[Setting]


def default_files(environment: Mapping[str, str]) -> list[Path]:
    """Where settings are read from unless a file is named: the computer's, then the person's own."""
    own = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return [path for path in (Path("/etc/scanbus.toml"), Path(own) / "scanbus" / "config.toml") if path.exists()]


def load(
    flags: Sequence[str] = (), file: Path | None = None, environment: Mapping[str, str] = types.MappingProxyType({})
) -> Settings:
    """Read all layers; `flags` are `name=value`, `file` stands instead of the usual files.

    Raises Invalid, naming the place and what is expected there.
    """
    known = {name: (info.type, default) for name, info, default in _leaves(Config, Config())}
    found = {name: Setting(name, default, "default") for name, (_, default) in known.items()}
    for name, value, origin in _given(flags, file, environment, known):
        found[name] = Setting(name, _typed(value, known, name, origin), origin)
    tree: dict[str, Any] = {}
    for setting in found.values():
        *groups, leaf = setting.name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[leaf] = setting.value
    # Leaves are typed already; converting them to plain values and back checks the tree as a whole.
    return Settings(msgspec.convert(msgspec.to_builtins(tree), Config), list(found.values()))


class _Text(str):
    """A value that was written where there are no types: JSON, or plain text."""


def _given(
    flags: Sequence[str], file: Path | None, environment: Mapping[str, str], known: Iterable[str]
) -> Iterator[tuple[str, Any, str]]:
    for path in [file] if file else default_files(environment):
        yield from ((name, value, str(path)) for name, value in _flat(_read(path), "", set(known)))
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower().replace("__", ".")
            yield name, _Text(text), f"environment {variable}"
    for flag in flags:
        name, equals, text = flag.partition("=")
        if not equals:
            raise Invalid(f"--set {flag}: write it as NAME=VALUE, such as --set gateway.ports=[18622].")
        yield name, _Text(text), f"--set {name}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path}: cannot be read as TOML: {error}.") from error


def _flat(table: dict[str, Any], above: str, known: set[str]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and above + key not in known:
            yield from _flat(value, f"{above}{key}.", known)
        else:
            yield above + key, value


def _leaves(kind: type[Struct], defaults: Struct, above: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    for info in fields(kind):
        default = getattr(defaults, info.name)
        if isinstance(default, Struct):
            yield from _leaves(type(default), default, f"{above}{info.name}.")
        else:
            yield above + info.name, info, default


def _typed(value: Any, known: Mapping[str, tuple[Any, Any]], name: str, origin: str) -> Any:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise Invalid(f"{origin}: there is no setting {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    kind, _ = known[name]
    if kind is str and isinstance(value, _Text):
        return str(value)
    try:
        return msgspec.convert(msgspec.json.decode(str(value)) if isinstance(value, _Text) else value, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"{origin}: {name}: {error}.") from error
    except msgspec.DecodeError as error:
        raise Invalid(f"{origin}: {name}: expected {_expected(kind)}, got {str(value)!r}.") from error


def _expected(kind: Any) -> str:
    plain = {int: "a number", float: "a number", bool: "true or false"}
    return plain.get(getattr(kind, "__origin__", kind), 'JSON, such as [1, 2] or {"name": ["value"]}')


def address(config: Config) -> str:
    """Where a program on this computer finds the service."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.gateway.hosts[0], config.gateway.hosts[0])  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{config.gateway.ports[0]}"


def environment() -> dict[str, str]:
    """The process's own environment."""
    return dict(os.environ)
