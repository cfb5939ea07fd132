import json
import re
import signal
import subprocess

import pytest

from tests.system.conftest import WAIT_S, Service


def test_a_person_who_interrupts_a_scan_keeps_the_finished_pages(shared: Service) -> None:
    target = shared.folder / "kept.pdf"
    with subprocess.Popen(
        shared.command("scan", "-o", str(target), "--device", "virtual:slow", "--source", "feeder"),
        env=shared.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as scanning:
        assert scanning.stderr is not None
        assert scanning.stderr.readline() == "Page 1\n"
        scanning.send_signal(signal.SIGINT)
        said = scanning.stderr.read()
        assert scanning.wait(WAIT_S) == 130, said
    assert target.read_bytes().startswith(b"%PDF")
    assert re.search(r"kept.pdf: \d pages? in", said)


def test_a_jam_saves_the_finished_pages_and_says_what_to_do(shared: Service) -> None:
    ended = shared.run("scan", "-o", "jam.pdf", "--device", "virtual:jamming", "--source", "feeder", "--json")
    assert ended.returncode == 4
    assert json.loads(ended.stdout)["pages"] == 2
    assert (shared.folder / "jam.pdf").read_bytes().startswith(b"%PDF")
    assert "jam" in ended.stderr.splitlines()[-1].lower()


def test_pages_of_a_scan_that_was_killed_are_found_saved_and_ended(shared: Service) -> None:
    command = shared.command("scan", "-o", "killed.pdf", "--device", "virtual:slow", "--source", "feeder")
    with subprocess.Popen(command, env=shared.environment, stderr=subprocess.PIPE, text=True) as scanning:
        assert scanning.stderr is not None
        assert scanning.stderr.readline() == "Page 1\n"
        scanning.kill()
    (stay,) = [each for each in json.loads(shared.run("sessions", "list", "--json").stdout) if each.get("pages")]
    saved = shared.run("sessions", "save", stay["session_id"], "found.pdf")
    assert re.fullmatch(r"found.pdf: \d+ pages?\n", saved.stdout), saved.stderr
    assert (shared.folder / "found.pdf").read_bytes().startswith(b"%PDF")
    assert shared.run("sessions", "end", stay["session_id"]).returncode == 0
    assert stay["session_id"] not in shared.run("sessions", "list").stdout
    assert shared.run("sessions", "end", stay["session_id"]).returncode == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["scan", "-o", "x.pdf", "--device", "virtual:empty", "--source", "feeder"], 4, "feeder is empty"),
        (["scan", "-o", "x.pdf"], 2, "choose one with --device ID"),
        (["scan", "-o", "x.pdf", "--device", "virtual:nothing"], 2, "."),
        (["scan", "-o", "x.pdf", "--device", "virtual:fast", "--resolution-dpi", "1"], 2, "resolution_dpi"),
        (["scan", "-o", "log", "--device", "virtual:fast"], 2, "exists already"),
        (["scan", "-o", "x.pdf", "--option", "nothing"], 2, "NAME=VALUE"),
        (["scan", "-o", "missing/x.pdf"], 2, "cannot be written"),
        (["status", "--url", "http://127.0.0.1:9"], 3, "does not run at http://127.0.0.1:9"),
        (["config", "--set", "nonsense=1"], 2, "no setting 'nonsense'"),
        (["actor", "nonsense"], 2, "no actor 'nonsense'"),
    ],
)
def test_an_error_is_said_in_a_sentence_and_has_its_exit_code(
    shared: Service, words: list[str], code: int, said: str
) -> None:
    ended = shared.run(*words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (shared.folder / "x.pdf").exists()


def test_status_names_processes_services_scanners_and_the_store(shared: Service) -> None:
    with shared.client() as client:
        client.devices(wait=True)
    state = json.loads(shared.run("status", "--json").stdout)
    assert state["healthy"]
    assert {"monitor", "main", "driver/virtual"} <= {process["name"] for process in state["processes"]}
    assert {"buffer", "device"} <= {each["service"] for each in state["services"]}
    assert "virtual:fast" in [device["device_id"] for device in state["devices"]]
    assert state["store"]["disk_free_bytes"] > 0
    assert "Scanners\n" in shared.run("status").stdout


def test_devices_lists_what_there_is(shared: Service) -> None:
    listed = json.loads(shared.run("devices", "--wait", "--json").stdout)
    assert {"sane:test:0", "virtual:fast"} <= {device["device_id"] for device in listed["devices"]}
    assert "virtual:fast  " in shared.run("devices", "--wait").stdout


def test_config_says_where_each_value_came_from(shared: Service) -> None:
    values = json.loads(shared.run("config", "--json", "--set", "idle_s=3").stdout)
    assert values["idle_s"] == {"value": 3.0, "origin": "--set idle_s"}
    assert values["gateway.ports"]["origin"] == "environment SCANBUS_GATEWAY__PORTS"
    assert values["gateway.hosts"]["origin"] == "default"
