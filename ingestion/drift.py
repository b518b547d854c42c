"""How the data of two snapshots differ, by their profiles: what a person should know before training on the new one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ingestion.profile import Profile
from ingestion.refusals import shown

DriftKind = Literal[
    "table_added",
    "table_removed",
    "column_added",
    "column_removed",
    "type_changed",
    "missing_share",
    "new_values",
    "values_gone",
    "value_shares",
    "range",
    "mean",
    "lengths",
]
# Below these a change is hardly worth a line: shares by 5 points, means by half a deviation, lengths by half.
SHARE, TOTAL_VARIATION, DEVIATIONS, LENGTHS = 0.05, 0.1, 0.5, 1.5
# And so many standard errors it must be above what chance alone does to a sample of this size.
STANDARD_ERRORS = 4.0
GONE_SHARE = 0.01
VALUES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One change; `column` is empty where a whole table came or went."""

    table: str
    column: str
    kind: DriftKind
    message: str


def drift(old: Mapping[str, Profile], new: Mapping[str, Profile]) -> list[Drift]:
    """What changed between two snapshots, given the profile of each table by its name."""
    found = [
        Drift(table=name, column="", kind=kind, message=f"the table {name!r} {said}.")
        for kind, said, names in _came_and_went("table", old, new)
        for name in names
    ]
    for name in sorted(old.keys() & new.keys()):
        found += _table_drift(name, old[name]["columns"], new[name]["columns"])
    return found


def _table_drift(table: str, old: Mapping[str, Profile], new: Mapping[str, Profile]) -> Iterator[Drift]:
    for kind, said, names in _came_and_went("column", old, new):
        for name in names:
            yield Drift(table=table, column=name, kind=kind, message=f"{name!r} {said}.")
    for name in sorted(old.keys() & new.keys()):
        for kind, said in _column_drift(old[name], new[name]):
            yield Drift(table=table, column=name, kind=kind, message=f"{name!r}: {said}.")


Said = tuple[DriftKind, str]


def _came_and_went(
    what: Literal["table", "column"], old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[tuple[DriftKind, str, list[str]]]:
    added: DriftKind = "table_added" if what == "table" else "column_added"
    removed: DriftKind = "table_removed" if what == "table" else "column_removed"
    return [
        (added, "is new", sorted(new.keys() - old.keys())),
        (removed, "is gone", sorted(old.keys() - new.keys())),
    ]


def _column_drift(old: Profile, new: Profile) -> Iterator[Said]:
    if old["type"] != new["type"]:
        yield "type_changed", f"was {old['type']}, is {new['type']}"
        return
    if not old["rows"] or not new["rows"]:
        return
    yield from _missing(old, new)
    if not old.get("capped", True) and not new.get("capped", True):
        yield from _values(old, new)
    if old.get("mean") is not None and new.get("mean") is not None:
        yield from _numbers(old, new)
    if old.get("length_quantiles") and new.get("length_quantiles"):
        yield from _lengths(old, new)


def _missing(old: Profile, new: Profile) -> Iterator[Said]:
    before, after = old["null_share"], new["null_share"]
    both = (old["nulls"] + new["nulls"]) / (old["rows"] + new["rows"])
    error = (both * (1 - both) * (1 / old["rows"] + 1 / new["rows"])) ** 0.5
    if abs(after - before) > max(SHARE, STANDARD_ERRORS * error):
        yield "missing_share", f"{after:.1%} of the values are missing, before {before:.1%}"


def _values(old: Profile, new: Profile) -> Iterator[Said]:
    before, after = _shares(old), _shares(new)
    if "min" not in old:
        added = [value for value in after if value not in before]
        if added:
            yield "new_values", f"new values {_listed(added)}, {sum(after[value] for value in added):.1%} of the rows"
        gone = [value for value, share in before.items() if share >= GONE_SHARE and value not in after]
        if gone:
            share = sum(before[value] for value in gone)
            yield "values_gone", f"no more {_listed(gone)}, before {share:.1%} of the rows"
    moved = {value: after.get(value, 0.0) - before.get(value, 0.0) for value in {*before, *after}}
    distance = sum(map(abs, moved.values())) / 2
    # The expected distance of two samples of one distribution (by Jensen; counts of each value are binomial).
    chance = sum(before.get(value, 0.0) ** 0.5 for value in moved) * (1 / old["rows"] + 1 / new["rows"]) ** 0.5 / 2
    if distance > max(TOTAL_VARIATION, 2 * chance):
        most = max(moved, key=lambda value: (abs(moved[value]), value))
        moved_most = f"{shown(most)} went from {before.get(most, 0.0):.1%} to {after.get(most, 0.0):.1%}"
        yield "value_shares", f"{distance:.0%} of the rows hold another value than before; most of all {moved_most}"


def _numbers(old: Profile, new: Profile) -> Iterator[Said]:
    before, after = old["rows"] - old["nulls"], new["rows"] - new["nulls"]
    if "time" not in old["type"]:
        width = old["max"] - old["min"]
        if new["max"] > old["max"] + width or new["min"] < old["min"] - width:
            yield (
                "range",
                f"from {new['min']:.6g} to {new['max']:.6g}, before from {old['min']:.6g} to {old['max']:.6g}",
            )
        deviation = (old["spread"] / before) ** 0.5
        error = (old["spread"] / before**2 + new["spread"] / after**2) ** 0.5
        if abs(new["mean"] - old["mean"]) > max(DEVIATIONS * deviation, STANDARD_ERRORS * error):
            yield "mean", f"the mean is {new['mean']:.6g}, before {old['mean']:.6g} with a deviation of {deviation:.6g}"


def _lengths(old: Profile, new: Profile) -> Iterator[Said]:
    before, after = old["length_quantiles"]["0.5"], new["length_quantiles"]["0.5"]
    if max(before, after) + 1 > LENGTHS * (min(before, after) + 1):
        unit = "entries" if old["type"].startswith("list") else "characters"
        yield "lengths", f"half of the values are longer than {after} {unit}, before than {before}"


def _shares(column: Profile) -> dict[str, float]:
    total = sum(column["values"].values()) or 1
    return {value: count / total for value, count in column["values"].items()}


def _listed(values: list[str]) -> str:
    names = ", ".join(shown(value) for value in values[:VALUES_SHOWN])
    return names + (f" and {len(values) - VALUES_SHOWN} more" if len(values) > VALUES_SHOWN else "")
