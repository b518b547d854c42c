"""Records of what lies in a folder: JSON that holds its own digest."""

from pathlib import Path
from typing import Any

from polyloom.durable import json_digest, read_json
from polyloom.errors import IntegrityError

AGAIN = "Rebuild the index."


def read_record(path: Path) -> dict[str, Any]:
    """A record, checked against its own digest."""
    try:
        record: dict[str, Any] = read_json(path)
        facts = {name: value for name, value in record.items() if name != "digest"}
        intact = record["digest"] == json_digest(facts)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing. {AGAIN}") from error
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise IntegrityError(f"{path} is not what was recorded. {AGAIN}")
    return record
