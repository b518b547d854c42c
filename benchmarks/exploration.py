"""What exploring costs and what its log is worth: `python -m benchmarks.exploration [--picture FILE] --json`.

Users come one after another; each meets 20 candidates of 8 traits and takes the shown one with a probability that is
the logistic function of a sum over traits: some that all like, some that fit the user's tastes. Tastes are seen with
noise, and drift. A context is an intercept, the products of seen taste and trait, and the traits: a linear model can
order the candidates, and fits their probabilities nearly.

Regret is the best candidate's probability less the chosen one's, summed over a run. Policies meet the same users and
candidates, seed by seed, so their differences are paired. Growth is the slope of log regret over log choices in the
second half; 1 is a regret that never falls. The share of uniform choices that keeps propensities positive is a regret
of this kind too, so epsilon-greedy is also shown with the share that Thompson and LinUCB have, 0.005.

Off policy: a fixed softmax, and a Thompson policy that learns as it logs, choose for 200 users. What another policy
would have brought is estimated from each of many logs and held against its true value. Settings were chosen on other
seeds, from 100 on, and other logs.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.figures import Figure, show
from retrieval.exploring.bandit import Bandit
from retrieval.exploring.linear_payoff import LinearPayoff
from retrieval.exploring.logged_choices import LoggedChoices
from retrieval.exploring.off_policy import Estimate, doubly_robust, importance_sampling, self_normalised
from retrieval.exploring.rules import EpsilonGreedy, Rule, Softmax, Thompson, UpperBound

CANDIDATES, TRAITS, USERS = 20, 8, 50
LOGGED_USERS, LOGGED_WORLD, FIRST_LOG = 200, 7, 20_000
DRIFT, SEEN_NOISE = 0.05, 0.1
EVEN = 0.3
BASELINE = "epsilon-greedy, 0.1"
RULES: Mapping[str, Rule] = {
    "Thompson": Thompson(scale=0.15, draws=128, explore=0.005),
    "LinUCB": UpperBound(width=0.15, explore=0.005),
    BASELINE: EpsilonGreedy(explore=0.1),
    "epsilon-greedy, 0.02": EpsilonGreedy(explore=0.02),
    "epsilon-greedy, 0.005": EpsilonGreedy(explore=0.005),
    "uniform": EpsilonGreedy(explore=1.0),
}
ESTIMATORS: Mapping[str, Callable[..., Estimate]] = {
    "IPS": importance_sampling,
    "IPS clipped at 20": lambda *given, **more: importance_sampling(*given, clip=20.0, **more),
    "self-normalised IPS": self_normalised,
    "doubly robust": doubly_robust,
}


@dataclass(frozen=True)
class Moment:
    """One choice: whose, the contexts [candidates, dim], each candidate's probability of being taken [candidates]."""

    user: int
    contexts: np.ndarray
    rewards: np.ndarray


class World:
    """Users whose tastes drift, and candidates; `likes` seeds what all users share, `seed` everything else."""

    def __init__(self, likes: int, *, seed: int, users: int = USERS) -> None:
        self.likes = np.random.default_rng([likes, 1]).normal(size=TRAITS)
        self.generator = np.random.default_rng(seed)
        self.tastes = self.generator.normal(size=(users, TRAITS))

    def moment(self) -> Moment:
        """The next user's."""
        user = int(self.generator.integers(len(self.tastes)))
        moved = np.sqrt(1 - DRIFT**2) * self.tastes[user] + DRIFT * self.generator.normal(size=TRAITS)
        self.tastes[user] = moved
        traits = self.generator.normal(size=(CANDIDATES, TRAITS))
        seen = moved + SEEN_NOISE * self.generator.normal(size=TRAITS)
        scores = (traits * moved) @ self.likes * 0.35 + traits @ self.likes[::-1] * EVEN - 2.0
        contexts = np.hstack([np.ones((CANDIDATES, 1)), traits * seen, traits])
        return Moment(user, contexts / np.sqrt(TRAITS), 1 / (1 + np.exp(-scores)))


