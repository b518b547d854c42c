from datetime import UTC, date, datetime

import pytest

from polyloom.errors import RequestError
from releases.serving.prediction_id import day_of, new_prediction_id


def test_an_id_says_its_day_and_none_is_like_another():
    ids = {new_prediction_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert (datetime.now(UTC).date() - day_of(ids.pop())).days in {0, 1}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "..",
        "../../etc/passwd",
        "20260131",
        "20260131-",
        "20260131-0123456789ABCDEF",
        "20260131-0123456789abcde",
        "20260131-0123456789abcdef/..",
        "20260131-0123456789abcdef\n",
        "20261331-0123456789abcdef",
        "２０２６0131-0123456789abcdef",
        "00000000-0123456789abcdef",
        "20260131-0123456789abcdef\0",
        "*",
        "2026-01-31-0123456789abcdef",
        "x" * 5000,
    ],
)
def test_what_is_no_id_leads_to_no_path(given):
    with pytest.raises(
        RequestError, match=r"names no prediction\. Give the `prediction` of an answer, such as"
    ) as said:
        day_of(given)
    assert len(str(said.value)) < 250


def test_an_id_of_long_ago_is_one():
    assert day_of("20200229-0123456789abcdef") == date(2020, 2, 29)
