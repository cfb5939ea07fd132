import asyncio

import zmq

from bus.pump import Pump


def test_a_message_that_cannot_be_handled_does_not_hold_up_those_behind_it() -> None:
    async def story() -> None:
        failures: list[object] = []
        handled: asyncio.Queue[bytes] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

        def handle(frames: list[bytes]) -> None:
            if frames[0] == b"bad":
                raise ValueError
            handled.put_nowait(frames[0])

        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.bind("inproc://pump")
            pull = context.socket(zmq.PULL)
            pull.connect("inproc://pump")
            for data in (b"bad", b"good", b"bad", b"better"):
                push.send(data)
            pump = Pump(pull, handle)
            async with asyncio.timeout(10):
                assert [await handled.get(), await handled.get()] == [b"good", b"better"]
            assert len(failures) == 2
            pump.close()

    asyncio.run(story())
