"""What is new, for the bench `recommendation`: films that nobody rated yet, and users who rated one, three or five.

A tenth of the films is held out of training entirely and ranked among themselves, for each user who rated any of them:
by content, at random, and by how popular films of their year are. Films' texts (title, genres, plot) are embedded by
the packaged MiniLM; their genres and people (director, writers, actors) stand beside as TF-IDF.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.figures import Figure
from benchmarks.recommendation_movielens import FOLDER, K, fitted, ratings, shown, span
from retrieval.recommending.blend import Blend, Trial, learn_weights, make_trial
from retrieval.recommending.content import Content, make_content
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.quality import mean_interval, ndcg, paired_interval, top_lists

COLD_SHARE, NEW_USERS_SHARE = 0.1, 0.2
RATED = (1, 3, 5)
# What each field counts, tried on other cold films than those of the seeds that are reported (seeds 101 to 103).
FIELD_WEIGHTS: Mapping[str, float] = {"text": 0.3, "genres": 0.6, "people": 1.0}
MEAN_SHARE = 0.5


def cold_film_figures(data: Path, *, seeds: Sequence[int]) -> list[Figure]:
    """nDCG@10 among cold films, the mean over draws of films by user, and what content gains."""
    events = ratings(data)
    content = film_content(data, events.items)
    found: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        for name, values in cold_ndcg(events, content, film_years(data, events.items), seed=seed).items():
            found.setdefault(name, []).append(values)
    means = {name: over_draws(values) for name, values in found.items()}
    figures = []
    for name, values in means.items():
        own = mean_interval(values)
        figures.append(shown(f"cold films by {name}: nDCG@10, {len(seeds)} draws, {span(own)}", own.mean))
    for name in ("chance", "their year"):
        gain = paired_interval(means["content"], means[name])
        figures.append(
            Figure(
                name=f"cold films, content over {name}: nDCG@10, {span(gain)}",
                value=round(gain.mean, 4),
                unit="",
                goal="interval above 0",
                met=gain.low > 0,
            )
        )
    return figures


def cold_ndcg(
    events: Interactions, content: Content, years: np.ndarray, *, seed: int, share: float = COLD_SHARE
) -> dict[str, np.ndarray]:
    """Each user's nDCG@10 among the cold films of one draw."""
    random = np.random.default_rng(seed)
    cold = np.zeros(len(events.items), dtype=bool)
    cold[random.permutation(len(cold))[: round(share * len(cold))]] = True
    whole = events.matrix()
    keep = sp.diags((~cold).astype(np.float32))
    train, relevant = (whole @ keep).tocsr(), whole.toarray() * cold
    train.eliminate_zeros()
    takers = np.asarray((train > 0).sum(axis=0)).ravel()
    # A film's year says when it came out; films of that year which are known say how popular it may be.
    by_year = np.array(
        [takers[(years == year) & ~cold].sum() / max(((years == year) & ~cold).sum(), 1) for year in years]
    )
    ways = {
        "content": content.scores(train),
        "their year": np.tile(by_year, (train.shape[0], 1)),
        "chance": random.random(train.shape),
    }
    warm = np.tile(~cold, (train.shape[0], 1))
    return {name: ndcg(top_lists(scores, k=K, left_out=warm), relevant) for name, scores in ways.items()}


def cold_user_figures(data: Path, *, seed: int) -> list[Figure]:
    """nDCG@10 for users whom no model was fitted on, by how many of their ratings are known."""
    events = ratings(data)
    content = film_content(data, events.items)
    order = np.random.default_rng(seed).permutation(len(events.users))
    count = round(NEW_USERS_SHARE * len(order))
    new, tried, rest = order[:count], order[count : 2 * count], order[2 * count :]
    known = events.rows(np.isin(events.user_numbers, rest))
    # Weights are learned on users of the training part, of whom as little is known.
    models = [*fitted(known), content]
    final = [*fitted(events.rows(~np.isin(events.user_numbers, new))), content]
    figures = []
    for rated in RATED:
        weights = learn_weights([few_rated(events, models, tried, rated=rated, seed=seed)], k=K)
        trial = few_rated(events, final, new, rated=rated, seed=seed)
        blend = Blend(tuple(final), weights)
        ways = {"popularity": trial.scores[0], "content": trial.scores[-1], "blend": blend.scores(trial.histories)}
        values = {
            name: ndcg(top_lists(scores, k=K, left_out=trial.histories), trial.relevant)
            for name, scores in ways.items()
        }
        for name, own in values.items():
            figures.append(shown(f"users of {rated} ratings, {name}: nDCG@10, {span(mean_interval(own))}", own.mean()))
        gain = paired_interval(values["blend"], values["popularity"])
        figures.append(shown(f"users of {rated} ratings, blend over popularity: nDCG@10, {span(gain)}", gain.mean))
    return figures


