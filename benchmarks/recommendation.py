"""What to offer to whom: `python -m benchmarks.recommendation [--part movielens speed] [--seeds 31 32 33] --json`.

- `movielens`: MovieLens-100k, 75% of the ratings at random learned from, nDCG@10 (`recommendation_movielens`);
- `latest`: the same data, each user's latest rating held out;
- `cold`: films that nobody rated and users of one, three and five ratings (`recommendation_cold`);
- `rooms`: IKEA products that stand together, by text and picture (`recommendation_rooms`);
- `towers`: the two-tower model on the splits of `movielens`, alone and in the blend (`recommendation_towers`);
- `speed`: one user among 100,000 items, through a release's index and learned order (`recommendation_speed`).

Settings of the models were chosen on tenths held out of the training parts of seeds 21 to 23. What each model counts
in the blend is learned anew for each seed, within its training part.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.recommendation_cold import cold_film_figures, cold_user_figures
from benchmarks.recommendation_movielens import last_out_figures, random_split_figures
from benchmarks.recommendation_rooms import room_figures
from benchmarks.recommendation_speed import speed_figures
from benchmarks.recommendation_towers import tower_figures
from benchmarks.training import PICTURE_WEIGHTS

PARTS = ("movielens", "latest", "cold", "rooms", "towers", "speed")


def main() -> None:
    """Run the parts that are asked for and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data and asked.part != ["speed"]:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data sets movielens_100k and ikea_products.")
    folder = Path(data or ".")
    weights = asked.picture_weights or folder.parent / "weights" / PICTURE_WEIGHTS
    figures = [figure for part in asked.part for figure in figures_of(part, folder, weights=weights, seeds=asked.seeds)]
    sys.exit(show("recommendation", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33], help="a draw each")
    parser.add_argument("--picture-weights", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def figures_of(part: str, data: Path, *, weights: Path, seeds: Sequence[int]) -> list[Figure]:
    """The figures of one part."""
    parts: dict[str, Callable[[], list[Figure]]] = {
        "movielens": lambda: random_split_figures(data, seeds=seeds, tell=tell),
        "latest": lambda: last_out_figures(data, seed=seeds[0]),
        "cold": lambda: cold_film_figures(data, seeds=seeds) + cold_user_figures(data, seed=seeds[0]),
        "rooms": lambda: room_figures(data, weights, seeds=seeds),
        "towers": lambda: tower_figures(data, seeds=seeds, tell=tell),
        "speed": lambda: speed_figures(seed=seeds[0], tell=tell),
    }
    return parts[part]()


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
