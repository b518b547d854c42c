"""`polyloom ask`: an answer with what it rests on, or a hand-over; one question, a conversation, or a file of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, emit_lines, table
from polyloom.errors import PolyloomError, RequestError

KNOWN = ("id", "question", "conversation")


@click.command()
@SCENARIO
@click.argument("question", required=False)
@click.option(
    "--conversation",
    type=click.Path(path_type=Path),
    help="A JSON file that keeps what was said; made where it is missing.",
)
@click.option("--input", "asked", type=click.Path(path_type=Path), help="JSONL: question, conversation on each line.")
@click.option("-k", "count", type=int, help="How many guesses where nothing is sure. Default: the scenario's.")
@AS_JSON
def ask(
    scenario: str,
    question: str | None,
    conversation: Path | None,
    asked: Path | None,
    count: int | None,
    *,
    as_json: bool,
) -> None:
    """Ask SCENARIO[@ALIAS] a QUESTION: it answers where it is sure enough, and hands over where it is not."""
    from flows.asking import open_release

    if count is not None and count < 1:
        raise RequestError(f"-k is {count}; ask for at least 1.")
    if (question is None) == (asked is None):
        raise RequestError('Ask one question, such as polyloom ask support "Where is my parcel?", or those of --input.')
    runtime = open_release(scenario)
    if asked is not None:
        answer_file(runtime, asked, count, as_json=as_json)
        return
    found = answered(runtime, str(question), read_conversation(conversation), count)
    if conversation is not None:
        keep(conversation, str(question), found)
    emit({"release": runtime.digest, **found}) if as_json else show(found)


def answered(runtime: Any, question: str, said: Any, count: int | None) -> dict[str, Any]:
    """The answer as JSON."""
    found: dict[str, Any] = runtime.ask(question, conversation=said, k=count).to_json()
    return {"question": question, **found}


def read_conversation(path: Path | None) -> Any:
    """What was said before. Raises: RequestError for a file that holds no conversation."""
    from retrieval.answering.conversation import Conversation

    if path is None or not path.exists():
        return None
    try:
        return Conversation.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, PolyloomError) as error:
        raise RequestError(
            f"--conversation {path}: holds no conversation ({error}). Name another file, or a new one."
        ) from error


def keep(path: Path, question: str, found: Mapping[str, Any]) -> None:
    """Add a turn to the file."""
    from polyloom.durable import write_json
    from retrieval.answering.conversation import Conversation, Turn

    before = read_conversation(path)
    cited = tuple(one["id"] for one in found["citations"])
    turn = Turn(question=question, answer=found["text"], cited=cited)
    write_json(path, (before or Conversation()).with_turn(turn).to_json())


def answer_file(runtime: Any, path: Path, count: int | None, *, as_json: bool) -> None:
    """One line for each question of a file; those that cannot be asked say why."""

    def told(answer: Mapping[str, Any]) -> str:
        return f"{answer['id']}: {answer['text'] or 'handed over: ' + answer['hand_over']['reason']}"

    emit_lines(answers(runtime, path, count), path, as_json=as_json, told=told)


def answers(runtime: Any, path: Path, count: int | None) -> Iterator[dict[str, Any]]:
    """An answer for each line, under its `id` or its number. Raises: RequestError when the file cannot be read."""
    from flows.json_lines import json_lines, json_object
    from retrieval.answering.conversation import Conversation

    for number, line in json_lines(path):
        id_: object = number
        try:
            asked = json_object(line, number, path, known=KNOWN)
            id_ = asked.get("id", number)
            if not isinstance(asked.get("question"), str):
                raise RequestError(
                    f"{path}, line {number}: question is {asked.get('question')!r}; write text in quotes."
                )
            said = Conversation.from_json(asked["conversation"]) if asked.get("conversation") else None
            yield {"id": id_, **answered(runtime, asked["question"], said, count)}
        except PolyloomError as error:
            yield {"id": id_, "error": str(error)}


def show(found: Mapping[str, Any]) -> None:
    """The answer and what it rests on, or why a person should answer, with the best guesses."""
    if found["note"]:
        click.echo(f"note      {found['note']}")
    if found["broken"]:
        click.echo(f"promise   {found['broken']}")
    if found["text"] is not None:
        click.echo(found["text"])
        for cited in found["citations"]:
            click.echo(f"cited     {place(cited)}: {cited['text']}")
        click.echo(f"sure      {found['score']:.0%}")
        return
    over = found["hand_over"]
    click.echo(f"handed over    {over['reason']}")
    rows = [guess(one) for one in over["guesses"]]
    if rows:
        table(rows, title=f"{len(rows)} guesses for whoever answers", columns=list(rows[0]))


def place(cited: Mapping[str, Any]) -> str:
    """Where the cited words stand: the row, or the document with page and characters."""
    if cited["reply"] is not None:
        return f"{cited['source']} {cited['id']}"
    page = f", page {cited['page']}" if cited["page"] else ""
    return f"{cited['source']}{page}, characters {cited['start']} to {cited['end']}, passage {cited['id']}"


def guess(cited: Mapping[str, Any]) -> dict[str, object]:
    """A guess as a line: a known question with its answer, or what was read in a document."""
    if cited["reply"] is not None:
        return {"id": cited["id"], "question": cited["text"], "answer": cited["reply"]}
    page = f", page {cited['page']}" if cited["page"] else ""
    return {"id": cited["id"], "document": f"{cited['source']}{page}", "read": cited["text"]}
