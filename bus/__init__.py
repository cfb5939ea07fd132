"""How things are said: without it, an actor would have to know sockets, addresses and time limits."""

from bus.actor import Actor, on
from bus.context import Context, Stream

__all__ = ["Actor", "Context", "Stream", "on"]
