"""What a check of the doctor says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and what to do about it; an `ok` finding may still carry advice as its cure."""

    check: str
    ok: bool
    found: str
    cure: str = ""
