"""The pages of each session, in documents, with what was done to them."""

from actors.buffer.actor import Buffer

__all__ = ["Buffer"]
