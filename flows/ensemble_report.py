"""An ensemble, as the command line, the model card and MLflow show it."""

from collections.abc import Mapping
from typing import Any

from releases.card import CardTable

Members = Mapping[str, Any]
"""What `flows.stages.members` reports: `metric`, `together`, `first`, `difference`, `low`, `high` and `members`."""


def member_lines(ensemble: Members | None) -> list[str]:
    """One line: what the members are worth together; none without an ensemble."""
    return [f"ensemble  {member_note(ensemble)}"] if ensemble else []


def member_note(ensemble: Members) -> str:
    """The members' metric on the validation rows against the first one's."""
    verdict = "a significant gain" if ensemble["low"] > 0 else "no significant gain"
    gain = f"{ensemble['difference']:+.4f} ({ensemble['low']:+.4f} to {ensemble['high']:+.4f})"
    return (
        f"{len(ensemble['members'])} members: {ensemble['metric']} {ensemble['together']:.4f} on the validation rows, "
        f"{gain} to the first alone: {verdict}"
    )


def member_tables(ensemble: Members | None) -> list[CardTable]:
    """The members as a table of the card; none without an ensemble. It has no times: the same run, the same card."""
    if not ensemble:
        return []
    names = {"seed": "seed", "metric": "on validation rows", "epochs": "epochs", "best_epoch": "best epoch"}
    rows = [{title: member[name] for name, title in names.items()} for member in ensemble["members"]]
    return [CardTable(title="The members of the ensemble", rows=rows, note=member_note(ensemble))]


def member_figures(ensemble: Members) -> dict[str, float]:
    """The figures for MLflow, as `ensemble.<figure>`, and `ensemble.member.<n>` of the n-th member."""
    found = {f"ensemble.{name}": ensemble[name] for name in ("together", "first", "difference", "low", "high")}
    found |= {f"ensemble.member.{number}": member["metric"] for number, member in enumerate(ensemble["members"], 1)}
    return {name: float(value) for name, value in found.items()}
