"""Structured logs: one JSON document a line, with the import, its run and its step (docs/metrics.md)."""

import atexit
import json
import logging
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue

from lindorm_import.api.text import printable

LEVELS = ("debug", "info", "warning", "error")
FIELDS = ("import", "run", "step", "action")


class JsonFormatter(logging.Formatter):
    """What a log record says, as JSON. Fields of ours come by `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in FIELDS:
            if value := getattr(record, name, None):
                document[name] = value
        reference = getattr(record, "k8s_ref", None)  # kopf's own records name the object so
        if isinstance(reference, dict) and "import" not in document:
            document["import"] = f"{reference.get('namespace')}/{reference.get('name')}"
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return printable(json.dumps(document, ensure_ascii=False))  # in its own form of escapes: it stays JSON


def configure(level: str = "info") -> None:
    """To stderr, from the level (one of LEVELS) on; kopf's, boto3's and the Kubernetes client's chatter from WARNING on
    at least, whatever the level: at DEBUG they write what they send and get, Secrets and signatures included.

    One thread writes what all of them say. With each writing its own lines under the handler's lock, hundreds of passes
    stood in line for it: whoever has it gives up the interpreter's lock for the write, and waits to get that back.
    """
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    said = QueueHandler(lines)  # a SimpleQueue has what it needs, and takes no lock to put
    said.setFormatter(JsonFormatter())  # where the exception still is; what lies in the queue is text
    writer = QueueListener(lines, logging.StreamHandler())
    writer.start()
    atexit.register(writer.stop)
    lowest = getattr(logging, level.upper())
    logging.basicConfig(level=lowest, handlers=[said], force=True)
    for chatty in ("kopf", "kubernetes", "urllib3", "botocore", "aiohttp"):
        logging.getLogger(chatty).setLevel(max(lowest, logging.WARNING))
