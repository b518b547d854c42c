"""Where the sentences of a text stand, in English and in Chinese."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from polyloom.scripts import UNSPACED

CLOSING = "\"'”’»)\\]」』）》】"
# Each alternative begins where a run begins and gives nothing back: a text of full stops alone takes no longer.
ENDS = re.compile(
    f"[。！？；]++[{CLOSING}]*+"  # needs nothing behind it
    f"|(?<![!?])[!?]++[{CLOSING}]*+(?=[{UNSPACED}])"
    f"|(?<![.!?…])(?P<latin>[.!?…]++)[{CLOSING}]*+(?=\\s|$)"
    "|(?<![ \\t\\r\\f])(?P<line>[ \\t\\r\\f]*+\\n\\s*+)"
)
BLANK_LINE = re.compile(r"\n[^\S\n]*\n|\f")
# What stands at the beginning of a line of its own: a heading, an item of a list, a row of a table.
OWN_LINE = re.compile(r"#{1,6}\s|[-*+•·|>]\s?|\(?\d{1,3}[.)、]\s|[一二三四五六七八九十]+、")
# A line that is shorter was ended, not wrapped; a Chinese character is as wide as two others.
WRAPPED_WIDTH = 40
WIDE = re.compile(f"[{UNSPACED}，。！？；：、]")

LAST_WORD = re.compile(r"[^\s\"'“‘(\[]*$")
NEXT_WORD = re.compile(r"[\s\"'“‘(\[]*([^\W_]+)")
INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
NEVER_LAST = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "mt",
        "gen",
        "col",
        "lt",
        "sgt",
        "capt",
        "rev",
        "hon",
        "gov",
        "sen",
        "rep",
        "pres",
        "vs",
        "cf",
        "approx",
        "ca",
        "est",
        "e.g",
        "i.e",
        "viz",
        "rs",
        "al",
    )
)
RARELY_LAST = frozenset(
    (
        "etc",
        "inc",
        "ltd",
        "co",
        "corp",
        "bros",
        "jr",
        "sr",
        "dept",
        "a.m",
        "p.m",
        "b.c",
        "a.d",
        "u.s",
        "u.k",
        "u.n",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "ave",
        "blvd",
        "ph.d",
        "b.sc",
    )
)
BEFORE_NUMBERS = frozenset(
    (
        "no",
        "nos",
        "fig",
        "figs",
        "p",
        "pp",
        "vol",
        "ch",
        "sec",
        "art",
        "eq",
        "tab",
        "ref",
        "ed",
        "tel",
        "ext",
    )
)
BEGINNERS = frozenset(
    (
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "he",
        "she",
        "they",
        "we",
        "you",
        "his",
        "her",
        "their",
        "our",
        "your",
        "there",
        "here",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "after",
        "before",
        "during",
        "as",
        "if",
        "when",
        "while",
        "where",
        "because",
        "since",
        "although",
        "however",
        "but",
        "and",
        "or",
        "so",
        "then",
        "what",
        "who",
        "how",
        "why",
        "which",
        "please",
        "most",
        "many",
        "some",
        "all",
        "no",
        "not",
        "one",
        "two",
        "each",
        "to",
        "such",
        "other",
        "another",
        "also",
        "under",
        "over",
        "once",
        "until",
        "both",
        "today",
        "later",
        "since",
    )
)


class Stretch(NamedTuple):
    """Characters of a text, the end exclusive."""

    start: int
    end: int


def sentences(text: str) -> list[Stretch]:
    """Each sentence of a text without the blanks around it, in order; they hold all that is not blank.

    A full stop ends one unless it belongs to an abbreviation, to initials or to a number; 。！？； always do. A blank
    line ends one, and so does the end of a line that is short, or before a heading or an item of a list.
    """
    found, begin = [], 0
    for border in (*_borders(text), len(text)):
        part = text[begin:border]
        if part.strip():
            found.append(Stretch(border - len(part.lstrip()), begin + len(part.rstrip())))
        begin = border
    return found


def _borders(text: str) -> Iterator[int]:
    """Where one sentence is over."""
    begin_of_line = 0
    for match in ENDS.finditer(text):
        if match["line"] is not None:
            if _ends_line(text, begin_of_line, match):
                yield match.end()
            begin_of_line = match.end()
        elif match["latin"] is None or _ends_latin(text, match):
            yield match.end()


def _ends_line(text: str, begin: int, match: re.Match[str]) -> bool:
    """Whether a line break ends a sentence, and does not only wrap it."""
    line, rest = text[begin : match.start()], text[match.end() : match.end() + 8]
    if BLANK_LINE.search(match[0]) or OWN_LINE.match(rest) or line.startswith("#"):
        return True
    return len(line) + len(WIDE.findall(line)) < WRAPPED_WIDTH and not rest[:1].islower()


def _ends_latin(text: str, match: re.Match[str]) -> bool:
    """Whether a stop, with a blank behind it, is the last of a sentence."""
    following = NEXT_WORD.match(text, match.end())
    word = following[1] if following else ""
    if word[:1].islower():
        # Also after a question that is quoted: "Why?" he asked.
        return False
    return match["latin"] != "." or _ends_with_stop(_last_word(text, match.start()), word)


def _last_word(text: str, place: int) -> str:
    """The letters up to a place, as far as they can matter."""
    found = LAST_WORD.search(text[max(0, place - 12) : place])
    return found[0].lower() if found else ""


def _ends_with_stop(last: str, following: str) -> bool:
    """Whether a sentence may end with the full stop after `last`, when `following` comes next."""
    begins = not following or following.lower() in BEGINNERS
    if last in NEVER_LAST:
        return not following
    if last in BEFORE_NUMBERS:
        return not following[:1].isdigit()
    if last in RARELY_LAST or (INITIALS.fullmatch(last) and last != "i"):
        return begins
    return True
