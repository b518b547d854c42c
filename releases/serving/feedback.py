"""Where feedback goes: corrections and clicks to what ingestion reads, rewards to the log of exposures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polyloom.errors import RequestError
from releases.serving import schemas
from releases.serving.champion import Served
from releases.serving.feedback_log import FeedbackLog
from releases.serving.prediction_log import PredictionLog

if TYPE_CHECKING:
    from retrieval.exploring.exposure_log import ExposureLog

Given = schemas.Correction | schemas.Click | schemas.Reward


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """Takes feedback. `folder` has a folder for each scenario; `exposures` gives a scenario's log of what was drawn."""

    folder: Path
    predictions: PredictionLog
    exposures: "Callable[[str], ExposureLog]"

    def take(self, served: Served, given: Given) -> schemas.Kept:
        """Keep it; on the disk when it returns. Raises: RequestError for what does not belong to anything."""
        if isinstance(given, schemas.Correction):
            return self._corrected(served, given)
        if isinstance(given, schemas.Click):
            return self._clicked(served, given)
        return self._rewarded(served, given)

    def _corrected(self, served: Served, given: schemas.Correction) -> schemas.Kept:
        logged = self.predictions.find(given.prediction, scenario=served.scenario)
        log = FeedbackLog(self.folder / served.scenario)
        found = log.correct(logged, served.runtime, row=given.row, task=given.task, label=given.label)
        return schemas.Kept(kept=given.prediction, counted=found.counted, waits_for=list(found.waits_for))

    def _clicked(self, served: Served, given: schemas.Click) -> schemas.Kept:
        runtime = served.runtime
        recommends = runtime.facts.get("recommend")
        if not recommends or not runtime.searchable:
            raise RequestError(f"{served.scenario!r} recommends nothing, so that clicks teach it nothing.")
        if given.prediction is not None:
            self.predictions.find(given.prediction, scenario=served.scenario)
        held = runtime.searcher.snapshot.held
        click = FeedbackLog(self.folder / served.scenario).click(
            item=given.item,
            known=lambda item: bool(held([item])),
            columns=recommends["columns"],
            event=given.event,
            user=given.user,
            prediction=given.prediction,
        )
        return schemas.Kept(kept=click, counted=True)

    def _rewarded(self, served: Served, given: schemas.Reward) -> schemas.Kept:
        from releases.exploring import noted

        columns = (served.runtime.facts.get("recommend") or {}).get("columns")
        found = noted(
            self.exposures(served.scenario), given.exposure, reward=given.reward, event=given.event, columns=columns
        )
        return schemas.Kept(kept=found.id, counted=found.counted)
