from typing import Never

from bus import Actor, Context, on
from schemas.device import Devices, ListDevices
from schemas.message import Request
from tests.system.faults.words import Said


class Ask(Request[Said, Never], tag="impostor.ask"):
    pass


class Impostor(Actor):
    """Registers the service `device`, which is main's."""

    service = "device"

    @on(ListDevices)
    async def list_devices(self, msg: ListDevices, ctx: Context) -> Devices:
        return Devices(devices=[])
