"""Scanning with recordings, as tests do it."""

from pathlib import Path

from actors.device.check import MemorySink
from actors.device.driver import Header, OpenDevice
from actors.device.recording import located, read_head
from actors.device.virtual import VirtualDriver
from schemas.config import DeviceConfig, VirtualConfig
from schemas.device import Settings
from schemas.errors import ScanbusError


def playing(recording: str | Path) -> VirtualDriver:
    """A driver whose only device, `it`, is a recording."""
    return VirtualDriver(DeviceConfig(virtual=(VirtualConfig(name="it", recording=str(recording)),)))


def asked(name: str) -> Settings:
    """With which settings a recording that ships was made."""
    return read_head(located(name)).settings


def outcome(device: OpenDevice, settings: Settings) -> tuple[list[tuple[Header, int]], ScanbusError | None]:
    """The pages, each with its number of bytes, and the error, if there was one."""
    sink = MemorySink()
    failed: ScanbusError | None = None
    try:
        device.acquire(settings, sink)
    except ScanbusError as error:
        failed = error
    return [(header, len(content)) for header, content in sink.images], failed