def main() -> None:
    """Run both parts and print the figures."""
    asked = arguments()
    figures = []
    if asked.part in {"both", "regret"}:
        curves = {name: regrets(rule, seeds=asked.seeds, choices=asked.choices) for name, rule in RULES.items()}
        figures += regret_figures(curves)
        if asked.picture:
            draw(asked.picture, curves)
    if asked.part in {"both", "off-policy"}:
        figures += coverage_figures(logs=asked.logs, choices=asked.logged, learns=False)
        figures += coverage_figures(logs=asked.logs, choices=asked.logged, learns=True)
    sys.exit(show("exploration", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["both", "regret", "off-policy"], default="both")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)), help="a world each")
    parser.add_argument("--choices", type=int, default=10_000, help="choices in each world")
    parser.add_argument("--logs", type=int, default=500, help="simulated logs")
    parser.add_argument("--logged", type=int, default=1_000, help="choices in each log")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the regrets there, as PNG")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def regrets(rule: Rule, *, seeds: Sequence[int], choices: int) -> np.ndarray:
    """The regret so far [seeds, choices] of a rule that begins with nothing."""
    return np.stack([np.cumsum(run(rule, seed=seed, choices=choices)) for seed in seeds])


def run(rule: Rule, *, seed: int, choices: int) -> np.ndarray:
    """The regret of each choice [choices] in one world."""
    world, chance = World(seed, seed=seed), np.random.default_rng([seed, 2])
    bandit = Bandit(LinearPayoff(1 + 2 * TRAITS, ridge=1.0), rule, seed=seed)
    lost = np.zeros(choices)
    for number in range(choices):
        moment = world.moment()
        place = bandit.choose(moment.contexts).place
        bandit.update(moment.contexts[place], float(chance.random() < moment.rewards[place]))
        lost[number] = moment.rewards.max() - moment.rewards[place]
    return lost


