"""MovieLens-100k for the bench `recommendation`: ratings as interactions, the models, and lists for held-out ratings.

The protocol is that of the comparison in Microsoft's recommenders, with a plain random split where their notebook draws
within each film: 75% of the ratings are learned from, any rating of the other 25% is relevant, films that a user rated
in training are left out, ten are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from benchmarks.figures import Figure
from retrieval.recommending.blend import Blend, learn_weights, make_trial
from retrieval.recommending.ease import fit_ease
from retrieval.recommending.factors import fit_factors
from retrieval.recommending.interactions import Cut, Interactions, last_out, random_cut, read_interactions
from retrieval.recommending.model import Model
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.quality import mean_interval, ndcg, paired_interval, recall, summary, top_lists

FOLDER = "movielens_100k"
SHARE, K, GOAL = 0.75, 10, 0.49
# Within the training part of a split, so many times a tenth is held out to weigh the models by.
FOLDS, FOLD_SHARE = 5, 0.9
# Bootstrapped intervals are over users of one seed.
TRIED = {"popularity": 0.250, "neighbours": 0.438, "factors": 0.475, "ease": 0.479, "blend": 0.489}
# Chosen on tenths of the training parts of seeds 21 to 23.
FITS: Mapping[str, Callable[[sp.csr_matrix], Model]] = {
    "popularity": fit_popularity,
    "neighbours": lambda own: fit_neighbours(own, most=300, shrinkage=10.0),
    "factors": lambda own: fit_factors(own, factors=128, regularisation=40.0, alpha=2.0, power=1.0),
    "factors, stiffer": lambda own: fit_factors(own, factors=64, regularisation=60.0, alpha=5.0, power=0.5),
    "ease": lambda own: fit_ease(own, regularisation=300.0, power=0.5, users_damped=0.25, items_damped=0.3),
    "ease, free diagonal": lambda own: fit_ease(
        own, regularisation=300.0, power=0.3, users_damped=0.25, items_damped=0.25, constrained=0.0
    ),
}


def ratings(data: Path) -> Interactions:
    """All 100,000, the rating as the weight."""
    rows = np.loadtxt(data / FOLDER / "u.data", dtype=np.int64)
    names = ("user", "film", "rating", "time")
    table = pa.table({name: rows[:, place] for place, name in enumerate(names)})
    return read_interactions(table, user="user", item="film", weight="rating", time="time")


def fitted(train: Interactions) -> list[Model]:
    """All models, of all of some events."""
    own = train.matrix()
    return [fit(own) for fit in FITS.values()]


def weighed(train: Interactions, *, seed: int) -> tuple[float, ...]:
    """Weights of the models, learned within the training part alone."""
    trials = []
    for fold in range(FOLDS):
        cut = random_cut(train, share=FOLD_SHARE, seed=1000 * seed + fold)
        trials.append(make_trial(fitted(cut.train), cut.train.matrix(), cut.held_out.matrix()))
    return learn_weights(trials, k=K)


def lists_of(cut: Cut, *, seed: int) -> dict[str, np.ndarray]:
    """Ten films a user by each model and by their blend."""
    own = cut.train.matrix()
    models = fitted(cut.train)
    blend = Blend(tuple(models), weighed(cut.train, seed=seed))
    shown = {name: top_lists(model.scores(own), k=K, left_out=own) for name, model in zip(FITS, models, strict=True)}
    return {**shown, "blend": top_lists(blend.scores(own), k=K, left_out=own)}


def random_split_figures(data: Path, *, seeds: Sequence[int], tell: Callable[[str], None]) -> list[Figure]:
    """nDCG@10 by model, the mean over splits; all measures of the blend."""
    events = ratings(data)
    found: dict[str, list[np.ndarray]] = {}
    measured: list[dict[str, float]] = []
    for seed in seeds:
        cut = random_cut(events, share=SHARE, seed=seed)
        lists, relevant = lists_of(cut, seed=seed), cut.held_out.matrix()
        for name, own in lists.items():
            found.setdefault(name, []).append(ndcg(own, relevant))
        takers = np.bincount(cut.train.item_numbers, minlength=len(events.items))
        genres = film_genres(data, events.items)
        measured.append(summary(lists["blend"], relevant, takers=takers, users=len(events.users), vectors=genres))
        tell(f"seed {seed}: " + ", ".join(f"{name} {np.nanmean(own[-1]):.4f}" for name, own in found.items()))
    figures = [ndcg_figure(name, own) for name, own in found.items()]
    figures += [gain_figure(found["blend"], found[name], name=name) for name in ("ease", "factors")]
    return figures + [
        shown(f"blend: {name.replace('_', ' ')}", float(np.mean([one[name] for one in measured])))
        for name in measured[0]
    ]


def last_out_figures(data: Path, *, seed: int) -> list[Figure]:
    """Each user's latest rating is to be found, of all films that the user did not rate before."""
    cut = last_out(ratings(data))
    relevant = cut.held_out.matrix()
    figures = []
    for name, lists in lists_of(cut, seed=seed).items():
        gain, hits = mean_interval(ndcg(lists, relevant)), mean_interval(recall(lists, relevant))
        figures.append(shown(f"latest rating, {name}: nDCG@10, {span(gain)}", gain.mean))
        figures.append(shown(f"latest rating, {name}: hit rate@10, {span(hits)}", hits.mean))
    return figures


def film_genres(data: Path, films: Sequence[str]) -> np.ndarray:
    """Genres [films, genres] in the order of the film ids."""
    with (data / FOLDER / "u.item").open(encoding="latin-1") as lines:
        rows = [line.rstrip("\n").split("|") for line in lines]
    genres = {row[0]: np.array(row[5:], np.float32) for row in rows}
    return np.stack([genres[film] for film in films])


def ndcg_figure(name: str, values: Sequence[np.ndarray]) -> Figure:
    """The mean over splits, with its deviation and the interval over users of the mean over splits."""
    by_seed = [float(np.nanmean(own)) for own in values]
    goal = f"at least {GOAL}" if name == "blend" else "shown"
    spread = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0
    between = span(mean_interval(np.nanmean(values, axis=0)))
    return Figure(
        name=f"{name}: nDCG@10, sd {spread:.4f} over {len(by_seed)} splits, {between}",
        value=round(float(np.mean(by_seed)), 4),
        unit="",
        against=TRIED.get(name),
        goal=goal,
        met=name != "blend" or float(np.mean(by_seed)) >= GOAL,
    )


def gain_figure(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], *, name: str) -> Figure:
    """What the blend gains over one model, paired by user."""
    gain = paired_interval(np.nanmean(ours, axis=0), np.nanmean(theirs, axis=0))
    return shown(f"blend over {name}: nDCG@10, {span(gain)}", gain.mean)


def span(interval: tuple[float, float, float]) -> str:
    """An interval in words."""
    return f"95% interval {interval[1]:.4f} to {interval[2]:.4f}"


def shown(name: str, value: float, unit: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(name=name, value=round(value, 4), unit=unit, goal="shown", met=True)
