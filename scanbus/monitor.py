"""The parent process: holds the listening sockets for life and does what the policy says.

It stays small and decodes nothing but its own children's lines, so that nothing from outside can bring it down.
"""

import os
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from time import monotonic

import msgspec

from scanbus.channel import LINE_LIMIT_BYTES, Said, Setup, Told, line, parse
from scanbus.config import address
from scanbus.policy import MAIN, Action, Done, Drain, GiveUp, Kill, Policy, Restored, Start

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Child:
    """One process that runs, and the line to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
        self.process = process
        self.channel = channel
        self.unread = b""
        self.failed = ""
        """Its own words, if it said why it cannot run."""
        self.trace = ""
        """Where the letters before its crash are, if it could save them."""

    def tell(self, message: Told) -> None:
        # A child that does not read is about to be killed, one that has ended is about to be started again.
        with suppress(BlockingIOError, ConnectionError):
            self.channel.send(line(message))

    def lines(self) -> list[bytes]:
        """The whole lines that have arrived."""
        with suppress(BlockingIOError, ConnectionError):
            while chunk := self.channel.recv(1 << 16):
                self.unread += chunk
        *lines, self.unread = self.unread.split(b"\n")
        return lines if len(self.unread) < LINE_LIMIT_BYTES else []


class Monitor:
    """Runs the processes that the policy asks for, until it is told to stop."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._policy = Policy(setup.config.processes, silence_s=setup.config.bus.start_timeout_s)
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._version = ""
        self._done: Done | None = None
        self._wakeup, self._alarm = socket.socketpair()
        for end in (self._wakeup, self._alarm):
            end.setblocking(False)

    def run(self) -> str:
        """Return when nothing runs any more; the text says why if nobody asked for it."""
        # The handlers do nothing: the signal's number arrives through the wake-up socket, in the loop.
        # What was ignored when it began (nohup) stays ignored.
        stops = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in (*stops, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, None)
        self._do(self._policy.begin(monotonic()))
        while self._done is None:
            due = self._policy.next_due()
            for key, _ in self._selector.select(None if due is None else max(0.0, due - monotonic())):
                if key.data is None:
                    self._signaled(self._wakeup.recv(1 << 10))
                elif key.data in self._children:
                    self._hear(key.data)
            self._do(self._policy.tick(monotonic()))
        return self._done.failure

    def _signaled(self, numbers: bytes) -> None:
        for number in numbers:
            if number in STOPS:
                self._notify("STOPPING=1")
                stop = self._policy.interrupt if number == signal.SIGINT else self._policy.drain
                self._do(stop(monotonic()))
        for name, child in list(self._children.items()):
            code = child.process.poll()
            if code is not None:
                self._ended(name, child, code)

    def _hear(self, name: str) -> None:
        for text in self._children[name].lines():
            try:
                said = parse(text, Said)
            except msgspec.DecodeError:
                self._log("a line cannot be read", name)
                continue
            if said.alive:
                self._alive(name, said.alive)
            elif said.wanted:
                self._do(self._policy.wanted(said.wanted, monotonic()))
            elif said.lost:
                self._do(self._policy.lost(said.lost, said.reason))
            elif said.failed:
                self._children[name].failed = said.failed
            elif said.trace:
                self._children[name].trace = said.trace

    def _alive(self, name: str, version: str) -> None:
        self._do(self._policy.alive(name, monotonic()))
        if not self._version:
            self._version = version
            print(f"Scanbus {version} is ready: {address(self._setup.config)}", flush=True)
            self._notify("READY=1")

    def _ended(self, name: str, child: _Child, code: int) -> None:
        self._hear(name)
        del self._children[name]
        self._selector.unregister(child.channel)
        child.channel.close()
        # What it started itself must not outlive it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        if code:
            self._log("a process has ended", name, code=code, why=child.failed, trace=child.trace)
        self._tell(Told(exited=name))
        self._do(self._policy.exited(name, code, monotonic(), child.failed))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(name):
                    self._start(name)
                case Drain(name):
                    # Not SIGTERM: a device's library may have put its own handler there.
                    self._children[name].tell(Told(drain=True))
                case Kill(name):
                    self._log("a process is killed", name)
                    self._children[name].process.kill()
                case GiveUp(name, reason):
                    self._log("a process is given up", name, reason=reason)
                    for service in self._policy.services_of(name):
                        self._tell(Told(gave_up=service, reason=reason))
                case Restored(name):
                    for service in self._policy.services_of(name):
                        self._tell(Told(restored=service))
                case Done():
                    self._done = action

    def _start(self, name: str) -> None:
        process, _, instance = name.partition("/")
        sockets = self._setup.sockets if name == MAIN else []
        ours, theirs = socket.socketpair()
        # -P: nothing is imported from whatever folder this was started in.
        command = [sys.executable, "-P", "-m", "scanbus.process", process]
        try:
            child = _Child(
                subprocess.Popen(  # noqa: S603
                    [*command, "--instance", instance] if instance else command,
                    stdin=theirs.fileno(),
                    # Standard output is for what the monitor says; whatever a library prints belongs in the log.
                    stdout=sys.stderr.fileno(),
                    pass_fds=sockets,
                    process_group=0,
                ),
                ours,
            )
        except (OSError, ValueError) as error:
            ours.close()
            self._log("a process cannot be started", name, reason=str(error))
            self._do(self._policy.exited(name, 1, monotonic()))
            return
        finally:
            theirs.close()
        self._children[name] = child
        with suppress(ConnectionError):
            ours.sendall(line(Setup(config=self._setup.config, sockets=sockets, monitor=os.getpid())))
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, name)
        if name == MAIN:
            for gone, reason in self._policy.given_up.items():
                for service in self._policy.services_of(gone):
                    self._tell(Told(gave_up=service, reason=reason))

    def _tell(self, message: Told) -> None:
        if MAIN in self._children:
            self._children[MAIN].tell(message)

    def _log(self, event: str, name: str, **values: str | int) -> None:
        if self._setup.config.log.json:
            text = msgspec.json.encode({"event": event, "process": "monitor", "of": name, **values}).decode()
        else:
            shown = (f"{key}={value}" for key, value in values.items() if value != "")
            text = " ".join([f"monitor: {event}: {name}", *shown])
        print(text, file=sys.stderr, flush=True)

    def _notify(self, state: str) -> None:
        """Tell systemd, where it asked to be told (sd_notify(3))."""
        address = os.environ.get("NOTIFY_SOCKET", "")
        if address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, suppress(OSError):
                systemd.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def main() -> int:
    """Begin with the `Setup` that lies in the file descriptor named on the command line; gives the exit code."""
    with open(int(sys.argv[1]), "rb") as file:
        setup = parse(file.read(), Setup)
    failure = Monitor(setup).run()
    if setup.config.cache.volatile and not failure:
        # Only now: it takes more than everything else here.
        from bus.opened import destroy_volatile

        destroy_volatile(setup.config)
    if setup.lock:
        os.unlink(setup.lock)
    if failure:
        print(f"scanbus: {failure}", file=sys.stderr)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
