"""Legal values for a message's fields: without them, a contract could only be held with examples written by hand."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from msgspec import NODEFAULT, inspect

from schemas.message import Message

MessageT = TypeVar("MessageT", bound=Message)
Specimens = Mapping[type | str, Any]
"""Values that mean something here: by their type, or by the name of the field that takes them."""


def example(kind: type[MessageT], specimens: Specimens, *, full: bool = False) -> MessageT:
    """A message within its types' limits: its required fields only, or all of them with `full`.

    Raises TypeError for a field whose type has no example here, so that it needs a specimen.
    """
    made: MessageT = _struct(_described(kind), specimens, full=full)
    return made


@cache
def _described(kind: type[Message]) -> inspect.Type:
    return inspect.type_info(kind)


def _struct(info: Any, specimens: Specimens, *, full: bool) -> Any:
    fields = {}
    for field in info.fields:
        if field.name in specimens:
            fields[field.name] = specimens[field.name]
        elif full or (field.default is NODEFAULT and field.default_factory is NODEFAULT):
            fields[field.name] = _value(field.type, specimens)
    return info.cls(**fields)


def _value(info: Any, specimens: Specimens) -> Any:
    match info:
        case inspect.Metadata():
            return _value(info.type, specimens)
        case inspect.StructType() | inspect.EnumType() if info.cls in specimens:
            return specimens[info.cls]
        case inspect.StructType():
            return _struct(info, specimens, full=False)
        case inspect.EnumType():
            return next(iter(info.cls))
        case inspect.LiteralType():
            return info.values[0]
        case inspect.UnionType():
            return _value(next(each for each in info.types if not isinstance(each, inspect.NoneType)), specimens)
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return _number(info, 1)
        case inspect.FloatType():
            return float(_number(info, math.ulp(1.0)))
        case inspect.StrType() if info.pattern is None:
            return "x" * max(info.min_length or 0, min(1, 1 if info.max_length is None else info.max_length))
        case inspect.ListType() | inspect.VarTupleType():
            several = [_value(info.item_type, specimens)] * max(1, info.min_length or 0)
            return several if isinstance(info, inspect.ListType) else tuple(several)
        case inspect.DictType():
            return {_value(info.key_type, specimens): _value(info.value_type, specimens)}
        case _:
            raise TypeError(f"A field of the type {info} needs a specimen.")


def _number(info: Any, least: float) -> float:
    """1 where that is allowed, else what is nearest to it, in steps of `least`."""
    lower = [info.ge] if info.ge is not None else [info.gt + least] if info.gt is not None else []
    upper = [info.le] if info.le is not None else [info.lt - least] if info.lt is not None else []
    step = info.multiple_of or 0
    number: float = min([max([1, *lower]), *upper])
    if step:
        number = math.ceil(number / step) * step
        number -= step if upper and number > upper[0] else 0
    return number
