"""Telling others what became of a release: a webhook gets JSON, and a Prefect server an event for its automations.

Nothing that goes wrong here may undo what was decided: it is logged, and that is all.
"""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from polyloom.durable import read_json
from releases.registry import Registered

Happening = Literal["promoted", "refused", "rolled_back", "waiting"]
Log = Callable[[str], None]
TIMEOUT_SECONDS = 5.0
ATTEMPTS = 2


def announce(
    happening: Happening,
    release: Registered,
    *,
    against: str | None,
    who: str,
    why: str,
    webhook: str | None,
    log: Log,
) -> None:
    """Tell the webhook, where there is one, and the Prefect server, where one answers."""
    facts = {
        "event": f"polyloom.release.{happening}",
        "scenario": release.scenario,
        "version": release.version,
        "digest": release.digest,
        "against": against,
        "who": who,
        "why": why,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if webhook is not None and (address := address_of(webhook, log=log)) is not None:
        post(address, facts, log=log)
    if (server := prefect_server_url()) is not None:
        post(f"{server}/events", [event_of(facts)], log=log, headers=prefect_headers())


def webhook_of(bundle: Path) -> str | None:
    """The webhook that the scenario of a released bundle names."""
    try:
        notify = (read_json(bundle / "scenario.json").get("monitor") or {}).get("notify")
    except (OSError, ValueError):
        return None
    return notify["webhook"] if notify else None


def address_of(webhook: str, *, log: Log) -> str | None:
    """The address behind `${NAME}`; None, and a line in the log, where the environment has none."""
    named = re.fullmatch(r"\$\{(\w+)\}", webhook)
    found = os.environ.get(named[1], "") if named else webhook
    if urlsplit(found).scheme in {"http", "https"}:
        return found
    reason = f"the environment variable {named[1]} holds no http address" if named else "it is no http address"
    log(f"monitor.notify.webhook: nobody was told, {reason}")
    return None


def event_of(facts: dict[str, Any]) -> dict[str, Any]:
    """What happened, as an event of Prefect about the scenario."""
    about = {"prefect.resource.id": f"polyloom.scenario.{facts['scenario']}", "polyloom.version": facts["version"]}
    return {"id": str(uuid4()), "event": facts["event"], "occurred": facts["at"], "resource": about, "payload": facts}


def prefect_server_url() -> str | None:
    """The API of the Prefect server in use: the one that is named, or the one that runs here."""
    from flows.server import running_server

    given = os.environ.get("PREFECT_API_URL")
    if given:
        return given.rstrip("/")
    local = running_server()
    return local.url if local else None


def prefect_headers() -> dict[str, str]:
    """How Prefect's own client would say who it is."""
    from base64 import b64encode

    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}


def post(address: str, content: Any, *, log: Log, headers: dict[str, str] | None = None) -> bool:
    """Send JSON, twice at most; whether it arrived. The log names the host alone: the rest may be a secret."""
    import httpx

    problem = ""
    for _ in range(ATTEMPTS):
        try:
            answer = httpx.post(address, json=content, headers=headers, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = type(error).__name__
            continue
        if answer.is_success:
            return True
        problem = f"status {answer.status_code}"
        if answer.is_client_error:
            break
    log(f"{urlsplit(address).hostname} could not be told of a release ({problem}); nothing else is changed by that")
    return False
