"""How the log looks: without it, a line would not say which process wrote it, and might tell a secret."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from schemas.config import LogConfig

SECRET_KEYS = frozenset({"authorization", "filename", "key", "password", "secret", "text", "token"})
_PERSON = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(\w+://[^\s?#]*)[?#]\S*")


def configure(config: LogConfig, process: str) -> None:
    """Send this process's log, and that of the libraries in it, to standard error."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {**event, "process": process},
        structlog.processors.format_exc_info,
        hide,
    ]
    renderer: Processor
    if config.json:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    level = config.level.upper()
    # What libraries chat about is for whoever looks for a mistake.
    handler.addFilter(lambda line: isinstance(line.msg, dict) or line.levelno >= logging.WARNING or level == "DEBUG")
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Leave out values that may be secret, and what follows `?` in an address."""
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "(hidden)"
        elif isinstance(value, str) and "://" in value:
            event[key] = _QUERY.sub(r"\1?(hidden)", _PERSON.sub("", value))
    return event
