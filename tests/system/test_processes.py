import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from scanbus.client import Client, ScannerError
from tests.system.conftest import WAIT_S, Service, catches, until


def test_the_service_says_in_one_line_that_it_is_ready_and_where(service: Service) -> None:
    assert service.log.read_text() == f"Scanbus {version('scanbus')} is ready: {service.url}\n"
    with service.client() as client:
        assert client.health() == (True, version("scanbus"), [])


def test_asked_to_stop_it_leaves_no_process_socket_lock_or_temporary_file(service: Service) -> None:
    with service.client() as client:
        assert len(list(client.scan("virtual:fast", source="feeder", pages=2))) == 2
        client.pdf(service.folder / "two.pdf")
    assert {"main", "driver/virtual:fast", "pdf", "image"} <= set(service.processes())
    assert service.stop() == 0
    assert service.of_this_service() == []
    assert list((service.folder / "run").iterdir()) == []
    assert list((service.folder / "tmp").iterdir()) == []
    state = service.folder / "state"
    assert not [path for path in state.rglob("*") if path.is_socket() or path.suffix == ".lock" or path.name[0] == "."]


def test_no_connection_is_refused_while_main_is_killed_again_and_again(service: Service) -> None:
    stop = threading.Event()
    refused: list[ScannerError] = []
    answered = 0

    def ask() -> None:
        nonlocal answered
        while not stop.is_set():
            try:
                Client(service.url).health()
                answered += 1
            except ScannerError as error:
                # A connection that main had already taken breaks with it.
                if error.code != "lost":
                    refused.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(2):
            before, main = answered, service.processes()["main"]
            os.kill(main, signal.SIGKILL)
            until(lambda main=main: service.processes().get("main", main) != main, "main is back")  # type: ignore[misc]
            until(lambda before=before: answered > before + 5, "requests are answered again")  # type: ignore[misc]
    finally:
        stop.set()
        asking.join(WAIT_S)
    assert refused == []


def test_running_workers_outlive_main_and_work_for_the_next(service: Service) -> None:
    with service.client() as client:
        client.devices(wait=True)
    before = service.processes()
    service.kill("main")
    until(lambda: service.processes().get("main", before["main"]) != before["main"], "main is back")
    with service.client() as client:
        assert len(list(client.scan("virtual:fast", source="feeder", pages=1))) == 1
    after = service.processes()
    assert after["driver/virtual"] == before["driver/virtual"]


@pytest.mark.parametrize("victim", ["driver/virtual", "driver/virtual:fast"])
def test_a_driver_that_is_killed_disturbs_nobody_and_is_back_at_once(service: Service, victim: str) -> None:
    with service.client() as client:
        client.describe("virtual:fast")
        before = service.processes()
        service.kill(victim)
        until(lambda: service.processes().get(victim, before[victim]) != before[victim], f"{victim} is back")
        assert len(list(client.scan("virtual:fast", source="feeder", pages=1))) == 1
    assert service.processes()["main"] == before["main"]


def test_a_process_that_is_stuck_is_replaced(make_service: Callable[..., Service]) -> None:
    service = make_service(SCANBUS_BUS__LOST_AFTER_S="1.5")
    service.start()
    with service.client() as client:
        client.describe("virtual:fast")
        stuck = service.processes()["driver/virtual:fast"]
        os.kill(stuck, signal.SIGSTOP)
        until(lambda: service.processes().get("driver/virtual:fast", stuck) != stuck, "the driver was replaced")
        assert client.describe("virtual:fast")["sources"]


def test_a_process_that_cannot_work_is_given_up_and_said_to_be_unhealthy(
    make_service: Callable[..., Service],
) -> None:
    processes = {"main": ["buffer", "cache", "device", "gateway"], "driver": ["driver"], "pdf": ["pdf", "nonsense"]}
    service = make_service(SCANBUS_PROCESSES=json.dumps(processes))
    service.start()
    with service.client() as client:
        with pytest.raises(ScannerError) as failed:
            list(client.scan("virtual:fast", source="feeder", pages=1))
            client.pdf(service.folder / "never.pdf")
        assert failed.value.code == "unavailable"
        until(lambda: not client.health()[0], "unhealthy")
        assert "pdf" in " ".join(client.health()[2])
        assert client.devices()
    assert not (service.folder / "never.pdf").exists()


