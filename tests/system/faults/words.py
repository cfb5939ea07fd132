"""What the faulty actors and their callers say to each other: without it, each would need words of its own."""

from schemas.message import Event, Message


class Said(Message, tag="fault.said"):
    """An answer."""

    text: str = ""


class Noise(Event, tag="fault.noise"):
    """Something nobody needs."""

    filler: str = ""
