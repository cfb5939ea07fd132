"""`scanbus sessions`: what programs left behind, such as a scan that was killed."""

import json
from argparse import Namespace
from time import localtime, strftime

from scanbus.client import Client, Stay


def sessions(client: Client, arguments: Namespace) -> None:
    """List them, save the pages of one as a PDF, or end one. Raises ScannerError, and what writing a file raises."""
    match arguments.action:
        case "save":
            pages = client.pdf(arguments.file, overwrite=arguments.force)
            print(f"{arguments.file}: {pages} page{'s' if pages != 1 else ''}")
        case "end":
            client.call("session.close")
        case _:
            stays = client.stays()
            print(json.dumps(stays) if arguments.json else "\n".join(map(_line, stays)) or "There is no session.")


def _line(stay: Stay) -> str:
    count = stay.get("pages", 0)
    begun = strftime("%Y-%m-%d %H:%M", localtime(stay["begun_at"]))
    states = [name for name in ("running", "connected", "damaged") if stay.get(name)]
    return "  ".join([stay["session_id"], begun, f"{count} page{'s' if count != 1 else ''}", *states])
