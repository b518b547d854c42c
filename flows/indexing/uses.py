"""What a release is used by, made anew from a newer snapshot: the recommender, and when to answer.

No encoder and no head learns. What is made counts at once, for this release alone.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.spec import Scenario
from flows.stages.answering import choose_answering
from flows.stages.recommend import read_events, save_recommender
from ingestion.snapshots import Snapshot
from polyloom.durable import locked, read_json, write_json
from polyloom.home import home
from polyloom.progress import Progress
from releases.answering import RECORD
from releases.live_uses import LOCK, POINTER, LiveUses, note_of, publish_uses, uses_place
from releases.promise import ASKED, SNAPSHOT
from releases.recommending import FOLDER
from releases.runtime import Runtime
from retrieval.answering.drift import ScoreLog

Result = dict[str, Any]
SECTIONS = ("recommend", "answer")


def refresh_uses(runtime: Runtime, snapshot: Snapshot, *, progress: Progress) -> Result:
    """The figures of what was made anew, by section; nothing where the release's uses are of this snapshot already.

    The index must be in step with the snapshot: what is recommended, and what answers, are its items.
    """
    if not is_stale(runtime, snapshot.id):
        return {}
    scenario = Scenario.model_validate(read_json(runtime.folder / "scenario.json"))
    found: Result = {}
    with publish_uses(place_of(runtime), {SNAPSHOT: snapshot.id}) as folder:
        if scenario.recommend is not None:
            name = scenario.recommend.interactions
            events = read_events(snapshot.table(name), scenario.data[name])
            items = runtime.searcher.snapshot.items()
            found["recommend"] = save_recommender(
                folder / FOLDER,
                items,
                events,
                settings=scenario.recommend,
                progress=progress,
                seed=scenario.recipe.seed,
            )
        if scenario.answer is not None:
            record, found["answer"] = choose_answering(runtime, settings=scenario.answer, progress=progress)
            write_json(folder / RECORD, record)
    # What was asked before was held against another threshold.
    ScoreLog(place_of(runtime) / ASKED).clear()
    return found


def is_stale(runtime: Runtime, snapshot: str) -> bool:
    """Whether a release has uses, and they were made from another snapshot."""
    if not any(runtime.facts.get(section) for section in SECTIONS):
        return False
    return snapshot_of(runtime) != snapshot


def snapshot_of(runtime: Runtime) -> str:
    """The snapshot that a release's uses were made from."""
    folder = LiveUses(runtime.folder, place=place_of(runtime)).present().folder
    note: Mapping[str, Any] = note_of(folder)
    return str(note.get(SNAPSHOT) or read_json(runtime.folder / "snapshot.json")["id"])


def place_of(runtime: Runtime) -> Path:
    """Where the later uses of a release lie."""
    return uses_place(home() / "indexes" / runtime.name, runtime.digest)


def forget_in_uses(scenario: str, keys: Sequence[str]) -> int:
    """Take away the later uses that know an item, so that those of the release count again; gives how many went."""
    gone = 0
    for place in sorted((home() / "indexes" / scenario).glob("uses-*")):
        with locked(place / LOCK):
            knowing = [path for path in place.glob(f"*/{FOLDER}/recommender.json") if knows(path, keys)]
            if knowing:
                (place / POINTER).unlink(missing_ok=True)
                for path in knowing:
                    shutil.rmtree(path.parent.parent)
                gone += len(knowing)
    return gone


def knows(recommender: Path, keys: Sequence[str]) -> bool:
    """Whether a recommender's catalogue has one of the items."""
    return not {*keys}.isdisjoint(read_json(recommender)["items"])
