"""`scanbus devices`, `status` and `config`: what there is and what runs, for eyes or for programs."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from scanbus.client import Client
from scanbus.config import Settings
from schemas.config import Config

MIB = 1 << 20


def devices(client: Client, arguments: Namespace) -> None:
    """List the scanners."""
    with client:
        listed = client.call("device.list_devices", wait=arguments.wait)
    if arguments.json:
        _print_json(listed)
        return
    for device in listed["devices"]:
        print(f"{device['device_id']}  {device['name']}")
    if not listed["devices"]:
        print("No scanner was found." if arguments.wait else "No scanner is known yet; --wait waits for every driver.")
    for driver, reason in listed.get("faults", {}).items():
        print(f"The driver {driver} could not search: {reason}")


def status(client: Client, arguments: Namespace, config: Config) -> None:
    """Show what runs, what waits, which scanners there are and how full the store is."""
    with client:
        state = {**client.status(), "processes": _processes(config)}
    if arguments.json:
        _print_json(state)
        return
    print(f"Scanbus {state['version']} at {client.url}: {'ok' if state['healthy'] else 'failing'}")
    for reason in state["reasons"]:
        print(f"  {reason}")
    print("Processes")
    for process in state["processes"]:
        print(f"  {process['pid']:>7}  {process['memory_bytes'] / MIB:6.1f} MiB  {process['name']}")
    print("Services")
    for service in state["services"]:
        failed = service.get("failed", "")
        work = f"{service.get('busy', 0)} of {service.get('slots', 0)} busy, {service.get('queued', 0)} waiting"
        print(f"  {service['service']}: {f'not running: {failed}' if failed else work}")
    print("Scanners")
    for device in state["devices"]:
        print(f"  {device['device_id']}  {device['name']}")
    store = state["store"]
    print(
        f"Store\n  {store['blobs']} files of {store['sessions']} sessions, {store['disk_bytes'] / MIB:.1f} MiB;"
        f" {store['disk_free_bytes'] / MIB:.0f} MiB free"
    )


def config(settings: Settings, arguments: Namespace) -> None:
    """Show every setting and where it came from."""
    if arguments.json:
        _print_json({value.name: {"value": value.value, "origin": value.origin} for value in settings.values})
        return
    for value in settings.values:
        print(f"{value.name} = {msgspec.json.encode(value.value).decode()}  # {value.origin}")


def _processes(config: Config) -> list[dict[str, Any]]:
    """The monitor and its children, where /proc tells; memory as what each adds (PSS)."""
    from bus.endpoints import state_folder

    lock = state_folder(config) / "scanbus.lock"
    monitor = lock.read_text().strip() if lock.exists() else ""
    try:
        children = Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()
        return [_process(pid) for pid in (monitor, *children)]
    except OSError:
        return []


def _process(pid: str) -> dict[str, Any]:
    folder = Path("/proc") / pid
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    facts = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
    name = " ".join(words[words.index("-m") + 1 :]).removeprefix("scanbus.").strip()
    return {
        "pid": int(pid),
        "name": name.removeprefix("process ").replace(" --instance ", "/").split(" ")[0],
        "memory_bytes": int(facts["Pss"].split()[0]) * 1024,
    }


def _print_json(value: Any) -> None:
    print(json.dumps(msgspec.to_builtins(value), indent=2))
