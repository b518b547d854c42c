"""What a release is used for beside predictions: items for each user, and answers to questions."""

from typing import Annotated, Literal

from pydantic import Field

from flows.explore_spec import Explore
from flows.spec_section import Positive, Section, Share

SENTENCE = "sentence"
RecommendModel = Literal["popularity", "ease", "neighbours", "factors", "content", "towers"]


class Rank(Section):
    """A learned order for the `candidates` best items, by scores and how often each was taken within `window_days`.

    `price`, `published` and `category` are columns of the items that say more. It is used only where it is better than
    the order of the scores on events that it did not learn from, unless `always`.
    """

    price: str | None = None
    published: str | None = None
    category: str | None = None
    window_days: Annotated[float, Field(gt=0)] = 30.0
    candidates: Annotated[int, Field(ge=10, le=1000)] = 100
    always: bool = False


class Recommend(Section):
    """Items of the index for each user, by what users took: the table `interactions` says who, what and when.

    `models` are weighed by what users took last. With `half_life_days` an event counts half for each such span before
    the user's latest one. `where` is a filter over the items' columns that always holds, such as "stock > 0"; items
    that a user took already are left out unless `seen` is `keep`. `rank` puts the best in a learned order, `diversity`
    puts items down that are like those above, and `explore` gives places of a list to items of which more should be
    learned.
    """

    interactions: str
    models: Annotated[tuple[RecommendModel, ...], Field(min_length=1)] = (
        "popularity",
        "ease",
        "neighbours",
        "factors",
        "content",
    )
    half_life_days: Annotated[float, Field(gt=0)] | None = None
    where: str | None = None
    seen: Literal["leave_out", "keep"] = "leave_out"
    rank: Rank | None = None
    diversity: Share = 0.0
    explore: Explore | None = None


class KnownAnswers(Section):
    """Questions whose answers are known: a table, its column of questions, and that of the words that answer them.

    The answers are a text, or a list of texts any of which is one; where there is none, nothing answers the question.
    """

    rows: str
    text: str
    answer: str


class Answer(Section):
    """Answers to questions out of the index's items: the column `reply`, a `template`, or what is read in the text.

    A template is a sentence with columns in braces, such as "{title} costs {price:.2f}". Without both the answer is
    read in the passage that was found: the best `sentence`, or the words that a task of kind span finds, by its name;
    then `questions` say from where on to answer, and a `generator` that is installed as a plug-in may put what was read
    into words of its own, which are checked against the source.

    An answer is given only where at most `alpha` of the answers given are wrong at confidence 1 - `delta`, as questions
    of the validation and test splits show; otherwise the question is handed over with the `guesses` best guesses. What
    two items share in the index's `group` is one answer; a classification `task` whose target that is puts what was
    found in the order of its probabilities. Where the questions have become others than those, nothing is promised any
    more: `drift` says whether answers then bear a warning or are handed over.
    """

    reply: str | None = None
    template: str | None = None
    read: str | None = None
    questions: KnownAnswers | None = None
    generator: str | None = None
    task: str | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.1
    guesses: Positive = 3
    drift: Literal["warn", "hand_over"] = "warn"

    @property
    def reads(self) -> str | None:
        """How the answer is read: `sentence` or a task's name; None where items have answers of their own."""
        if self.reply is not None or self.template is not None:
            return None
        return self.read or SENTENCE
