"""Whether the promise about a release's answers still holds: for its index as it was, and questions as they were."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyloom.durable import read_json
from releases.answering import RECORD
from releases.live_uses import LiveUses
from retrieval.answering.asking import LETTER, Answered, HandOver
from retrieval.answering.conversation import Conversation
from retrieval.answering.drift import WINDOW, ScoreLog, drifted
from retrieval.answering.selective import Threshold

if TYPE_CHECKING:
    from releases.runtime import Runtime

SNAPSHOT, SCORES, ASKED = "snapshot", "scores", "asked.jsonl"
CHANGED = (
    "The index holds other rows than when the threshold was chosen, so nothing is promised of its answers. "
    "Next: polyloom index {name} update"
)
UNLIKE = (
    f"The last {WINDOW} questions are unlike those that the threshold was chosen by, so nothing is promised of the "
    "answers. Add questions such as these, with their answers, to the data. Next: polyloom run {name}"
)


class Promise:
    """The promise of one release; `uses` says where it lies now, and where it is noted what was asked."""

    def __init__(self, runtime: "Runtime", uses: LiveUses) -> None:
        self._runtime = runtime
        self._uses = uses

    @property
    def threshold(self) -> Threshold:
        """From where on the release answers."""
        return Threshold.from_json(self._record["threshold"])

    def note(self, question: str, score: float) -> None:
        """Note how sure the release was of a question that stood alone; what has no words was none.

        A disk that is full, or not ours to write to, costs the note and never the answer.
        """
        log = self._log
        if log is not None and LETTER.search(question):
            with contextlib.suppress(OSError):
                log.add(score)

    def broken(self) -> str | None:
        """Why nothing is promised any more; None where the promise holds, or never was given."""
        record = self._record
        if record["threshold"]["value"] is None:
            return None
        if SNAPSHOT in record and record[SNAPSHOT] != present_snapshot(self._runtime):
            return CHANGED.format(name=self._runtime.name)
        log = self._log
        if log is not None and drifted(record.get(SCORES, []), log.scores()):
            return UNLIKE.format(name=self._runtime.name)
        return None

    def held(self, found: Answered, question: str, conversation: Conversation | None) -> Answered:
        """An answer as it may be given: where the promise is broken it says so, or a person answers in its place."""
        why = self.broken()
        if why is None:
            return found
        if found.text is None or self._runtime.facts["answer"].get("drift") != "hand_over":
            return replace(found, broken=why)
        over = HandOver(why, question, conversation, guesses=found.citations)
        return replace(found, text=None, confident=False, citations=(), hand_over=over, broken=why)

    @property
    def folder(self) -> Path:
        """The folder that the promise lies in now."""
        folder = self._uses.present().folder
        return folder if (folder / RECORD).is_file() else self._uses.sealed

    @property
    def _record(self) -> Mapping[str, Any]:
        record: Mapping[str, Any] = read_json(self.folder / RECORD)
        return record

    @property
    def _log(self) -> ScoreLog | None:
        return None if self._uses.place is None else ScoreLog(self._uses.place / ASKED)


def present_snapshot(runtime: "Runtime") -> str:
    """The snapshot whose rows the index holds now."""
    noted: str | None = runtime.searcher.snapshot.note.get(SNAPSHOT)
    return noted or str(read_json(runtime.folder / "snapshot.json")["id"])
