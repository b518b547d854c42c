"""`LICENCES.md`: what is known of the licences of a release's weights, of its data and of what serving it needs."""

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NOT_STATED = "not stated"
LONGEST = 80
CAUTION = (
    "What polyloom knows, and no legal advice. Where a licence is not stated, ask whoever gave the weights or the data "
    "before passing this release on."
)


def licence_notes(
    *, title: str, weights: Mapping[str, Mapping[str, Any]], data: Mapping[str, str | None], libraries: Iterable[str]
) -> str:
    """Markdown. `weights` are facts by modality, as the model card has them; `data` is table -> licence."""
    weight_rows = [
        (name, str(facts.get("model", "")), str(facts.get("origin", "")), str(facts.get("licence") or NOT_STATED))
        for name, facts in weights.items()
    ]
    data_rows = [(name, licence or NOT_STATED) for name, licence in data.items()]
    library_rows = [(name, library_licence(name)) for name in sorted(libraries)]
    return "\n\n".join(
        [
            f"# Licences of {title}",
            CAUTION,
            "## Weights that training started from",
            table(("modality", "model", "origin", "licence"), weight_rows) or "None: nothing was trained before.",
            "## Data that it learned from and shows",
            table(("table", "licence"), data_rows),
            "## Libraries that serving needs",
            table(("distribution", "licence by its own metadata"), library_rows),
            "",
        ]
    )


def table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; nothing without rows."""
    if not rows:
        return ""
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def library_licence(name: str) -> str:
    """What an installed distribution says of its licence, in a line."""
    try:
        facts = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return NOT_STATED
    # `get_all`, for a library may have put another reader of metadata in place, whose [] fails for what is not there.
    stated = [*(facts.get_all("License-Expression") or []), *(facts.get_all("License") or [])]
    given = str(stated[0]).strip() if stated else ""
    if given and len(given) <= LONGEST and "\n" not in given:
        return given
    classes = [entry for entry in facts.get_all("Classifier") or [] if entry.startswith("License ::")]
    return ", ".join(entry.rpartition(" :: ")[2] for entry in classes) or NOT_STATED
