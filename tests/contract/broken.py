"""Actors that break one promise each; `Fine` breaks none."""

import asyncio
from typing import ClassVar, Never

from bus import Actor, Context, on
from schemas.errors import Conflict, Unavailable
from schemas.message import Event, Message, Request


class Done(Message, tag="broken.done"):
    number: int


class Step(Message, tag="broken.step"):
    number: int


class Do(Request[Done, Step], tag="broken.do"):
    number: int
    name: str = ""


class Again(Request[Done, Never], tag="broken.again"):
    idempotent: ClassVar[bool] = True


class Help(Request[Done, Never], tag="helper.help"):
    pass


class Happened(Event, tag="helper.happened"):
    number: int


class Fine(Actor):
    """Asks somebody, tells of it, answers."""

    service: ClassVar[str] = "broken"

    async def start(self, ctx: Context) -> None:
        self.lock = asyncio.Lock()
        self.times = 0

    @on(Do)
    async def do(self, msg: Do, ctx: Context) -> Done:
        return await self.work(msg, ctx)

    @on(Again)
    async def again(self, msg: Again, ctx: Context) -> Done:
        self.times += 1
        return await self.once_more(self.times)

    @on(Happened)
    async def happened(self, msg: Happened, ctx: Context) -> None:
        await self.hear(ctx)

    async def work(self, msg: Do, ctx: Context) -> Done:
        async with self.lock:
            done = await ctx.call(Help())
        ctx.part(Step(number=1))
        await ctx.call(Help())
        return done

    async def once_more(self, times: int) -> Done:
        return Done(number=1)

    async def hear(self, ctx: Context) -> None:
        await ctx.call(Help())


class Deaf(Fine):
    """Goes on when it is canceled."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        call = ctx.spawn(self.hear(ctx))
        try:
            await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.Event().wait()
        return Done(number=1)


class Locked(Fine):
    """Keeps its lock when it is canceled."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        await self.lock.acquire()
        done = await ctx.call(Help())
        self.lock.release()
        return done


class Trusting(Fine):
    """Takes it for granted that it is helped."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        try:
            return await ctx.call(Help())
        except Unavailable as error:
            raise KeyError("help") from error


class Impatient(Fine):
    """Knows no answer when there is no time left."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        until = ctx.now() + 5
        try:
            return await ctx.call(Help())
        finally:
            assert ctx.now() < until


class Mistaken(Fine):
    """Answers with what was never announced."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        return Step(number=1)  # type: ignore[return-value]


class Illegal(Fine):
    """Answers with a text where a number was announced."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        return Done(number="one")  # type: ignore[arg-type]


class Talkative(Fine):
    """Gives parts that were never announced."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        ctx.part(Done(number=1))
        return Done(number=1)


class Late(Fine):
    """Gives a part after its reply."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        asyncio.get_running_loop().call_later(0, ctx.part, Step(number=1))
        return Done(number=1)


class Leaky(Fine):
    """Leaves work behind that nobody ends."""

    async def start(self, ctx: Context) -> None:
        await super().start(ctx)
        self.work_behind = asyncio.create_task(asyncio.Event().wait())


class Tired(Fine):
    """Cannot be tried twice, though it says so."""

    async def once_more(self, times: int) -> Done:
        if times > 1:
            raise Conflict
        return Done(number=1)


class Hurt(Fine):
    """Does not survive the end of what it does beside its requests."""

    async def work(self, msg: Do, ctx: Context) -> Done:
        ctx.spawn(self._fail())
        return await super().work(msg, ctx)

    async def _fail(self) -> None:
        raise KeyError


class Offended(Fine):
    """Cannot bear news."""

    async def hear(self, ctx: Context) -> None:
        raise KeyError


class Once(Fine):
    """Starts only where it never was before."""

    async def start(self, ctx: Context) -> None:
        await super().start(ctx)
        (ctx.store.folder / "once").mkdir()


class Clinging(Fine):
    """Does not stop."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


COMPLAINTS: dict[type[Actor], str] = {
    Deaf: "canceled at step .: there is no reply",
    Locked: "there is no reply",
    Trusting: "with all that it asks gone at step .: it logs an error",
    Impatient: "out of time at step .: it answers 'internal'",
    Mistaken: "this reply was never announced",
    Illegal: "this reply was never announced",
    Talkative: "this part was never announced",
    Late: "it said reply, part",
    Leaky: "left tasks behind",
    Tired: "may be tried twice",
    Hurt: "logs an error: background work failed",
    Offended: "logs an error: background work failed",
    Once: "does not come to life",
    Clinging: "does not stop when its grace is over",
}
WITHOUT_END = (Deaf, Locked, Clinging)
"""What one would wait for in vain."""
