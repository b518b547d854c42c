"""Telephone numbers in a text: international ones, and those of a country as its people write them."""

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ingestion.personal_kinds.surroundings import NUMBER_ENDS, NUMBER_STARTS, is_another_number, longest_valid

COUNTRIES = ("CN", "US", "GB", "DE", "FR", "ES", "IT")
ENDS = NUMBER_ENDS + r"(?!-[0-9]{1,6}(?![0-9]))"
WORDS = r"(?:tel|phone|mobile|cell|call|fax|whatsapp|sms|contact|电话|手机|联系|致电|座机|固话|传真|热线)"


class Form(NamedTuple):
    """A way to write a number, and the countries in whose numbering plan it must be; none: it is right as it is."""

    pattern: re.Pattern[str]
    countries: tuple[str, ...]


FORMS = (
    Form(re.compile(r"(?<![0-9A-Za-z_+])((?:\+ ?|00 ?)[1-9](?:[ ().\-/]{0,3}[0-9]){6,14})(?![0-9A-Za-z_])"), ("",)),
    Form(re.compile(rf"{NUMBER_STARTS}((?:86[- ]?)?1[3-9][0-9][- ]?[0-9]{{4}}[- ]?[0-9]{{4}}){ENDS}"), ("CN",)),
    # Digit by digit, as somebody writes who does not want to be found.
    Form(re.compile(rf"{NUMBER_STARTS}(1[ .-][3-9](?:[ .-][0-9]){{9}})(?![ .-][0-9]){ENDS}"), ("CN",)),
    Form(
        re.compile(
            rf"{NUMBER_STARTS}((?:\(0[1-9][0-9]{{1,2}}\)[ -]?|0[1-9][0-9]{{1,2}}[- ])[2-9][0-9]{{2,3}}[- ]?[0-9]{{4}})"
            r"(?![0-9A-Za-z_])"
        ),
        ("CN",),
    ),
    Form(re.compile(rf"{NUMBER_STARTS}([48]00-(?:[0-9]{{3}}-[0-9]{{4}}|[0-9]{{4}}-[0-9]{{3}})){ENDS}"), ("CN", "US")),
    Form(
        re.compile(
            rf"{NUMBER_STARTS}(?<![0-9]-)((?:1[-. ])?(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}[-. ])"
            rf"[2-9][0-9]{{2}}[-. ][0-9]{{4}}){ENDS}"
        ),
        ("US",),
    ),
    Form(re.compile(rf"{NUMBER_STARTS}(0[1-9](?:[ .-][0-9]{{2}}){{4}}){ENDS}"), ("FR",)),
    Form(
        re.compile(rf"{NUMBER_STARTS}(?<![0-9][ -])(\(?0[1-9][0-9]{{1,4}}\)?(?: ?[ \-/] ?[0-9]{{2,8}}){{1,4}}){ENDS}"),
        ("GB", "DE"),
    ),
    Form(
        re.compile(rf"{WORDS}[^0-9]{{0,16}}?(\(?[0-9](?:[ ().\-/]{{0,2}}[0-9]){{7,13}}){ENDS}", re.IGNORECASE),
        COUNTRIES,
    ),
    Form(re.compile(rf"(?:电话|座机|固话|传真)(?:号码?)?[:\s是为]{{0,3}}([2-8][0-9]{{3}}-?[0-9]{{3,4}}){ENDS}"), ()),
)


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each number that a numbering plan knows and that the words around make no other number."""
    for form in FORMS:
        for match in form.pattern.finditer(text):
            start, end = match.span(1)
            if text[start] == "(" and ")" not in match[1]:
                start += 1
            stop = longest_valid(text, start, end, partial(_is_phone, countries=form.countries))
            if stop is not None and (text[start] == "+" or not is_another_number(text, start, stop)):
                yield start, stop


def _is_phone(text: str, *, countries: tuple[str, ...]) -> bool:
    return not countries or any(_is_in_plan(text, country) for country in countries)


def _is_in_plan(text: str, country: str) -> bool:
    from phonenumbers import NumberParseException, is_valid_number, parse

    if not country and text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        return is_valid_number(parse(text, country or None))
    except NumberParseException:
        return False
