"""Kinds of broken values: a row that every source kind can hold, and what is wrong with it."""

from collections.abc import Mapping
from typing import NamedTuple

from ingestion.cleaning import Cleaning
from ingestion.lengths import SameLength
from ingestion.refusals import Reason
from ingestion.rules import ColumnRule, Rules
from tests.support.broken_tables import TABLES

TYPED = ("JSONL", "JSON", "event log", "watched folder")
NUMBERS = (*TYPED, "Excel", "SQL")


class BrokenValue(NamedTuple):
    """What a row holds instead of a good value, in which sources, and what is said of it."""

    broken: Mapping[str, object]
    reason: Reason
    message: str
    sources: tuple[str, ...] = TABLES


VALUES: Mapping[str, BrokenValue] = {
    "text in a number": BrokenValue({"price": "cheap"}, "wrong_type", "'price': 'cheap' is not a number"),
    "number written for people": BrokenValue({"price": "1,234.50 EUR"}, "wrong_type", "'1,234.50 EUR' is not a number"),
    "NaN where a number is required": BrokenValue({"price": "NaN"}, "wrong_type", "'price': NaN is not a number"),
    "infinite number": BrokenValue({"price": "1e999"}, "wrong_type", "'1e999' is not a finite number"),
    "impossible time": BrokenValue({"at": "2026-02-30"}, "wrong_type", "'at': '2026-02-30' is not a time"),
    "labels that are no list": BrokenValue({"tags": '["red", '}, "wrong_type", "starts like a JSON list of labels"),
    "object where a text belongs": BrokenValue({"title": {"a": 1}}, "wrong_type", "is a dict, not a text", TYPED),
    "box without its sides": BrokenValue({"boxes": [{"what": 1}]}, "wrong_type", "is not a box: it needs", TYPED),
    "required value is missing": BrokenValue({"price": None}, "missing_value", "'price' is empty"),
    "key is empty": BrokenValue({"id": ""}, "missing_value", "'id' is empty"),
    "key stands twice": BrokenValue({"id": "g03"}, "duplicate_key", "the key 'g03' stands in"),
    "text is blank": BrokenValue({"title": " \t "}, "empty_text", "all text columns are empty: title"),
    "text is too long": BrokenValue({"title": "long " * 50}, "text_too_long", "'title': the text has 250 characters"),
    "control characters": BrokenValue({"title": "a\x7fb"}, "control_characters", "holds control characters"),
    "out of range": BrokenValue({"amount": 10.5}, "out_of_range", "'amount': 10.5 is above 10"),
    "value is not allowed": BrokenValue({"colour": "mauve"}, "not_allowed", "'mauve' is not allowed; allowed: red"),
    "value does not fit its pattern": BrokenValue({"sku": "abc"}, "bad_pattern", "'abc' does not match the pattern"),
    "columns in the wrong order": BrokenValue({"opened": 3.0}, "wrong_order", "'closed': 2 is below 'opened'"),
    "lists of different lengths": BrokenValue(
        {"sizes": "s"}, "uneven_lengths", "'tags' has 2 values but 'sizes' has 1 value; there must be equally many."
    ),
    "value stands twice": BrokenValue({"code": "code 3"}, "not_unique", "'code': 'code 3' stands in"),
    "no such row in the other table": BrokenValue({"item": "z"}, "unknown_reference", "'z' is no key of the kept rows"),
    "unknown split": BrokenValue({"part": "holdout"}, "unknown_split", "'holdout'"),
    "label seen once": BrokenValue({"label": "neither"}, "label_seen_once", "'neither' is the only row"),
}
DECLARED = {
    "columns": {
        "price": "number",
        "label": "category",
        "at": "time",
        "opened": "number",
        "closed": "number",
        "amount": "number",
        "sku": "category",
        "colour": "category",
        "code": "category",
        "item": "category",
        "tags": "labels",
        "sizes": "labels",
    },
    "split": "part",
    "cleaning": Cleaning(control="refuse", max_characters=200),
    "rules": Rules(
        columns={
            "amount": ColumnRule(minimum=0, maximum=10),
            "sku": ColumnRule(pattern="[A-Z]{3}-[0-9]+"),
            "colour": ColumnRule(allowed=("red", "blue")),
            "code": ColumnRule(unique=True),
            "item": ColumnRule(references="items"),
        },
        order=("opened", "closed"),
        lengths=(SameLength(columns=("tags", "sizes")),),
    ),
}
