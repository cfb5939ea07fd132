"""The list of scanners is what each driver last said."""

from actors.device.listing import Listing
from schemas.device import Device
from schemas.driver import FoundDevice


def listing(*hidden: str) -> tuple[Listing, list[str]]:
    """A list of two families, and what was said about it."""
    said: list[str] = []

    def found(device: Device) -> None:
        said.append(f"+{device.device_id}")

    return Listing(("slow", "quick"), hidden, found, lambda device_id: said.append(f"-{device_id}")), said


def devices(*addresses: str) -> list[FoundDevice]:
    return [FoundDevice(address=address, name=address.upper()) for address in addresses]


def ids(of: Listing) -> list[str]:
    return [device.device_id for device in of.all().devices]


def test_a_driver_that_has_not_answered_delays_nobody() -> None:
    listed, _ = listing()
    assert listed.all().searching == ["slow", "quick"]
    listed.answered("quick", devices("a"))
    assert ids(listed) == ["quick:a"]
    assert listed.all().searching == ["slow"]


def test_devices_stand_in_the_order_of_the_configuration() -> None:
    listed, _ = listing()
    listed.answered("quick", devices("a"))
    listed.answered("slow", devices("b", "c"))
    assert ids(listed) == ["slow:b", "slow:c", "quick:a"]
    assert listed.all().searching == []


def test_what_was_added_or_lost_is_said_once() -> None:
    listed, said = listing()
    for found in (("a", "b"), ("a", "b"), ("b", "c"), ()):
        listed.answered("quick", devices(*found))
    assert said[:4] == ["+quick:a", "+quick:b", "+quick:c", "-quick:a"]
    assert sorted(said[4:]) == ["-quick:b", "-quick:c"]


def test_a_device_with_another_name_is_said_again() -> None:
    listed, said = listing()
    listed.answered("quick", devices("a"))
    listed.answered("quick", [FoundDevice(address="a", name="In the hall")])
    assert said == ["+quick:a", "+quick:a"]
    assert listed.get("quick:a") == Device(device_id="quick:a", name="In the hall", driver="quick")


def test_a_hidden_device_is_neither_listed_nor_found_nor_said() -> None:
    listed, said = listing("quick:a")
    listed.answered("quick", devices("a", "b"))
    listed.answered("quick", [])
    assert said == ["+quick:b", "-quick:b"]
    listed.answered("quick", devices("a"))
    assert listed.get("quick:a") is None
    assert ids(listed) == []


def test_a_driver_that_fails_keeps_what_it_knew_until_it_answers_again() -> None:
    listed, said = listing()
    listed.answered("quick", devices("a"))
    listed.failed("quick", "No bus.")
    listed.failed("slow", "No network.")
    assert ids(listed) == ["quick:a"]
    assert listed.all().faults == {"quick": "No bus.", "slow": "No network."}
    assert listed.all().searching == []
    listed.answered("quick", devices("a"))
    assert listed.all().faults == {"slow": "No network."}
    assert said == ["+quick:a"]


def test_an_address_may_hold_colons() -> None:
    listed, _ = listing()
    listed.answered("quick", devices("test:0"))
    device = listed.get("quick:test:0")
    assert device is not None
    assert device.device_id == "quick:test:0"
    assert listed.get("slow:test:0") is None
    assert listed.get("nonsense") is None