def few_rated(events: Interactions, models: Sequence[Any], users: np.ndarray, *, rated: int, seed: int) -> Trial:
    """Of each of some users so many ratings, drawn at random, are known, and the others are to be found."""
    random = np.random.default_rng([seed, rated])
    whole = events.matrix()[users]
    known = np.zeros(whole.shape, np.float32)
    for row in range(len(users)):
        own = random.permutation(whole[row].indices)[:rated]
        known[row, own] = whole[row].toarray()[0, own]
    relevant = whole.toarray() * (known == 0)
    return make_trial(models, sp.csr_matrix(known), relevant)


def film_content(data: Path, films: Sequence[str]) -> Content:
    """The films by what they are, in the order of their ids."""
    described = {str(film["movie_id"]): film for film in film_rows(data)}
    rows = [described[film] for film in films]
    texts = [f"{film['title']}. {said(film, 'Genre')}. {said(film, 'Plot')}" for film in rows]
    fields = {
        "text": text_vectors(texts),
        "genres": rare_first([names(film, "Genre") for film in rows]),
        "people": rare_first([names(film, "Director", "Writer", "Actors") for film in rows]),
    }
    return make_content(fields, weights=FIELD_WEIGHTS, mean_share=MEAN_SHARE)


def film_rows(data: Path) -> list[dict[str, Any]]:
    """The metadata of all films."""
    with (data / FOLDER / "metadata.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def film_years(data: Path, films: Sequence[str]) -> np.ndarray:
    """The year in each film's title, 0 where there is none."""
    titles = {str(film["movie_id"]): film["title"] for film in film_rows(data)}
    years = [titles[film].rstrip()[-5:-1] for film in films]
    return np.array([int(year) if year.isdigit() else 0 for year in years])


def said(film: Mapping[str, Any], key: str) -> str:
    """A value, empty where nothing is known."""
    value = film.get(key)
    return "" if value in {None, "N/A"} else str(value)


def names(film: Mapping[str, Any], *keys: str) -> list[str]:
    """The names in lists with commas, without what stands in brackets after them."""
    parts = [part.split("(")[0].strip() for key in keys for part in said(film, key).split(",")]
    return sorted({part for part in parts if part})


def rare_first(words: Sequence[Sequence[str]]) -> np.ndarray:
    """TF-IDF [rows, words] of words that two or more rows have."""
    holders = Counter(word for own in words for word in own)
    places = {word: place for place, word in enumerate(sorted(word for word, n in holders.items() if n > 1))}
    found = np.zeros((len(words), len(places)), np.float32)
    for row, own in enumerate(words):
        for word in own:
            if word in places:
                found[row, places[word]] = np.log(len(words) / holders[word])
    return found


def text_vectors(texts: Sequence[str]) -> np.ndarray:
    """Texts by the packaged MiniLM, [texts, 384]."""
    from benchmarks.retrieval_encoder import peer

    return np.asarray(peer().encode(list(texts), batch_size=64, show_progress_bar=False), np.float32)


def over_draws(values: Sequence[np.ndarray]) -> np.ndarray:
    """Each user's mean over draws, NaN where no draw held out a film of theirs."""
    stacked = np.array(values)
    counts = np.isfinite(stacked).sum(axis=0)
    return np.asarray(np.nansum(stacked, axis=0) / np.where(counts, counts, np.nan))
