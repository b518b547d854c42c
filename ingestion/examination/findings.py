"""What an examination says: findings, each with rows that show it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "serious"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "info")
MAX_EXAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row that shows a finding. Rows of one `group` belong together; `shown` is its text, personal data masked."""

    key: str
    split: str
    source: str
    row: int
    group: int = 0
    shown: str = ""
    label: str | None = None
    picture: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about the data of one table. `rows` is how many rows are involved, `examples` are some of them."""

    code: str
    severity: Severity
    table: str
    message: str
    column: str | None = None
    rows: int = 0
    examples: tuple[Example, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The finding as JSON values."""
        return asdict(self) | {"figures": {name: float(value) for name, value in self.figures.items()}}
