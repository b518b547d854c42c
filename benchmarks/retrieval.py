"""All that is measured of retrieval: `python -m benchmarks.retrieval [--part kills million ...] --json`.

Each part is a program of its own, `python -m benchmarks.retrieval_PART`, with more options; here they run one after the
other in processes of their own, and their figures are shown together.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import Figure, show

PARTS = {
    "kills": "1,000 times `kill -9` while an index changes",
    "million": "a million vectors: time, memory, recall, filters, upserts, beside exact Flat and the bare faiss call",
    "quality": "vectors, words and both on Cranfield, XQuAD and a bank's FAQ; Chinese questions to their best replies",
    "encoding": "the rate of encoding beside sentence-transformers, and what int8 costs",
    "pictures": "words that find pictures and pictures that find words, on flickr8k_1000",
}


def main() -> None:
    """Run the parts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(PARTS), nargs="+", default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = [figure for part in asked.part for figure in figures_of(part)]
    sys.exit(show("retrieval", figures, as_json=asked.json))


def figures_of(part: str) -> list[Figure]:
    """The figures of one part; one that could not be measured is a figure that is not met."""
    print(f"{part}: {PARTS[part]}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.retrieval_{part}", "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        told: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return [Figure(name=f"{part}: not measured", value=ended.returncode, unit="exit code", goal="0", met=False)]
    return [Figure(**{**figure, "name": f"{part}: {figure['name']}"}) for figure in told["figures"]]


if __name__ == "__main__":
    main()
