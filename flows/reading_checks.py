"""What must hold for answers that are read in texts, and what those that are prepared cannot have."""

from collections.abc import Iterator

from flows.modality_spec import Characters, Text
from flows.source_checks import column_kinds, unknown
from flows.spec import Scenario
from flows.task_spec import Span
from flows.use_spec import SENTENCE, Answer, KnownAnswers
from polyloom.errors import suggestion
from releases.generators import GROUP, known_generators


def reply_problems(settings: Answer) -> Iterator[str]:
    """Two answers at once, and what only answers that are read can have."""
    if settings.reply is not None and settings.template is not None:
        yield "answer: an answer is one thing. Name a column, `reply: COLUMN`, or write a `template`, not both."
    for word, why in (
        ("read", "nothing is read"),
        ("questions", "the index's own rows say from where on to answer"),
        ("generator", "nothing is put into other words"),
    ):
        if getattr(settings, word) is not None:
            yield f"answer.{word}: with `reply` or `template` {why}. Leave `{word}` out, or those."


def reading_problems(scenario: Scenario, settings: Answer, reads: str) -> Iterator[str]:
    """Nothing that could read, questions that are none, and a generator that is not installed."""
    if settings.task is not None:
        yield "answer.task: it says which prepared answer fits, and here answers are read. Leave it out."
    if reads == SENTENCE:
        yield from sentence_problems(scenario)
    elif not isinstance(scenario.tasks.get(reads), Span):
        spans = [name for name, task in scenario.tasks.items() if isinstance(task, Span)]
        yield (
            f"answer.read: {reads!r} is not a task of kind span.{suggestion(reads, [SENTENCE, *spans])} Write "
            f"{' or '.join([SENTENCE, *spans])}."
        )
    if settings.questions is not None:
        yield from known_answer_problems(scenario, settings.questions)
    if settings.generator is not None and settings.generator not in (known := known_generators()):
        yield (
            f"answer.generator: {settings.generator!r} is not installed.{suggestion(settings.generator, known)} "
            f"Installed are {', '.join(known) or 'none'}; a package names one in its entry points, group {GROUP!r}."
        )


def sentence_problems(scenario: Scenario) -> Iterator[str]:
    """No encoder that could tell which sentence answers a question."""
    assert scenario.index is not None
    embedded = [scenario.modalities.get(name) for name in scenario.index.embed]
    if not any(isinstance(one, Characters) or (isinstance(one, Text) and one.form == "text") for one in embedded):
        yield (
            "answer.read: a sentence is found by a modality of kind text or characters, and `index.embed` names none. "
            "Name one there, or `read` a task of kind span."
        )


def known_answer_problems(scenario: Scenario, settings: KnownAnswers) -> Iterator[str]:
    """A table of questions that is not there, is the index's own, or lacks a column."""
    if settings.rows not in scenario.data:
        yield unknown("answer.questions.rows", settings.rows, scenario.data)
        return
    if scenario.index is not None and settings.rows == scenario.index.rows:
        yield (
            f"answer.questions.rows: data.{settings.rows} is what the index finds. Name a table of questions with the "
            "words that answer them."
        )
    kinds = column_kinds(scenario.data[settings.rows])
    for place, name, allowed in (
        ("text", settings.text, {"text", "category"}),
        ("answer", settings.answer, {"text", "category", "labels"}),
    ):
        if name not in kinds:
            yield unknown(f"answer.questions.{place}", name, kinds)
        elif kinds[name] not in allowed:
            yield (
                f"answer.questions.{place}: {name!r} is declared as {kinds[name]}; declare it as "
                f"{' or '.join(sorted(allowed))}."
            )
    if settings.answer in scenario.data[settings.rows].required:
        yield (
            f"answer.questions.answer: data.{settings.rows}.required names {settings.answer!r}, so questions without "
            "an answer would be refused. Take it out there."
        )
