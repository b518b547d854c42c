"""A scenario's mistakes in plain words: the path in the file, what came in, what is allowed, what to do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from flows.spec import Scenario
from polyloom.errors import suggestion

EXAMPLES = {
    "name": "name: my_shop",
    "title": "title: Find products",
    "data": "data: {items: {kind: table, path: items.csv, text: [title], columns: {colour: category}}}",
    "modalities": "modalities: {words: {kind: characters}}",
    "tasks": "tasks: {colour: {kind: classification, target: colour}}",
    "gate": "gate: {metric: colour.accuracy}",
}
WANTED = {
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "string_type": "is not text; put it in quotes if it is meant as text",
    "tuple_type": "is not a list; write [a, b]",
    "list_type": "is not a list; write [a, b]",
    "dict_type": "is not a mapping; write {{key: value}}",
    "greater_than_equal": "is too small; at least {ge} is allowed",
    "greater_than": "is too small; it must be more than {gt}",
    "less_than_equal": "is too large; at most {le} is allowed",
    "less_than": "is too large; it must be less than {lt}",
    "too_short": "is empty; name at least one",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_pattern_mismatch": "is not a name: small letters, digits and '_', a letter first",
}

KEYS_OF_SEVERAL_FORMS = {
    "path": 3,
    "labels": 3,
    "checks": 5,
    "loss_weight": 3,
    "costs": 3,
    "hierarchy": 3,
    "zero_shot": 5,
    "sampling": 2,
}


def explained(error: ValidationError) -> list[str]:
    """One sentence for each place in the file that pydantic found wrong."""
    mistakes = {place(mistake["loc"]): mistake for mistake in reversed(error.errors())}
    misspelt = {
        (*where[:-1], meant(where, mistake))
        for where, mistake in mistakes.items()
        if mistake["type"] == "extra_forbidden"
    }
    # Who wrote `modalites:` did not also forget `modalities:`.
    return [
        f"{'.'.join(where) or 'the file'}: {explain(where, mistake)}"
        for where, mistake in reversed(mistakes.items())
        if not (mistake["type"] == "missing" and where in misspelt)
    ]


def explain(where: Sequence[str], mistake: Mapping[str, Any]) -> str:
    """What is wrong at one place, what is allowed, and the nearest thing that is."""
    kind, given, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if kind == "extra_forbidden":
        known = allowed_keys(mistake["loc"])
        return f"unknown key.{suggestion(where[-1], known)} Allowed here: {', '.join(known)}."
    if kind == "missing":
        example = EXAMPLES.get(where[-1]) if len(where) == 1 else None
        return f"missing. Write for example `{example}`." if example else f"missing; {needed(mistake['loc'])}"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return unknown_kind(given, context)
    return wrong_value(where, mistake)


def wrong_value(where: Sequence[str], mistake: Mapping[str, Any]) -> str:
    """A value that its key cannot take."""
    kind, given, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if where[-1:] == ("path",):
        return f"{shown(given)} is no path. Give one path, or one a split: {{train: a.csv, test: b.csv}}."
    if where[2:3] == ("checks",) and where[-1] in {"min", "max"}:
        return f"{shown(given)} is neither a number nor a time such as 2026-01-31T12:00:00Z."
    if where[2:3] == ("checks",) and where[-1] == "allowed" and kind != "too_short":
        return f"{shown(given)} cannot be an allowed value here. Write a list of texts or numbers, such as [red, blue]."
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"{shown(given)} is not known.{suggestion(str(given), allowed)} Allowed: {', '.join(allowed)}."
    if kind in {"model_type", "model_attributes_type"}:
        wanted = f"is not a mapping of keys to values.{inside(mistake['loc'])}"
    else:
        wanted = WANTED.get(kind, mistake["msg"]).format(**context)
    return f"{shown(given)} {wanted.removesuffix('.')}."


def inside(location: Sequence[object]) -> str:
    """What may stand in a section that is none yet."""
    if location[0] in {"data", "modalities", "tasks"} and len(location) <= 3:
        return f" {EXAMPLES[str(location[0])]} shows one."
    return f" Allowed keys: {', '.join(allowed_keys((*location, '')))}."


def unknown_kind(given: Any, context: Mapping[str, Any]) -> str:
    """A source or a modality whose `kind` is left out or unknown."""
    if not isinstance(given, dict):
        return f"{shown(given)} is not a mapping; write its `kind` and its keys, such as {{kind: characters}}."
    kinds = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
    if not kinds:
        return "the key `kind` is missing; it says which keys may stand here. 'polyloom init NAME' shows some."
    kind = str(given.get("kind"))
    return f"kind {kind!r} is not known.{suggestion(kind, kinds)} Allowed: {', '.join(kinds)}."


def needed(location: Sequence[object]) -> str:
    """What a section cannot do without."""
    required = [name for name, field in section(location).model_fields.items() if field.is_required()]
    return f"this section needs {', '.join(sorted(required, key=lambda name: name != 'kind'))}."


def place(location: Sequence[object]) -> tuple[str, ...]:
    """The path in the file: pydantic's location without the kind it chose and the parts that are no keys."""
    parts = [str(part) for part in location]
    if parts[0] in {"data", "modalities", "tasks"} and len(parts) > 2:
        del parts[2]
    # What follows is which kind of value was tried: a key of several forms is one place.
    if parts[0] in {"data", "tasks"} and len(parts) > 2:
        parts = parts[: KEYS_OF_SEVERAL_FORMS.get(parts[2], len(parts))]
    elif parts[0] == "recipe" and len(parts) > 1:
        parts = parts[: KEYS_OF_SEVERAL_FORMS.get(parts[1], len(parts))]
    return tuple(part for part in parts if part != "[key]")


def meant(where: Sequence[str], mistake: Mapping[str, Any]) -> str:
    """The key that a misspelt one stands for, or an empty string."""
    return suggestion(where[-1], allowed_keys(mistake["loc"])).removeprefix(" Did you mean '").removesuffix("'?")


def allowed_keys(location: Sequence[object]) -> list[str]:
    """The keys of the section in which a location lies."""
    return sorted(field.alias or name for name, field in section(location).model_fields.items())


def section(location: Sequence[object]) -> type[BaseModel]:
    """The model of the section in which a location lies."""
    if len(location) == 1:
        return Scenario
    models = list(models_in(Scenario.model_fields[str(location[0])].annotation))
    model = next(model for model in models if len(models) == 1 or location[2] in kinds_of(model))
    # In a section of one model its keys follow at once, in one of several a name and a kind stand before them.
    for part in location[1 if len(models) == 1 else 3 : -1]:
        field = model.model_fields.get(str(part))
        model = next(models_in(field.annotation), model) if field else model
    return model


def kinds_of(model: type[BaseModel]) -> tuple[object, ...]:
    """The values of `kind` that a model stands for."""
    return get_args(model.model_fields["kind"].annotation)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """All models named anywhere in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def shown(value: object) -> str:
    """What came in, short."""
    if value is None:
        return "nothing stands here, and that"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
