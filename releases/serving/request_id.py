"""Under which id a request is told of."""

import re
import uuid

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE | re.ASCII)
# What has fewer digits on end is no telephone, card or identity number; most ids have not, and cost nothing.
DIGITS = re.compile(r"[0-9](?:-?[0-9]){6,}")


def request_id(given: str | None) -> str:
    """The caller's id if it is a UUID or 32 hex digits in which nothing personal is hidden, else a new one."""
    return given if given is not None and is_harmless(given) else uuid.uuid4().hex


def is_harmless(given: str) -> bool:
    """Whether it is an id and no telephone, card or identity number, neither as it stands nor between its letters."""
    if ID.fullmatch(given) is None:
        return False
    stretches = DIGITS.findall(given)
    if not stretches:
        return True
    from ingestion.personal import find

    return not any(map(find, (given, *stretches)))
