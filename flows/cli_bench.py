"""The command `bench`: what a checkout can measure of itself."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from flows.cli_options import AS_JSON
from flows.cli_output import table
from polyloom.errors import RequestError, suggestion

BENCHES = {
    "ingestion": "a million rows against DuckDB, pictures against a bare decoding loop, memory, and 1% appended",
    "ingestion_kills": "1,000 times `kill -9` at random moments of an ingestion",
    "training": "fits against AutoGluon-MultiModal: metric, time, memory (AUTOGLUON_PYTHON names its interpreter)",
    "ikea_fusion": "text, picture and both over grouped folds of a catalogue, and both without the picture",
    "tuning": "what `polyloom tune` is worth on PhraseBank, on rows that it has not seen",
    "confidence": "calibration error, coverage of sets, and strangers among intents left out of training",
    "adversarial": "plain against adversarial training: accuracy on rows as they are and under the same attack",
    "pretraining": "what rows without labels are worth before 1,000 labelled ones: Chinese titles, clothes",
    "few_shot": "Banking77 with ten rows an intent: contrastive pairs, prototypes, a frozen head; and with none",
    "explanation": "whether what explanations name most important changes the answer more than anything else",
    "continual": "Banking77 in 7 steps of 11 intents: replay and others against one fit over all rows",
    "compression": "Banking77 by a distilled int8 student: accuracy and speed against its teacher; what pruning costs",
    "retrieval": "an index under kills, of a million vectors, its quality in two languages, words that find pictures",
    "recommendation": "MovieLens by the published protocol, what nobody took yet, rooms, and the time for one list",
    "answers": "whether the promised share of wrong answers holds over resplits; passages and sentences of XQuAD",
    "exploration": "regret of bandits in a simulated shop, and whether their logs tell what another policy is worth",
    "releases": "promotions at once and killed, rollback, what the gate lets pass, and registering a bundle of 1 GB",
    "serving": "the API beside `mlflow models serve`, under load, overload and switching champions, replayed, started",
    "kill_runs": "20 times `kill -9` at random moments of a whole run",
    "broken_inputs": "broken files through the whole command",
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@AS_JSON
def bench(name: str | None, options: Sequence[str], *, as_json: bool) -> None:
    """Measure NAME against its peers and its goals; without NAME, list what there is to measure.

    OPTIONS are the benchmark's own, such as --part.
    """
    if name is None:
        rows = [{"name": known, "measures": measures} for known, measures in BENCHES.items()]
        table(rows, title="Benchmarks", columns=["name", "measures"])
        return
    if name not in BENCHES:
        raise RequestError(f"bench: there is no {name!r}.{suggestion(name, BENCHES)} There are {', '.join(BENCHES)}.")
    command = [sys.executable, "-m", f"benchmarks.{name}", *options, *(["--json"] if as_json else [])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root()), os.environ.get("PYTHONPATH")])),
    }
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


def root() -> Path:
    """The checkout's folder. Raises RequestError where polyloom was installed without its benchmarks."""
    found = importlib.util.find_spec("benchmarks.figures") if importlib.util.find_spec("benchmarks") else None
    if found is None or found.origin is None:
        raise RequestError(
            "bench: the benchmarks are part of a checkout, and this is none. Clone polyloom, then `make`."
        )
    return Path(found.origin).parent.parent
