"""Which scanners there are: each driver's last answer, kept apart so that a slow one delays nobody."""

from collections.abc import Callable

from schemas.device import Device, Devices
from schemas.driver import FoundDevice


class Listing:
    """The cached list. `found` and `lost` are told what changed."""

    def __init__(
        self,
        families: tuple[str, ...],
        hidden: tuple[str, ...],
        found: Callable[[Device], None],
        lost: Callable[[str], None],
    ) -> None:
        self._devices: dict[str, dict[str, Device]] = {}
        self._faults: dict[str, str] = {}
        self._families = families
        self._hidden = frozenset(hidden)
        self._found = found
        self._lost = lost

    def answered(self, family: str, devices: list[FoundDevice]) -> None:
        """One driver has searched."""
        before = self._devices.get(family, {})
        after = {device.device_id: device for device in (_device(family, each) for each in devices)}
        self._devices[family] = {key: device for key, device in after.items() if key not in self._hidden}
        self._faults.pop(family, None)
        for key, device in self._devices[family].items():
            if before.get(key) != device:
                self._found(device)
        for key in before.keys() - self._devices[family].keys():
            self._lost(key)

    def failed(self, family: str, reason: str) -> None:
        """One driver could not search; what it knew before stays."""
        self._devices.setdefault(family, {})
        self._faults[family] = reason

    def get(self, device_id: str) -> Device | None:
        """One device, if it is known."""
        return self._devices.get(device_id.partition(":")[0], {}).get(device_id)

    def all(self) -> Devices:
        """The whole list as it is now."""
        return Devices(
            devices=[device for family in self._families for device in self._devices.get(family, {}).values()],
            searching=[family for family in self._families if family not in self._devices],
            faults=dict(self._faults),
        )


def _device(family: str, found: FoundDevice) -> Device:
    return Device(
        device_id=f"{family}:{found.address}",
        name=found.name,
        vendor=found.vendor,
        model=found.model,
        driver=family,
    )
