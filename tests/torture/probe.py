"""Asks whether HTTP answers, all the time: without it, nobody would see how long it does not after a kill."""

import threading
import urllib.error
import urllib.request
from time import monotonic
from typing import NamedTuple

PAUSE_S = 0.02
PATIENCE_S = 30.0


class Asked(NamedTuple):
    """One request, with the times of `time.monotonic`."""

    began_s: float
    ended_s: float
    answered: bool
    """With any status."""
    refused: bool
    """The connection was: nobody listened."""


class Probe(threading.Thread):
    """A browser that asks for `/healthz` again and again, until `end`."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/healthz"
        self._asked: list[Asked] = []
        self._news = threading.Condition()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(PAUSE_S):
            asked = self._ask()
            with self._news:
                self._asked.append(asked)
                self._news.notify_all()

    def end(self) -> None:
        self._over.set()
        self.join()

    def answers_after(self, moment_s: float) -> float:
        """How long after a moment the first request that began since then is answered; waits for it."""
        with self._news:
            answered = self._news.wait_for(lambda: self._first(moment_s), PATIENCE_S)
        assert answered, f"HTTP does not answer within {PATIENCE_S} seconds"
        return answered.ended_s - moment_s

    def refused(self, since_s: float, until_s: float) -> int:
        """How many connections were refused between two moments."""
        with self._news:
            return sum(each.refused and since_s <= each.began_s < until_s for each in self._asked)

    def _first(self, moment_s: float) -> Asked | None:
        since = (each for each in self._asked[-2000:] if each.began_s >= moment_s and each.answered)
        return next(since, None)

    def _ask(self) -> Asked:
        began_s, answered, refused = monotonic(), True, False
        try:
            urllib.request.urlopen(self._url, timeout=PATIENCE_S).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError as error:
            answered = False
            refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
        return Asked(began_s, monotonic(), answered, refused)
