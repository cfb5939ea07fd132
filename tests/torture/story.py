"""A scripted day of a few sessions, in one process under the shim, which notes what was acknowledged after which call.

`python -m tests.torture.story FOLDER` lives it below `FOLDER/state`.
"""

import asyncio
import random
import sys
from pathlib import Path

from schemas.config import Config
from tests.house import house, virtual_config
from tests.paper import small_stack
from tests.torture.calls import Shim
from tests.torture.diary import Diary, KeptDiary

BIG_BYTES = (1 << 20) + 4321
"""More than one piece of a sealed file."""


def story_config(folder: Path, paper: Path | None = None) -> Config:
    return virtual_config(folder, folder=str(paper or folder / "paper"))


async def live(folder: Path, shim: Shim) -> None:
    chance = random.Random(4)
    deeds, plans = KeptDiary("deeds", shim), KeptDiary("plans", shim)
    async with house(story_config(folder)) as here:
        first = await Diary.begin(here, shim)
        await first.scan(3)
        second = await Diary.begin(here, shim)
        await asyncio.gather(first.rotate([1], 90), second.scan(4))
        await first.move([2, 0], 0)
        await deeds.create(first)
        await asyncio.gather(second.remove([1, 2]), deeds.save(first))
        await first.create("second")
        for number in range(6):
            await first.put(number)
        await first.label([3, 5], "invoice")
        await first.file([4, 0], "second")
        await first.put(0, chance.randbytes(BIG_BYTES))
        await first.remove([0, 4])
        await first.copy([1, 5])
        gone = await Diary.begin(here, shim)
        await gone.scan(2)
        await gone.put(0)
        await plans.create(gone)
        await plans.save(gone)
        await asyncio.gather(gone.end(), second.move([1], 0))
        await second.scan(2)
        await plans.remove(second)
        await first.rotate([0, 3, 5], 270)
        await deeds.save(second)
    async with house(story_config(folder)) as here:
        third = await Diary.begin(here, shim)
        await third.put(7)
        await third.scan(2)
        await third.remove([0])


def main() -> None:
    folder = Path(sys.argv[1])
    small_stack(folder / "paper", 4)
    asyncio.run(live(folder, Shim()))


if __name__ == "__main__":
    main()
