"""Answer or hand over: `python -m benchmarks.answers [--part selective xquad] --json`.

`selective`: at most 5% of the answers given may be wrong, promised with confidence 0.9. Over 200 resplits of questions
whose right answer is known, half calibrate and the other half counts; at most one resplit in ten may break the promise.
The questions: banking77's test questions look for the nearest training question, right when that has the same intent
(the confidence is fitted on training questions asked of the other ones). A bank's FAQ has one question for an answer,
so it is asked in two ways: each question looks for its own answer's text, without questions in the index, which is
hard; and each question, held out, looks for the nearest other question, right when that is of the same class, which
says no more than the right desk. The shop's help desk: each wording, held out, looks for another one of the same
answer, English and Chinese in one index; off-topic questions are asked too, and no answer to these is right. Where
there are no rows to fit the confidence on, three tenths of the calibration half do, and choose no threshold.

`xquad`: English paragraphs cut into passages, 1,190 questions: the first passage holds the answer, and the sentence
read in it does. Then half of the questions, drawn anew for each resplit, are asked without their paragraph in the
index, so that none of the other passages is right; half of the paragraphs calibrate, the other half counts.

Vectors are MiniLM's exported graph, words BM25, joined as in a release.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.answers_selective import selective_figures
from benchmarks.answers_sets import SETS
from benchmarks.answers_xquad import xquad_figures
from benchmarks.figures import Figure, show

SELECTIVE, XQUAD = "selective", "xquad"


def main() -> None:
    """Ask, resplit, and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with banking77, bank_faq_hdfc and xquad.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = str(asked.home or Path(place) / "home")
        for part in asked.part:
            folder = Path(place) / part
            if part == SELECTIVE:
                figures += selective_figures(Path(data), folder, sets=asked.set, resplits=asked.resplits)
            else:
                figures += xquad_figures(Path(data), folder, resplits=asked.resplits)
    sys.exit(show("answers", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=[SELECTIVE, XQUAD], nargs="+", default=[SELECTIVE, XQUAD])
    parser.add_argument("--set", choices=list(SETS), nargs="+", default=list(SETS), help="of the part selective")
    parser.add_argument("--resplits", type=int, default=200)
    parser.add_argument("--home", type=Path, help="keep vectors there from run to run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
