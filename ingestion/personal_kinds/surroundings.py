"""How a text is read for personal data: widths and dashes folded, and what the words around a number say."""

import re
from collections.abc import Callable, Iterator
from functools import cache

NUMBER_STARTS = r"(?<![0-9A-Za-z_])(?<![0-9][.,])"
NUMBER_ENDS = r"(?![0-9A-Za-z_])(?![.,][0-9])"
BEFORE = 28

PLACEHOLDERS = re.compile(r"\[(?:mail|phone|card|identity)\]")
PHONE_WORDS = re.compile(
    r"tel|phone|mobile|cell|call|fax|whatsapp|sms|contact|电话|手机|联系|致电|座机|固话|传真|热线", re.IGNORECASE
)
OTHER_NUMBERS = re.compile(
    r"(?:order|invoice|\bref|tracking|transaction|\bsku|isbn|serial|ticket|\bitem|\bpart|policy|parcel|"
    r"订单|单号|编号|流水|运单|快递|货号|型号|批号|保单|合同|发票)[^0-9]*$",
    re.IGNORECASE,
)
MONEY_BEFORE = re.compile(r"(?:[¥$€£]|RMB|USD|CNY|EUR)\s?$", re.IGNORECASE)
AMOUNT_AFTER = re.compile(r"\s?(?:元|块|万|亿|美元|件|个|次|人|克|%|USD|EUR|RMB|CNY|dollars|euros|pieces)")


def fold(text: str) -> str:
    """The text with full-width signs, odd spaces and odd dashes as ASCII, every character at its old place."""
    return text if text.isascii() else text.translate(_table())


@cache
def _table() -> dict[int, str]:
    wide = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    spaces = dict.fromkeys([0xA0, 0x2007, 0x2009, 0x200B, 0x200C, 0x200D, 0x202F, 0x2060, 0x3000, 0xFEFF], " ")
    return wide | spaces | dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-")


def is_another_number(text: str, start: int, end: int) -> bool:
    """Whether the words around `text[start:end]` make it an order number or an amount."""
    before = preceding(text, start)
    if MONEY_BEFORE.search(before) or AMOUNT_AFTER.match(text, end):
        return True
    return bool(OTHER_NUMBERS.search(before)) and not PHONE_WORDS.search(before)


def preceding(text: str, start: int) -> str:
    """The words that stand before a place; what was masked there before says nothing."""
    return PLACEHOLDERS.sub("", text[max(0, start - BEFORE) : start])


def longest_valid(text: str, start: int, end: int, valid: Callable[[str], bool]) -> int | None:
    """The last place, at the end of a word within `text[start:end]`, up to which the text is valid."""
    for stop in _word_ends(text, start, end):
        if valid(text[start:stop]):
            return stop
    return None


def _word_ends(text: str, start: int, end: int) -> Iterator[int]:
    for stop in range(end, start, -1):
        follows = text[stop] if stop < len(text) else " "
        if text[stop - 1].isalnum() and not (follows.isascii() and follows.isalnum()):
            yield stop
