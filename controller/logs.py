"""Structured logs: one JSON document a line, with the import, its run and its step (docs/metrics.md)."""

import json
import logging
from datetime import UTC, datetime

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
        return json.dumps(document, ensure_ascii=False)


def configure() -> None:
    """To stderr, from INFO on; kopf's and the Kubernetes client's chatter from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("kopf", "kubernetes", "urllib3", "botocore", "aiohttp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
