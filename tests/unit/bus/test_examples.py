"""Examples are legal: whatever a type allows, its own reader takes."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct, msgpack

from bus.examples import example
from schemas import registry
from schemas.message import Message, tag_of
from schemas.page import Color, Image


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", registry.messages().values(), ids=tag_of)
def test_every_message_has_an_example(kind: type[Message], full: bool) -> None:
    made = example(kind, {}, full=full)
    assert msgpack.decode(msgpack.encode(made), type=kind) == made


class Limited(Message, tag="limited.limited"):
    long: Annotated[str, Meta(min_length=3)]
    none: Annotated[str, Meta(max_length=0)]
    above: Annotated[int, Meta(gt=7)]
    below: Annotated[int, Meta(lt=-7)]
    quarter: Annotated[int, Meta(ge=0, lt=360, multiple_of=90)]
    odd: Annotated[int, Meta(ge=5, le=9, multiple_of=4)]
    small: Annotated[float, Meta(gt=0, lt=0.5)]
    several: Annotated[list[int], Meta(min_length=2)]


def test_limits_are_kept() -> None:
    made = example(Limited, {})
    assert msgpack.decode(msgpack.encode(made), type=Limited) == made
    assert (made.long, made.none, made.above, made.below, made.odd, made.several) == ("xxx", "", 8, -8, 8, [1, 1])


class Loop(Message, tag="loop.loop"):
    again: "list[Loop]" = []
    name: str = ""


def test_what_holds_itself_ends() -> None:
    assert example(Loop, {}, full=True) == Loop(again=[Loop()], name="x")


class Strange(Message, tag="strange.strange"):
    code: Annotated[str, Meta(pattern="^[0-9]{13}$")]


def test_where_no_example_can_be_made_a_specimen_is_asked_for_and_taken() -> None:
    with pytest.raises(TypeError, match="specimen"):
        example(Strange, {})
    assert example(Strange, {"code": "4006381333931"}).code == "4006381333931"


class Held(Struct):
    image: Image


class Holder(Message, tag="holder.holder"):
    held: list[Held]
    color: Color


def test_specimens_are_taken_by_type_wherever_they_belong() -> None:
    made = example(Holder, {Color: Color.MONO})
    assert (made.color, made.held[0].image.color) == (Color.MONO, Color.MONO)
