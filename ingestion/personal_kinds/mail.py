"""Mail addresses in a text."""

import re
from collections.abc import Iterator

ADDRESS = re.compile(
    r"(?<![\w.%+-])(?<!\w')(?:[A-Za-z0-9À-ɏ_%+][A-Za-z0-9À-ɏ._%+'-]{0,63})@"
    r"((?:[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ-]{0,61}[A-Za-z0-9À-ɏ])?\.)+)([A-Za-z]{2,24})(?![A-Za-z0-9_-])(?!:[\w~/.-]*/)",
    re.ASCII,
)
FILE_ENDINGS = re.compile(
    r"png|jpe?g|gif|svg|webp|ico|css|js|ts|py|json|xml|html?|tgz|gz|zip|whl|md|txt", re.IGNORECASE
)


def mails(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each address. `icon@2x.png` and `git@host.org:team/code` are none."""
    for match in ADDRESS.finditer(text):
        if not FILE_ENDINGS.fullmatch(match[2]):
            yield match.span()
