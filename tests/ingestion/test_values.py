import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ingestion.refusals import RowRefused
from ingestion.values import EPOCH, MICROSECOND, as_category, as_labels, as_number, as_text, as_time

NOON = (datetime(2026, 1, 31, 12, tzinfo=UTC) - EPOCH) // MICROSECOND


@pytest.mark.parametrize("parse", [as_text, as_category, as_number, as_labels, as_time])
@pytest.mark.parametrize("missing", ["", "  ", math.nan])
def test_missing_values_are_none(parse, missing) -> None:
    assert parse(missing) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [("12.5", 12.5), (" -1e3 ", -1000.0), (".5", 0.5), (True, 1.0), (Decimal("0.25"), 0.25), ("nan", None), (7, 7.0)],
)
def test_numbers(value, number) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize("value", ["1,5", "1_000", "１２", "inf", "$3", math.inf, "1e999", 10**400, [1], b"1", "0x10"])
def test_what_is_not_a_number(value) -> None:
    with pytest.raises(RowRefused, match=r"is not a (finite )?number"):
        as_number(value)


@pytest.mark.parametrize(
    ("value", "label"), [(" a ", "a"), (3.0, "3"), (3.5, "3.5"), (True, "true"), (0, "0"), (b"x", "x"), ("中 ", "中")]
)
def test_categories(value, label) -> None:
    assert as_category(value) == label


def test_text_keeps_its_white_space() -> None:
    assert as_text(" a\n") == " a\n"


@pytest.mark.parametrize(
    ("value", "labels"),
    [("a|b | a", ["a", "b"]), ('["x", "y,z"]', ["x", "y,z"]), (["a", None, 1], ["a", "1"]), ([], []), ("[]", [])],
)
def test_labels(value, labels) -> None:
    assert as_labels(value) == labels


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00",
        "2026-01-31T20:00:00+08:00",
        NOON / 1e6,
        str(NOON // 10**6),
        datetime(2026, 1, 31, 12),  # noqa: DTZ001 - a time without a zone is the case
    ],
)
def test_times(value) -> None:
    assert as_time(value) == NOON


def test_days() -> None:
    midnight = NOON - 12 * 3600 * 10**6
    assert as_time(date(2026, 1, 31)) == as_time("2026-01-31") == as_time("20260131") == midnight


@pytest.mark.parametrize("value", ["yesterday", 1e18, True, [1], math.inf, "31/01/2026"])
def test_what_is_not_a_time(value) -> None:
    with pytest.raises(RowRefused, match="is not a time such as"):
        as_time(value)


@pytest.mark.parametrize(
    ("parse", "value", "reason"),
    [
        (as_text, {"a": 1}, "wrong_type"),
        (as_text, b"\xff", "bad_encoding"),
        (as_text, "\ud800", "bad_encoding"),
        (as_labels, 5, "wrong_type"),
        (as_labels, "[1", "wrong_type"),
        (as_labels, [["a"]], "wrong_type"),
    ],
)
def test_refusals(parse, value, reason) -> None:
    with pytest.raises(RowRefused) as caught:
        parse(value)
    assert caught.value.refusal.reason == reason
