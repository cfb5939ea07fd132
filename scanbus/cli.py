"""The command `scanbus`: what may be typed, and how it ends."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from scanbus.client import NOT_RUNNING, Client, ScannerError
from scanbus.config import address, environment, load
from schemas.config import Config
from schemas.errors import CODES, DeviceError, RequestError, ScanbusError

OK, FAILED, USAGE, ABSENT, DEVICE, INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """\
exit codes:
  0    done
  1    the service failed; trying again may help
  2    what was asked cannot be done; change it
  3    the service does not run; start it with: scanbus run
  4    the scanner needs attention
  130  interrupted; finished pages were saved
"""


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; gives the exit code. Errors are one sentence on standard error."""
    arguments = _parser().parse_args(words)
    try:
        _do(arguments)
    except ScannerError as error:
        print(f"scanbus: {error.text}", file=sys.stderr)
        return ABSENT if error.code == NOT_RUNNING else _exit_code(CODES.get(error.code, ScanbusError))
    except ScanbusError as error:
        print(f"scanbus: {error.text}", file=sys.stderr)
        return _exit_code(type(error)) if arguments.command != "run" else FAILED
    except OSError as error:
        print(f"scanbus: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


def _exit_code(kind: type[ScanbusError]) -> int:
    return DEVICE if issubclass(kind, DeviceError) else USAGE if issubclass(kind, RequestError) else FAILED


def _do(arguments: argparse.Namespace) -> None:
    # Each command imports what it needs: listing scanners shall not wait for the whole service's libraries.
    from scanbus.commands import run, scan, show

    settings = load(arguments.set, arguments.config, environment())
    config = settings.config
    match arguments.command:
        case "run":
            run.run(config)
        case "actor":
            run.actor(config, arguments.name, arguments.instance, arguments.endpoint)
        case "device":
            from scanbus.commands import device

            device.record(config, arguments)
        case "devices":
            show.devices(_client(arguments, config), arguments)
        case "scan":
            scan.scan(_client(arguments, config), arguments)
        case "sessions":
            from scanbus.commands import sessions

            sessions.sessions(_client(arguments, config), arguments)
        case "status":
            show.status(_client(arguments, config), arguments, config)
        case "config":
            show.config(settings, arguments)
        case "trace" if arguments.action == "replay":
            from scanbus.commands import replay

            replay.play(config, arguments)
        case "trace":
            from scanbus.commands import trace

            trace.trace(config, arguments)


def _client(arguments: argparse.Namespace, config: Config) -> Client:
    return Client(arguments.url or address(config), session_id=getattr(arguments, "session", ""))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scanbus",
        description="Lets web pages, and any program, use document scanners.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"Scanbus {version('scanbus')}")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument("--config", type=Path, metavar="FILE", help="read settings from this file (TOML) alone")
    settings.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting")
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("--json", action="store_true", help="for programs")
    client = argparse.ArgumentParser(add_help=False)
    client.add_argument("--url", default="", help="where the service listens (from the settings)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("run", parents=[settings], help="run the service until it is told to stop")
    actor = commands.add_parser("actor", parents=[settings], help="join a running service with one more actor")
    actor.add_argument("name", help="such as image or pdf")
    actor.add_argument("--instance", default="", help="which one of its kind, such as sane:test:0 of driver")
    actor.add_argument("--endpoint", default="", help="ipc://FILE or tcp://ADDRESS:PORT (from the settings)")
    devices = commands.add_parser("devices", parents=[settings, client, output], help="list the scanners")
    devices.add_argument("--wait", action="store_true", help="until every driver has answered")
    commands.add_parser("status", parents=[settings, client, output], help="show what runs")
    commands.add_parser("config", parents=[settings, output], help="show every setting and where it came from")
    _add_device(commands.add_parser("device", help="record what a scanner answers"), settings)
    _add_trace(commands.add_parser("trace", help="record what is said on the bus, and read it"), settings)
    _add_scan(commands.add_parser("scan", parents=[settings, client, output], help="scan into a PDF"))
    _add_sessions(commands.add_parser("sessions", help="pages that programs left behind"), [settings, client, output])
    return parser


def _add_device(device: argparse.ArgumentParser, settings: argparse.ArgumentParser) -> None:
    commands = device.add_subparsers(dest="action", required=True, metavar="ACTION")
    record = commands.add_parser("record", parents=[settings], help="describe it, scan, and write what it answered")
    record.add_argument("device", metavar="DEVICE", help="its id, such as sane:test:0")
    record.add_argument("file", type=Path, metavar="STORY.jsonl", help="no page is in it")
    record.add_argument("--force", action="store_true", help="replace the file if it exists")
    _add_settings(record)


def _add_trace(trace: argparse.ArgumentParser, settings: argparse.ArgumentParser) -> None:
    asked = argparse.ArgumentParser(add_help=False)
    asked.add_argument("file", type=Path, metavar="OUT.jsonl", help="a file that does not exist yet")
    asked.add_argument("--private", action="store_true", help="with texts that are nobody else's business")
    picked = argparse.ArgumentParser(add_help=False)
    picked.add_argument("--session", default="", metavar="ID", help="only this one's letters; its beginning will do")
    picked.add_argument("--service", default="", metavar="NAME", help="only letters to this one, and what follows")
    commands = trace.add_subparsers(dest="action", required=True, metavar="ACTION")
    record = commands.add_parser("record", parents=[settings, asked, picked], help="until interrupted")
    record.add_argument("--blobs", action="store_true", help="copy the pages and files beside it, readable by you")
    commands.add_parser("last", parents=[settings, asked], help="save the last minute")
    replay = commands.add_parser("replay", parents=[settings], help="whether its actors still say what they said")
    replay.add_argument("file", type=Path, metavar="FILE", help="recorded with --blobs")
    replay.add_argument("--service", default="", metavar="NAME", help="only this one, such as driver/virtual:sample")
    show = commands.add_parser("show", parents=[settings, picked], help="read a trace")
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--cause", default="", metavar="LETTER", help="a number or id: only it and what follows from it")
    show.add_argument("--kind", choices=["request", "part", "reply", "cancel", "event"])
    show.add_argument("--full", action="store_true", help="whole bodies, and all other fields")
    show.add_argument("--beats", action="store_true", help="with the heartbeats of the actors")


def _add_scan(scan: argparse.ArgumentParser) -> None:
    scan.add_argument("-o", "--output", required=True, metavar="FILE", help="the PDF to write")
    scan.add_argument("--force", action="store_true", help="replace the file if it exists")
    scan.add_argument("--device", default="", metavar="ID", help="which scanner, where there is more than one")
    _add_settings(scan)
    scan.add_argument("--compression", choices=["jpeg", "lossless"], default="jpeg")


def _add_sessions(sessions: argparse.ArgumentParser, common: list[argparse.ArgumentParser]) -> None:
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("session", metavar="ID", help="see: scanbus sessions list")
    commands = sessions.add_subparsers(dest="action", required=True, metavar="ACTION")
    commands.add_parser("list", parents=common, help="which there are, and how many pages they have")
    save = commands.add_parser("save", parents=[*common, one], help="write its pages to a PDF")
    save.add_argument("file", type=Path, metavar="FILE.pdf")
    save.add_argument("--force", action="store_true", help="replace the file if it exists")
    commands.add_parser("end", parents=[*common, one], help="destroy its pages")


def _add_settings(scan: argparse.ArgumentParser) -> None:
    scan.add_argument("--source", choices=["flatbed", "feeder", "duplex"])
    scan.add_argument("--color", choices=["color", "gray", "mono"])
    scan.add_argument("--resolution-dpi", type=int, metavar="N")
    scan.add_argument("--page-size", choices=["a3", "a4", "a5", "a6", "b5", "letter", "legal", "card"])
    scan.add_argument("--brightness", type=int, metavar="PERCENT", help="-100 to 100")
    scan.add_argument("--contrast", type=int, metavar="PERCENT", help="-100 to 100")
    scan.add_argument("--pages", type=int, metavar="N", help="stop after so many pages")
    scan.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="one of the device's own")


if __name__ == "__main__":
    sys.exit(main())
