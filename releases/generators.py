"""Plug-ins that put what was read into words: callables of other packages, found by their entry points. None is ours.

A package offers one by `[project.entry-points."polyloom.generators"]` with a line `name = "module:callable"`; the
callable takes a question and the citations, and gives a text, or None where it has nothing to say.
"""

from importlib.metadata import entry_points

from retrieval.answering.asking import Generate

GROUP = "polyloom.generators"


def known_generators() -> tuple[str, ...]:
    """The names of those that are installed."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)}))


def installed(name: str) -> tuple[Generate | None, str | None]:
    """A generator by its name; where it is not here, or cannot be loaded, None and what to do."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        return None, (
            f"The generator {name!r} is not installed here, so the source is quoted. Install the package that offers "
            f"it; installed are {', '.join(known_generators()) or 'none'}."
        )
    try:
        loaded = found.load()
    except (ImportError, AttributeError) as error:
        return None, f"The generator {name!r} cannot be loaded ({error}), so the source is quoted."
    if not callable(loaded):
        return None, f"The generator {name!r} is {loaded!r}, which cannot be called, so the source is quoted."
    generate: Generate = loaded
    return generate, None
