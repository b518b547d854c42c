"""Identity, tax and bank account numbers in a text, by the rules of the countries that issue them."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ingestion.personal_kinds.surroundings import (
    NUMBER_ENDS,
    NUMBER_STARTS,
    is_another_number,
    longest_valid,
    preceding,
)

NOT_ISSUED = frozenset(["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"])


class Rule(NamedTuple):
    """`certain`: the pattern and its check digits say enough; else `words` must stand before the number."""

    pattern: re.Pattern[str]
    valid: Callable[[str], bool]
    certain: bool = True
    words: re.Pattern[str] | None = None


def identities(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each number that its country could have issued."""
    for rule in RULES:
        for match in rule.pattern.finditer(text):
            start, end = match.span()
            stop = longest_valid(text, start, end, rule.valid)
            if stop is not None and _means_a_person(rule, text, start, stop):
                yield start, stop


def _means_a_person(rule: Rule, text: str, start: int, end: int) -> bool:
    if rule.words is not None:
        return rule.words.search(preceding(text, start)) is not None
    return rule.certain or not is_another_number(text, start, end)


def _pattern(expression: str, *, any_case: bool = True) -> re.Pattern[str]:
    return re.compile(f"{NUMBER_STARTS}(?:{expression}){NUMBER_ENDS}", re.IGNORECASE if any_case else 0)


def _is_chinese(text: str) -> bool:
    from stdnum.cn import ric

    return ric.is_valid(_compact(text))


def _is_american(text: str) -> bool:
    from stdnum.us import ssn

    return ssn.is_valid(_compact(text))


def _is_british(text: str) -> bool:
    return _compact(text)[:2] not in NOT_ISSUED


def _is_german(text: str) -> bool:
    from stdnum.de import idnr

    return idnr.is_valid(_compact(text))


def _is_spanish(text: str) -> bool:
    from stdnum.es import dni, nie

    number = _compact(text)
    return nie.is_valid(number) if number[0] in "XYZ" else dni.is_valid(number)


def _is_italian(text: str) -> bool:
    from stdnum.it import codicefiscale

    return codicefiscale.is_valid(_compact(text))


def _is_account(text: str) -> bool:
    from stdnum import iban

    return iban.is_valid(_compact(text))


def _compact(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text).upper()


TAX_WORDS = re.compile(r"steuer|idnr|id-nr|tax.?id|\btin\b|税号", re.IGNORECASE)
SOCIAL_SECURITY_WORDS = re.compile(r"\bssn\b|social.security|社会?安全?号", re.IGNORECASE)

RULES = (
    Rule(_pattern(r"[1-9][0-9]{5}[ -]?(?:18|19|20)[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{3}[0-9X]"), _is_chinese),
    Rule(_pattern(r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}"), _is_account),
    Rule(_pattern(r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"), _is_italian),
    Rule(_pattern(r"[0-9]{3}-[0-9]{2}-[0-9]{4}"), _is_american, certain=False),
    Rule(_pattern(r"[0-9]{3} ?[0-9]{2} ?[0-9]{4}"), _is_american, words=SOCIAL_SECURITY_WORDS),
    Rule(
        _pattern(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-D]"),
        _is_british,
        certain=False,
    ),
    Rule(_pattern(r"[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}"), _is_german, certain=False),
    Rule(_pattern(r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}"), _is_german, words=TAX_WORDS),
    Rule(
        _pattern(
            r"[0-9]{8}-?[A-HJ-NP-TV-Z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}-?[A-HJ-NP-TV-Z]|[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]",
            any_case=False,
        ),
        _is_spanish,
        certain=False,
    ),
)
