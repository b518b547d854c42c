"""What a question asks for, a time, a number or a name, and whether a sentence holds one."""

import re

NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|hundreds?"
    r"|thousands?|millions?|billions?|half|third|quarter|dozens?|first|second|once|twice)\b|[一二三四五六七八九十百千万两半]",
    re.IGNORECASE,
)
TIME = re.compile(
    r"\b\d{3,4}s?\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday"
    r"|tuesday|wednesday|thursday|friday|saturday|sunday|century|centuries|years?|months?|weeks?|days?|hours?|minutes?"
    r"|spring|summer|autumn|winter|today|daily)\b|[年月日天周时]",
    re.IGNORECASE,
)
# A first word is in capitals in any sentence.
NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+")
PERSONS_AND_PLACES = "(?:city|country|state|person|company|team|name|river|king|university)"
WHEN = re.compile(
    r"\b(?:when|how long|(?:what|which) (?:year|date|day|month|century|decade|time))\b"
    r"|什么时候|何时|哪[年天]|几[点号月天]|多久|多长时间",
    re.IGNORECASE,
)
HOW_MANY = re.compile(
    r"\bhow (?:many|much|old|far|big|large|tall|high|often)\b|\bwhat (?:percent|percentage|number|share)\b|多少|几",
    re.IGNORECASE,
)
WHO = re.compile(rf"\b(?:who|whom|whose|where|(?:what|which) {PERSONS_AND_PLACES})\b", re.IGNORECASE)
KINDS = ((WHEN, TIME), (HOW_MANY, NUMBER), (WHO, NAME))


def asked_kind(question: str) -> re.Pattern[str] | None:
    """What an answer must hold; None where the question does not say."""
    return next((kind for words, kind in KINDS if words.search(question)), None)


def holds(sentence: str, kind: re.Pattern[str], *, besides: str) -> bool:
    """Whether a sentence holds something of the kind that does not stand in `besides`, the question."""
    said = besides.lower()
    return any(match[0].lower() not in said for match in kind.finditer(sentence))