def test_the_monitor_killed_takes_everybody_with_it(service: Service) -> None:
    with service.client() as client:
        client.describe("virtual:fast")
    assert len(service.of_this_service()) > 2
    os.kill(service.monitor, signal.SIGKILL)
    assert service.process is not None
    service.process.wait(WAIT_S)
    until(lambda: service.of_this_service() == [], "no orphans")


def test_after_a_monitor_that_was_killed_the_service_starts_again(service: Service) -> None:
    os.kill(service.monitor, signal.SIGKILL)
    assert service.process is not None
    service.process.wait(WAIT_S)
    until(lambda: service.of_this_service() == [], "no orphans")
    service.start()
    assert service.client().health()[0]


def test_an_interrupt_drains_and_a_second_one_does_not_wait(service: Service) -> None:
    with service.client() as client:
        client.describe("virtual:fast")
    os.kill(service.processes()["driver/virtual:fast"], signal.SIGSTOP)
    assert service.process is not None
    service.process.send_signal(signal.SIGINT)
    until(lambda: "driver/virtual" not in service.processes(), "what can end has ended")
    assert "driver/virtual:fast" in service.processes()
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(2.0) == 0


def test_a_port_in_use_names_its_holder(make_service: Callable[..., Service]) -> None:
    service = make_service()
    with socket.create_server(("127.0.0.1", service.port)):
        ended = service.run("run")
    assert ended.returncode == 1
    assert re.fullmatch(rf"scanbus: Port {service.port} .* in use by .*{os.getpid()}.*\n", ended.stderr), ended.stderr
    assert list((service.folder / "state").iterdir()) == []


def test_a_second_service_on_the_same_state_is_refused(service: Service) -> None:
    ended = service.run("run", SCANBUS_GATEWAY__PORTS="[1]", SCANBUS_RUNTIME_FOLDER=str(service.folder / "other"))
    assert ended.returncode == 1
    assert f"runs already (process {service.monitor})" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert service.client().health()[0]


def test_a_service_that_cannot_begin_says_why_in_one_sentence(
    service: Service, make_service: Callable[..., Service]
) -> None:
    other = make_service(SCANBUS_RUNTIME_FOLDER=service.environment["SCANBUS_RUNTIME_FOLDER"])
    ended = other.run("run")
    assert ended.returncode == 1
    assert "Another Scanbus uses" in ended.stderr.splitlines()[-1]


def test_the_monitor_is_small(service: Service) -> None:
    facts = Path(f"/proc/{service.monitor}/smaps_rollup").read_text()
    found = re.search(r"^Pss: +(\d+) kB", facts, re.MULTILINE)
    assert found is not None
    assert int(found[1]) <= 20 * 1024


def test_systemd_is_told_when_the_service_is_ready(make_service: Callable[..., Service], tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(WAIT_S)
        service = make_service(NOTIFY_SOCKET=str(path))
        service.start()
        assert systemd.recv(100) == b"READY=1"
        assert service.stop() == 0
        assert systemd.recv(100) == b"STOPPING=1"


def test_an_actor_may_join_from_elsewhere(make_service: Callable[..., Service]) -> None:
    processes = {"main": ["buffer", "cache", "device", "gateway"], "driver": ["driver"], "image": ["image"]}
    service = make_service(SCANBUS_PROCESSES=json.dumps(processes))
    service.start()
    with (
        service.client() as client,
        subprocess.Popen(service.command("actor", "pdf"), env=service.environment, stderr=subprocess.DEVNULL) as actor,
    ):
        list(client.scan("virtual:fast", source="feeder", pages=1))
        until(lambda: "pdf" in [each["service"] for each in client.call("bus.get_status")["services"]], "pdf joined")
        assert client.pdf(service.folder / "one.pdf") == 1
        actor.terminate()
        assert actor.wait(WAIT_S) == 0


def test_an_actor_that_waits_for_a_service_can_be_stopped(make_service: Callable[..., Service]) -> None:
    service = make_service()
    with subprocess.Popen(service.command("actor", "pdf"), env=service.environment, stderr=subprocess.DEVNULL) as actor:
        until(lambda: catches(actor.pid, signal.SIGTERM), "it listens to signals")
        actor.terminate()
        assert actor.wait(WAIT_S) == 0


def test_a_service_that_cannot_keep_pages_says_so_and_ends(make_service: Callable[..., Service]) -> None:
    service = make_service()
    (service.folder / "state").mkdir(mode=0o700)
    (service.folder / "state" / "buffer").touch()
    ended = service.run("run")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("scanbus: ")
    assert service.of_this_service() == []