def growth(curve: np.ndarray) -> np.ndarray:
    """The slope [seeds] of log regret over log choices in the second half of curves [seeds, choices]."""
    half = np.arange(curve.shape[1] // 2, curve.shape[1])
    steps = np.log(half + 1.0)
    return np.asarray(np.polyfit(steps, np.log(curve[:, half]).T, 1)[0])


def regret_figures(curves: Mapping[str, np.ndarray]) -> list[Figure]:
    """Each rule's total regret and growth; the best one's against the usual epsilon-greedy, paired."""
    best = min(("Thompson", "LinUCB"), key=lambda name: curves[name][:, -1].mean())
    figures = [
        shown(f"{name}: regret of {curve.shape[1]} choices, growth {growth(curve).mean():.3f}", curve[:, -1].mean())
        for name, curve in curves.items()
    ]
    for other in (name for name in curves if name.startswith("epsilon")):
        totals = curves[best][:, -1] - curves[other][:, -1]
        slopes = growth(curves[best]) - growth(curves[other])
        goal = other == BASELINE
        figures += [less(f"{best} against {other}: regret", totals, goal=goal)]
        figures += [less(f"{best} against {other}: growth", slopes, goal=goal)]
    return figures


def less(name: str, differences: np.ndarray, *, goal: bool) -> Figure:
    """The mean of paired differences, met when its 95% interval (Student's) lies below zero."""
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    low, high = mean + error * stats.t.ppf([0.025, 0.975], len(differences) - 1)
    return Figure(
        name=f"{name} ({low:+.3f} to {high:+.3f} over {len(differences)} seeds)",
        value=round(float(mean), 3),
        unit="",
        goal="interval below 0" if goal else "shown",
        met=bool(high < 0) or not goal,
    )


def shown(name: str, value: float) -> Figure:
    """A figure without a goal."""
    return Figure(name=name, value=round(float(value), 3), unit="", goal="shown", met=True)


def coverage_figures(*, logs: int, choices: int, learns: bool) -> list[Figure]:
    """How often the intervals of each estimator hold the judged policy's true value."""
    judged = trained(seed=1_000, choices=500)
    truth = true_value(judged, moments=50_000)
    found: dict[str, list[Estimate]] = {name: [] for name in ESTIMATORS}
    for number in range(logs):
        log, policy = logged(judged, choices=choices, learns=learns, seed=FIRST_LOG + number)
        for name, estimator in ESTIMATORS.items():
            found[name].append(estimator(log, policy, seed=number))
    how = "a learning Thompson's logs" if learns else "logs of a fixed softmax"
    return [coverage(f"{how}, {name}", own, truth) for name, own in found.items()]


def coverage(name: str, found: Sequence[Estimate], truth: float) -> Figure:
    """The share of intervals that hold the truth; the clipped one, biased on purpose, has no goal."""
    held = float(np.mean([one.low <= truth <= one.high for one in found]))
    error = float(np.sqrt(np.mean([(one.value - truth) ** 2 for one in found])))
    width = float(np.mean([one.high - one.low for one in found]))
    effective = float(np.mean([one.effective_choices for one in found]))
    goal = "clipped" not in name
    return Figure(
        name=f"{name}: coverage of 95% intervals over {len(found)} logs (truth {truth:.4f}, error {error:.4f}, "
        f"width {width:.4f}, {effective:.0f} effective choices)",
        value=round(held, 4),
        unit="",
        goal="at least 0.93" if goal else "shown",
        met=held >= 0.93 or not goal,
    )


def trained(*, seed: int, choices: int) -> Bandit:
    """The policy that is judged: learned elsewhere, fixed, and fond of what it expects much of."""
    world, chance = World(LOGGED_WORLD, seed=seed), np.random.default_rng(seed)
    bandit = Bandit(LinearPayoff(1 + 2 * TRAITS), Softmax(temperature=0.05, explore=0.05), seed=seed)
    for _ in range(choices):
        moment = world.moment()
        place = int(chance.integers(CANDIDATES))
        bandit.update(moment.contexts[place], float(chance.random() < moment.rewards[place]))
    return bandit


def true_value(judged: Bandit, *, moments: int) -> float:
    """The judged policy's mean reward a choice, by the known probabilities, over many users' moments."""
    found = []
    for seed in range(moments // 500):
        world = World(LOGGED_WORLD, seed=10_000 + seed, users=LOGGED_USERS)
        for _ in range(500):
            moment = world.moment()
            found.append(judged.probabilities(moment.contexts) @ moment.rewards)
    return float(np.mean(found))


def logged(judged: Bandit, *, choices: int, learns: bool, seed: int) -> tuple[LoggedChoices, tuple[np.ndarray, ...]]:
    """A log, and the judged policy's probabilities for each of its choices."""
    world = World(LOGGED_WORLD, seed=seed, users=LOGGED_USERS)
    chance = np.random.default_rng([seed, 4])
    rule: Rule = Thompson(scale=0.3, draws=128, explore=0.2) if learns else Softmax(temperature=0.2, explore=0.2)
    bandit = Bandit(LinearPayoff(1 + 2 * TRAITS), rule, seed=seed)
    if not learns:
        bandit.payoff = trained(seed=2_000, choices=100).payoff
    moments, choices_made, rewards = [], [], []
    for _ in range(choices):
        moment = world.moment()
        choice = bandit.choose(moment.contexts)
        reward = float(chance.random() < moment.rewards[choice.place])
        if learns:
            bandit.update(moment.contexts[choice.place], reward)
        moments.append(moment)
        choices_made.append(choice)
        rewards.append(reward)
    log = LoggedChoices(
        contexts=tuple(moment.contexts for moment in moments),
        chosen=np.array([choice.place for choice in choices_made]),
        propensities=np.array([choice.propensity for choice in choices_made]),
        rewards=np.array(rewards),
        users=np.array([moment.user for moment in moments]),
    )
    return log, tuple(judged.probabilities(rows) for rows in log.contexts)


def draw(path: Path, curves: Mapping[str, np.ndarray]) -> None:
    """Mean regret over choices, plainly and on logarithmic axes."""
    from flows.drawing import (
        INK,
        MARK,
        QUIET,
        RIGHT,
        TOO_SURE,
        WRONG,
        heading,
        legend,
        new_figure,
        plain_axes,
        save_figure,
    )

    figure = new_figure(11.0, 4.6)
    for axes, scale in zip(figure.subplots(1, 2), ("linear", "log"), strict=True):
        plain_axes(axes)
        for (name, curve), color in zip(curves.items(), (RIGHT, MARK, WRONG, TOO_SURE, INK, QUIET), strict=True):
            axes.plot(np.arange(1, curve.shape[1] + 1), curve.mean(axis=0), color=color, label=name)
        axes.set_xscale(scale)
        axes.set_yscale(scale)
        axes.set_xlabel("choices")
        axes.set_ylabel("regret so far")
        heading(axes, f"what exploring costs, {scale} axes", f"mean over {len(next(iter(curves.values())))} worlds")
    legend(axes, "upper left")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
