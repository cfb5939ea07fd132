"""The recipes of CONTRIBUTING.md are done here word by word, in a copy of the house, and what comes of them works."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "bus", "actors", "gateway", "scanbus", "scripts", "tests")
STEP = re.compile(
    r"^\d\. `(?P<path>[^`]+)`(?:, below `(?P<below>[^`]+)`|(?P<end>, at the end))?.*?^   ```\w+\n(?P<text>.*?)^   ```",
    re.M | re.S,
)
WAIT_S = 60


def recipe(title: str) -> list[re.Match[str]]:
    """The steps of one recipe: a place, and what to write there."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    steps = list(STEP.finditer(section))
    assert len(steps) == len(re.findall(r"^\d\. ", section, re.M)) == 3
    return steps


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of everything that a recipe may touch, installed."""
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "recordings", "traces")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def follow(title: str, house: Path) -> None:
    """Do what a recipe says."""
    for step in recipe(title):
        place, text = house / step["path"].replace("~/.config/scanbus", "."), shifted(step["text"])
        if text == "make types\n":
            run(house, "scripts.make_types")
        elif step["below"]:
            before = place.read_text()
            assert before.count(f"{step['below']}\n") == 1
            place.write_text(before.replace(f"{step['below']}\n", f"{step['below']}\n{text}"))
        elif step["end"]:
            place.write_text(place.read_text() + ("\n" if text.startswith(" ") else "\n\n") + text)
        else:
            assert not place.exists()
            place.write_text(text)
    install(house, tomllib.loads((house / "pyproject.toml").read_text())["project"]["entry-points"])


def shifted(block: str) -> str:
    """A code block without the three blanks that put it below its step."""
    return "".join(line.removeprefix("   ") for line in block.splitlines(keepends=True))


def install(folder: Path, points: dict[str, dict[str, str]], name: str = "scanbus") -> None:
    """What `pip install -e` leaves for those who look for entry points."""
    info = folder / f"{name}-0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items()) for group, each in points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))


def run(folder: Path, *command: str, path: str = "") -> None:
    """Run one of the modules there; it must go well."""
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, timeout=WAIT_S, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def claim(house: Path, story: str, contract: str) -> None:
    """What is said of the new thing holds in the house, and so do the claims that everything is held to."""
    told = "tests/unit/actors/test_story.py"
    (house / told).write_text(dedent(story))
    run(house, "pytest", "-p", "no:cacheprovider", told, "tests/unit/schemas", contract)


ACTOR = "tests/contract/test_actors.py::test_an_actor_keeps_its_contract"
DRIVER = "tests/contract/test_drivers.py::test_a_driver_keeps_its_contract"


def test_an_actor_is_added_in_three_places(house: Path) -> None:
    follow("Add an actor", house)
    story = """
        from schemas.greeting import Greet
        from tests.house import House, in_house


        @in_house
        async def test_it_greets(here: House) -> None:
            here.start("greeting")
            await here.ready("greeting")
            assert (await here.session().call(Greet(name="Ada"))).text == "Hello, Ada!"
    """
    claim(house, story, f"{ACTOR}[greeting]")


def test_a_message_is_added_in_three_places(house: Path) -> None:
    follow("Add an actor", house)
    follow("Add a message", house)
    story = """
        from schemas.greeting import Leave
        from schemas.registry import browser_requests
        from tests.house import House, in_house


        @in_house
        async def test_it_says_goodbye(here: House) -> None:
            here.start("greeting")
            await here.ready("greeting")
            assert (await here.session().call(Leave(name="Ada"))).text == "Goodbye, Ada!"


        def test_a_page_may_say_it() -> None:
            assert browser_requests()["greeting.leave"] is Leave
    """
    claim(house, story, f"{ACTOR}[greeting]")
    assert "greeting.leave" in (house / "gateway/web/scanbus.d.ts").read_text()


def test_a_driver_is_added_in_three_places(house: Path) -> None:
    follow("Add a driver", house)
    story = f"""
        import asyncio
        from pathlib import Path

        from scanbus.config import load
        from schemas.buffer import ListPages
        from schemas.device import ListDevices, Scan
        from tests.house import house


        def test_it_scans_into_the_session(tmp_path: Path) -> None:
            flags = [f"state_folder={{tmp_path}}/state", f"runtime_folder={{tmp_path}}/run"]
            config = load(flags, Path("{house}/config.toml")).config

            async def story() -> None:
                async with house(config) as here, asyncio.timeout(20):
                    ctx = here.session()
                    found = await ctx.call(ListDevices(wait=True))
                    assert "chess:board" in [device.device_id for device in found.devices]
                    await ctx.call(Scan(device_id="chess:board"))
                    (page,) = (await ctx.call(ListPages())).pages
                    assert (page.image.width_px, page.image.height_px) == (591, 591)

            asyncio.run(story())
    """
    claim(house, story, f"{DRIVER}[chess]")


def test_what_another_distribution_registers_is_held_to_the_contracts_by_itself(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(
        dedent("""
            from actors.device.virtual import VirtualDriver
            from tests.contract.broken import Fine, Mistaken


            class OtherDriver(VirtualDriver):
                family = "other"
        """)
    )
    points = {
        "scanbus.actors": {"fine": "others:Fine", "mistaken": "others:Mistaken"},
        "scanbus.drivers": {"other": "others:OtherDriver"},
    }
    install(tmp_path, points, "others")
    run(ROOT, "pytest", "-p", "no:cacheprovider", f"{ACTOR}[fine]", f"{DRIVER}[other]", path=str(tmp_path))
    with pytest.raises(AssertionError, match="was never announced"):
        run(ROOT, "pytest", "-p", "no:cacheprovider", f"{ACTOR}[mistaken]", path=str(tmp_path))
