"""The trials of a search: asked of Optuna, kept in a file that survives a kill, never repeated once finished."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.tuning.space import Space, distributions

STARTUP, WARMUP_EPOCHS = 5, 2
SECONDS, INTERRUPTED, ERROR = "seconds", "interrupted", "error"


class Trials:
    """A search's trials in `folder`. The first objective is higher the better, a second one, latency, lower.

    Optuna's tree-structured Parzen estimator proposes (Bergstra et al., 2011); with one objective, a trial that is
    below the median of the others at the same epoch is given up.
    """

    def __init__(self, folder: Path, *, space: Space, objectives: Sequence[str], seed: int, prune: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.objectives = tuple(objectives)
        self.prunes = prune and len(objectives) == 1
        self._distributions = distributions(space)
        self._study = optuna.create_study(
            study_name="tune",
            storage=f"sqlite:///{folder / 'trials.db'}",
            directions=["maximize" if name == "metric" else "minimize" for name in objectives],
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP_EPOCHS),
            load_if_exists=True,
        )
        # A sampler begins anew in each process: from the same seed it would propose what it proposed before.
        known = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed + known, multivariate=True)

    def resume(self) -> int:
        """Put trials that a killed process left half done first in line; says how many."""
        from optuna.trial import TrialState

        half = self._study.get_trials(states=[TrialState.RUNNING])
        for trial in half:
            self._study.set_user_attr(INTERRUPTED, [*self._interrupted(), trial.number])
            # Settings that were not all drawn yet are drawn again with the next one.
            if len(trial.params) == len(self._distributions):
                self._study.enqueue_trial(trial.params, skip_if_exists=False)
            self._study.tell(trial.number, state=TrialState.FAIL)
        return len(half)

    def ask(self) -> Any:
        """The next trial: `params` by path, `number`, `report` and `should_prune`."""
        return self._study.ask(self._distributions)

    def known(self, params: Mapping[str, Any]) -> Any | None:
        """A finished trial with the same settings."""
        return next((each for each in self.completed() if each.params == params), None)

    def complete(self, trial: Any, values: Sequence[float]) -> None:
        """Write a trial's values down."""
        self._study.tell(trial.number, list(values))

    def give_up(self, trial: Any) -> None:
        """A trial that was stopped early."""
        from optuna.trial import TrialState

        self._study.tell(trial.number, state=TrialState.PRUNED)

    def fail(self, trial: Any, error: str) -> None:
        """A trial whose settings do not work."""
        from optuna.trial import TrialState

        trial.set_user_attr(ERROR, error)
        self._study.tell(trial.number, state=TrialState.FAIL)

    def finished(self) -> list[Any]:
        """Trials that need no more work, in order."""
        interrupted = self._interrupted()
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state.is_finished() and trial.number not in interrupted]

    def _interrupted(self) -> list[int]:
        return list(self._study.user_attrs.get(INTERRUPTED, []))

    def completed(self) -> list[Any]:
        """Trials that came to their end."""
        return [trial for trial in self.finished() if trial.state.name == "COMPLETE"]

    def seconds(self) -> float:
        """What all trials took, those included that were interrupted."""
        return sum(float(trial.user_attrs.get(SECONDS, 0.0)) for trial in self._study.get_trials(deepcopy=False))

    def best(self) -> list[Any]:
        """The best trial; with two objectives those that no other one beats in both."""
        if not self.completed():
            return []
        if len(self.objectives) == 1:
            return [self._study.best_trial]
        return list(self._study.best_trials)

    def importance(self) -> dict[str, float]:
        """Each setting's share in the differences of the first objective; empty where too few trials tell.

        PED-ANOVA (Watanabe et al., 2023).
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        if len(self.completed()) <= STARTUP or len({trial.values[0] for trial in self.completed()}) == 1:
            return {}
        target = (lambda trial: trial.values[0]) if len(self.objectives) > 1 else None
        evaluator = PedAnovaImportanceEvaluator(evaluate_on_local=False)
        return dict(get_param_importances(self._study, evaluator=evaluator, target=target))
