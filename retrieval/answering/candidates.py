"""What was found for a question, and the place in a document that an answer cites."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A passage or a known question that was found, best first by `score`.

    `score` is the joined one, `cosine` and `keyword` those of the two rankings, 0 where one does not know it. `answer`
    names the answer that it leads to: candidates of the same answer do not compete; None stands for its own id.
    `reply` is a prepared answer, given whole; None: the answer is read in `text`.
    """

    id: str
    source: str
    start: int
    end: int
    text: str
    score: float
    cosine: float = 0.0
    keyword: float = 0.0
    page: int | None = None
    answer: str | None = None
    reply: str | None = None

    @property
    def leads_to(self) -> str:
        """The answer's name."""
        return self.id if self.answer is None else self.answer


@dataclass(frozen=True)
class Citation:
    """The words that an answer rests on: characters `start` to `end` of the source.

    `reply` is the prepared answer of what is cited, where it has one: then `text` is the question that it is for.
    """

    id: str
    source: str
    start: int
    end: int
    text: str
    page: int | None = None
    reply: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


Retrieve = Callable[[str, int], Sequence[Candidate]]
"""From a question, and how many, to what was found, best first."""
