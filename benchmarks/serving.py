"""`polyloom serve` under load: `python -m benchmarks.serving --json`, or `--part` for some of it.

`throughput` beside `mlflow models serve` of the same release, `switching` of champions under load, `overload` of ten
times the capacity, `replay` of what was served, `start`. All of it on this machine alone: the load comes from a
process beside the server, which takes its share of the processor. The releases are those of the demo, made in
`bench/serving` of the state folder where they are not there yet; with `--set` in a folder beside it.
"""

import argparse
import sys

from benchmarks.figures import Figure, show

PARTS = ("start", "throughput", "overload", "replay", "switching")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--set",
        nargs="+",
        default=(),
        metavar="KEY=VALUE",
        dest="changes",
        help="Changes of the scenario `support`, such as export.runtime=openvino_bf16.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="How often each side of `throughput` has its turn.")
    parser.add_argument("--seconds", type=float, default=15.0, help="How long such a turn is.")
    parser.add_argument("--peer-workers", type=int, help="Processes of the peer; by default as MLflow has it, one.")
    parser.add_argument("--minutes", type=float, default=10.0, help="How long champions switch.")
    parser.add_argument("--overload-seconds", type=float, default=120.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sys.exit(show("serving", figures(asked), as_json=asked.json))


def figures(asked: argparse.Namespace) -> list[Figure]:
    """Of the parts that are asked for, in an order that leaves the champion of the scenario for those who need it."""
    # A process of the generator reads this module again, and needs none of these.
    from benchmarks.serving_home import serving_home
    from benchmarks.serving_overload import overload_figures
    from benchmarks.serving_replay import replay_figures
    from benchmarks.serving_start import start_figures
    from benchmarks.serving_switching import switching_figures
    from benchmarks.serving_throughput import throughput_figures

    home = serving_home(asked.changes)
    parts = {
        "start": lambda: start_figures(home),
        "throughput": lambda: throughput_figures(
            home, rounds=asked.rounds, seconds=asked.seconds, workers=asked.peer_workers
        ),
        "overload": lambda: overload_figures(home, seconds=asked.overload_seconds),
        "replay": lambda: replay_figures(home),
        "switching": lambda: switching_figures(home, minutes=asked.minutes),
    }
    return [figure for name in PARTS if name in asked.part for figure in parts[name]()]


if __name__ == "__main__":
    main()
