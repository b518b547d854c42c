"""What a challenger may not exceed, however good its metric is: each limit with the figure that was found."""

from collections.abc import Mapping
from typing import NamedTuple


class Limit(NamedTuple):
    """A figure and what is allowed; `champion` is the same figure of the champion, None where it is not known."""

    name: str
    value: float | None
    allowed: float
    unit: str
    passed: bool
    champion: float | None = None

    @property
    def reason(self) -> str:
        """The limit in words."""
        if self.value is None:
            return f"{self.name} could not be measured, and at most {self.allowed:g}{self.unit} is allowed"
        verb = "is within" if self.passed else "exceeds"
        return f"{self.name} of {self.value:.4g}{self.unit} {verb} the limit of {self.allowed:g}{self.unit}"


def limits(
    allowed: Mapping[str, float],
    found: Mapping[str, float | None],
    *,
    units: Mapping[str, str],
    champion: Mapping[str, float | None] | None = None,
) -> list[Limit]:
    """One for each that is `allowed`, by name; what was not found does not pass."""
    return [
        Limit(
            name=name,
            value=found.get(name),
            allowed=most,
            unit=units.get(name, ""),
            passed=(value := found.get(name)) is not None and value <= most,
            champion=(champion or {}).get(name),
        )
        for name, most in allowed.items()
    ]
