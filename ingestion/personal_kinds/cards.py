"""Numbers of payment cards in a text."""

import re
from collections.abc import Iterator

from ingestion.personal_kinds.surroundings import NUMBER_ENDS, NUMBER_STARTS, is_another_number, longest_valid

GAP = r"( ?[-.] ?| {1,2})"
CANDIDATE = re.compile(
    rf"{NUMBER_STARTS}(?:[2-6][0-9]{{12,18}}"
    rf"|[2-6][0-9]{{3}}{GAP}[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,4}}(?:\1[0-9]{{1,3}})?"
    rf"|3[0-9]{{3}}{GAP}[0-9]{{6}}\2[0-9]{{4,5}}"
    rf"|62[0-9]{{4}}{GAP}[0-9]{{12,13}}|[2-6](?:[ .-][0-9]){{12,18}}){NUMBER_ENDS}"
)
ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}|(?:36|38|39|30[0-5])[0-9]{11,12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}|62[0-9]{14,17}|(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{8,15}"
)


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each number with an issuer's prefix and length, and a right check digit."""
    for match in CANDIDATE.finditer(text):
        start, end = match.span()
        stop = longest_valid(text, start, end, is_card)
        if stop is not None and not is_another_number(text, start, stop):
            yield start, stop


def is_card(text: str) -> bool:
    """Whether digits, with or without separators, are a card's number."""
    from stdnum import luhn

    digits = re.sub(r"[^0-9]", "", text)
    return ISSUERS.fullmatch(digits) is not None and luhn.is_valid(digits)
