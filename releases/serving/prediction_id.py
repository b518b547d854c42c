"""The names of served predictions: the day in UTC, and what nobody guesses. No path is made of what is no such name."""

import re
import secrets
from datetime import UTC, date, datetime

from polyloom.errors import RequestError

FORM = re.compile(r"([0-9]{8})-[0-9a-f]{16}")
RANDOM_BYTES = 8
SHOWN_CHARACTERS = 40


def new_prediction_id() -> str:
    """A name for a prediction of now."""
    return f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(RANDOM_BYTES)}"


def day_of(prediction: str) -> date:
    """The day of a prediction. Raises: RequestError for what names none."""
    form = FORM.fullmatch(prediction)
    try:
        if form is not None:
            return datetime.strptime(form[1], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        pass
    raise RequestError(
        f"{prediction[:SHOWN_CHARACTERS]!r} names no prediction. Give the `prediction` of an answer, such as "
        "20260131-0123456789abcdef."
    )
