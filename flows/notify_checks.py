"""What must hold of the addresses that are told of releases."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from flows.spec import DataScenario


def notify_problems(scenario: DataScenario) -> Iterator[str]:
    """An address that is none, or one that holds a password."""
    if scenario.monitor.notify is None:
        return
    given = scenario.monitor.notify.webhook
    if re.fullmatch(r"\$\{\w+\}", given):
        return
    parts = urlsplit(given)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        shown = given if "@" not in parts.netloc else f"{parts.scheme}://...@{parts.hostname}"
        yield (
            f"monitor.notify.webhook: {shown!r} is neither an https address without a password nor ${{NAME}}, "
            f"which is taken from the environment."
        )
