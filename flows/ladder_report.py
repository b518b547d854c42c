"""The ladder of strategy `auto`, as the command line, the model card and MLflow show it."""

from collections.abc import Mapping
from typing import Any

Ladder = Mapping[str, Any]
"""What `training.strategies.ladder.Climb.to_json` gave."""


def ladder_lines(auto: Ladder | None) -> list[str]:
    """A line a rung, and why the climb ended; none without `auto`."""
    if not auto:
        return []
    rungs = [
        f"auto      {'*' if rung['kept'] else ' '} {rung['strategy']}: {rung_line(rung)}" for rung in auto["rungs"]
    ]
    return [*rungs, f"          {ladder_end(auto)}"]


def rung_line(rung: Mapping[str, Any]) -> str:
    """A rung in one line."""
    if rung["metric"] is None:
        return str(rung["reason"])
    return f"{rung['reason']}; {rung['trained_parameters']:,} parameters, {rung['seconds']:.0f} s"


def ladder_end(auto: Ladder | None) -> str:
    """Which rung is taken, and why the climb went no further; empty without `auto`."""
    return f"{auto['rungs'][auto['best']]['strategy']} is taken; {auto['stopped']}" if auto else ""


def ladder_rows(auto: Ladder | None) -> list[dict[str, Any]]:
    """The rungs for the card, without times, so that the same run gives the same card."""
    return [
        {
            "rung": rung["strategy"],
            "taken": rung["kept"],
            "on validation rows": rung["metric"],
            "gain": gain(rung),
            "trained parameters": rung["trained_parameters"],
            "epochs": rung["epochs"],
        }
        for rung in (auto["rungs"] if auto else [])
    ]


def gain(rung: Mapping[str, Any]) -> str:
    """A rung's difference to the best before, with its interval."""
    if rung["difference"] is None:
        return ""
    return f"{rung['difference']:+.4f} ({rung['low']:+.4f} to {rung['high']:+.4f})"


def ladder_figures(auto: Ladder) -> dict[str, float]:
    """Each rung's figures for MLflow, as `auto.<strategy>.<figure>`."""
    wanted = ("metric", "difference", "low", "high", "seconds", "trained_parameters")
    return {
        f"auto.{rung['strategy']}.{name}": float(rung[name])
        for rung in auto["rungs"]
        for name in wanted
        if rung[name] is not None
    }
