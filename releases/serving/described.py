"""A served scenario as callers see it: which release answers, what may be asked, and which columns it reads."""

from typing import Any

from releases.serving.actions import Actions
from releases.serving.champion import Champion


def described(champion: Champion, *, whole: bool = False) -> dict[str, Any]:
    """One scenario; with `whole` also columns, tasks and figures."""
    served, standing = champion.served, champion.standing
    told: dict[str, Any] = {
        "name": served.scenario,
        "title": served.runtime.title,
        "alias": champion.alias,
        "version": served.version,
        "digest": served.digest,
        "actions": acts(served.door),
        "stale_since": standing.stale_since,
        "stale_because": standing.reason,
    }
    if whole:
        told |= {
            "columns": sorted(served.door.door.columns.all),
            "tasks": tasks(served.door),
            "metrics": served.runtime.metrics,
        }
    return told


def acts(actions: Actions) -> list[str]:
    """What may be asked of a release."""
    runtime = actions.runtime
    able = {
        "predict": bool(runtime.heads),
        "explain": any(head.reads == "fused" for head in runtime.heads.values()),
        "search": runtime.searchable,
        "recommend": bool(runtime.facts.get("recommend")),
        "ask": bool(runtime.facts.get("answer")),
        "feedback": True,
    }
    return [name for name, is_able in able.items() if is_able]


def tasks(actions: Actions) -> dict[str, dict[str, Any]]:
    """Each task's kind and what it reads."""
    return {
        name: {"kind": head.decoder.kind, "reads": list(head.inputs)} for name, head in actions.runtime.heads.items()
    }
