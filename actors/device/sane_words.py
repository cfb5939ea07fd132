"""What backends call sources and colors: without it, each backend's own words would reach the web page."""

import re

from schemas.page import Color, Source

_NOT_PAPER = re.compile(r"transp|tpu|tma|film|negative|positive|slide|card|camera|back|rear")
_DUPLEX = re.compile(r"duplex|both|double")
_FEEDER = re.compile(r"adf|feed|sheet")
_FLATBED = re.compile(r"flat|normal|platen|table|glass")

_DITHERED = re.compile(r"halftone|diffusion|dither|color line|colour line|256 col|infrared")
_COLOR = re.compile(r"colou?r|rgb")
_GRAY = re.compile(r"gr[ae]y")
_MONO = re.compile(r"line ?art|black|binary|bitonal|mono|b&w")
_DEEP = re.compile(r"\b(10|12|14|16|30|36|42|48)\b|\b(10|12|14|16|30|36|42|48)-?bit")


def source_of(text: str) -> Source | None:
    """The source that a backend calls so; None for film, cards, and the backs of sheets alone."""
    words = text.lower()
    if _NOT_PAPER.search(words):
        return None
    if _DUPLEX.search(words):
        return Source.DUPLEX
    if _FEEDER.search(words):
        return Source.FEEDER
    return Source.FLATBED if _FLATBED.search(words) else None


def color_of(text: str) -> Color | None:
    """What a backend's mode delivers; None where dots pretend to be tones."""
    words = text.lower()
    if _DITHERED.search(words):
        return None
    if _COLOR.search(words):
        return Color.COLOR
    if _GRAY.search(words):
        return Color.GRAY
    return Color.MONO if _MONO.search(words) else None


def is_duplex(text: str) -> bool:
    """Whether a backend's word means both sides of a sheet."""
    return bool(_DUPLEX.search(text.lower()))


def is_deep(text: str) -> bool:
    """Whether a mode delivers more bits a sample than a page keeps."""
    return bool(_DEEP.search(text.lower()))
