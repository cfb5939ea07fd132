"""One scan from its start to its end, for whoever asked, and for whoever comes back later."""

import asyncio
from collections.abc import Callable

from bus import Context, Stream
from schemas.buffer import Append
from schemas.device import Job, JobState, Progress, ScannedPage, Settings, Started
from schemas.driver import Acquire, Acquired, Arrived, Reading
from schemas.errors import Canceled, DriverFailed, Lost, ScanbusError
from schemas.message import Message


class RunningJob:
    """A scan: it tells its watchers every part, and knows how it ended."""

    def __init__(self, job_id: str, device_id: str, session: str) -> None:
        self.session = session
        self.job = Job(job_id=job_id, device_id=device_id, state=JobState.PENDING)
        self.fault: ScanbusError | None = None
        self._watchers: list[Callable[[Message], None]] = []
        self._ended = asyncio.Event()
        self._stream: Stream[Acquired, Arrived | Reading] | None = None
        self._stopping = False

    @property
    def running(self) -> bool:
        """Whether it may still give pages."""
        return not self._ended.is_set()

    def stop(self) -> None:
        """Stop the device; finished pages still arrive."""
        self._stopping = True
        if self._stream is not None:
            self._stream.cancel()

    async def follow(self, tell: Callable[[Message], None]) -> Job:
        """Hear every part from now on, until the end. Raises the scan's fault."""
        tell(Started(job=self.job))
        self._watchers.append(tell)
        try:
            await self._ended.wait()
        finally:
            self._watchers.remove(tell)
        if self.fault is not None:
            raise self.fault
        return self.job

    async def ended(self) -> Job:
        """Wait for the end, however it comes."""
        await self._ended.wait()
        return self.job

    async def run(self, settings: Settings, ctx: Context) -> None:
        """Scan."""
        self._set(JobState.RUNNING)
        try:
            async with ctx.stream(Acquire(settings=settings), instance=self.job.device_id) as self._stream:
                if self._stopping:
                    self._stream.cancel()
                async for part in self._stream:
                    await self._take(part, ctx)
                await self._stream.reply()
            self._set(JobState.COMPLETED)
        except Canceled as error:
            self._end(JobState.CANCELED, error)
        except Lost:
            self._end(
                JobState.FAULTED,
                DriverFailed("The scanner's driver crashed or did not answer; it was restarted. Press Scan again."),
            )
        except ScanbusError as error:
            self._end(JobState.FAULTED, error)
        finally:
            if self.job.state is JobState.RUNNING:
                self._end(JobState.CANCELED, Canceled())
            self._ended.set()

    async def _take(self, part: Arrived | Reading, ctx: Context) -> None:
        if isinstance(part, Reading):
            self._tell(Progress(number=self.job.pages + 1, fraction=part.fraction))
            return
        page = (await ctx.call(Append(image=part.image))).page
        self._set(JobState.RUNNING, pages=self.job.pages + 1)
        self._tell(ScannedPage(page=page, number=self.job.pages))

    def _end(self, state: JobState, error: ScanbusError) -> None:
        self.fault = type(error)(error.text, **{**error.data, "pages": str(self.job.pages)})
        self._set(state)

    def _set(self, state: JobState, pages: int | None = None) -> None:
        self.job = Job(
            job_id=self.job.job_id,
            device_id=self.job.device_id,
            state=state,
            pages=self.job.pages if pages is None else pages,
            fault=self.fault.failure() if self.fault is not None else None,
        )

    def _tell(self, part: Message) -> None:
        for tell in list(self._watchers):
            tell(part)
