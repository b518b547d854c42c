"""Whether the ledger holds, and whether the registry's aliases stand where the ledger says."""

from dataclasses import dataclass

from releases.changes import CHAMPION, KEPT, changes, standing
from releases.registry import Registry


@dataclass(frozen=True)
class Disagreement:
    """An alias that is not where the ledger says; versions are None where there is none."""

    alias: str
    ledger: str | None
    registry: str | None
    cure: str


@dataclass(frozen=True)
class Agreement:
    """How many lines of the ledger were verified, and what does not agree with it."""

    lines: int
    disagreements: tuple[Disagreement, ...]


def agreement(registry: Registry, scenario: str) -> Agreement:
    """Verify a scenario's ledger, and hold the registry against it. Raises IntegrityError naming a broken line."""
    ledger = registry.ledger(scenario)
    with registry.changing(scenario):
        lines = ledger.verify()
        told = standing(changes(ledger)).aliases
        there = registry.aliases(scenario).all()
    found = [
        Disagreement(alias, version, there.get(alias), cure_of(scenario, alias, version, there.get(alias)))
        for alias, version in told.items()
        if there.get(alias) != version
    ]
    return Agreement(lines, tuple(found))


def cure_of(scenario: str, alias: str, told: str | None, there: str | None) -> str:
    """What a person does where ledger and registry differ."""
    if alias in KEPT:
        return f"The next run, promotion or rollback of {scenario} sets it right by itself."
    if alias != CHAMPION:
        return f"Something outside polyloom moved {alias!r}; promote to it again, or delete it in MLflow."
    back = f"`polyloom promote {scenario} {told}` puts it back"
    taken = f"; `polyloom promote {scenario} {there}` lets it stand, and notes it in the ledger" if there else ""
    return f"Something outside polyloom moved the champion. {back}{taken}."
