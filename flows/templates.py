"""`polyloom init`: a commented scenario and a few rows of data beside it, which run as they stand."""

import csv
import io
import re
from pathlib import Path

from flows.spec_section import NAME_PATTERN
from polyloom.durable import replace_file
from polyloom.errors import RequestError

TEMPLATE = """\
# A polyloom scenario: one application, from raw rows to a released model with its index.
# Run it:      polyloom run {name}.yaml
# Check it:    polyloom validate {name}.yaml
# One change:  polyloom run {name}.yaml --set recipe.epochs=5

name: {name}                     # small letters, digits and _; also the name in the registry
title: Tone of short reviews

data:
  reviews:                       # as many sources as you like, each with a name of yours
    kind: table                  # or `pictures`: a folder with one folder for each class
    path: {name}.csv             # CSV, TSV, JSONL or Parquet; or {{train: a.csv, test: b.csv}}
    key: id                      # without one, a row is known by its content
    text: [text]                 # columns that text modalities read; several are joined
    columns: {{tone: category, stars: number}}    # number, category, labels, text or time

modalities:                      # what the tasks see
  words: {{kind: characters}}      # needs no weights, reads every script
  # text:    {{kind: text, model: sentence-transformers/all-MiniLM-L6-v2, weights: packaged}}
  # picture: {{kind: image, model: resnet18, weights: hub}}      needs `image: COLUMN` above
  # stars:   {{kind: number}}

fusion: {{kind: concat}}           # or gated

tasks:
  tone: {{kind: classification, target: tone}}    # a `labels` column makes it multilabel

recipe:
  strategy: frozen               # encoders as they are, embedded once; or full: fine-tune them
  epochs: 20
  patience: 5                    # stop when the validation figure has not risen for so many epochs
  learning_rate: 0.01
  seed: 7

index: {{rows: reviews, embed: [words], show: [text, tone]}}    # what `polyloom search` finds

gate: {{metric: tone.accuracy}}    # a challenger must not be worse than the champion in this

quarantine: {{max_share: 0.05}}    # more refused rows than this stop the run
# monitor: {{schedule: "0 3 * * *"}}    every night at three, after `polyloom deploy`
"""
SUBJECTS = ("the lamp", "the chair", "this mug", "the delivery", "the bag", "their help desk", "the clock", "this book")
OPINIONS = (
    ("good", 5, "I love {subject}, it is better than I hoped"),
    ("good", 4, "{subject} works well and looks great"),
    ("good", 5, "very happy with {subject}, would buy again"),
    ("good", 4, "excellent quality, {subject} is a joy"),
    ("bad", 1, "{subject} broke after two days, very disappointed"),
    ("bad", 2, "I regret buying {subject}, poor quality"),
    ("bad", 1, "terrible, {subject} did not work at all"),
    ("bad", 2, "{subject} is a waste of money, sending it back"),
)


def write_scenario(name: str, *, folder: Path) -> Path:
    """Write `NAME.yaml` and `NAME.csv`. Raises RequestError for a name that cannot be, or files that are there."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise RequestError(f"{name!r} is not a scenario's name: small letters, digits and '_', a letter first.")
    scenario, rows = folder / f"{name}.yaml", folder / f"{name}.csv"
    for path in (scenario, rows):
        if path.exists():
            raise RequestError(f"{path} is there already and is not overwritten. Choose another name, or move it.")
    replace_file(rows, example_rows().encode())
    replace_file(scenario, TEMPLATE.format(name=name).encode())
    return scenario


def example_rows() -> str:
    """Made-up reviews as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "text", "tone", "stars"])
    reviews = [(subject, *opinion) for subject in SUBJECTS for opinion in OPINIONS]
    for number, (subject, tone, stars, sentence) in enumerate(reviews, start=1):
        writer.writerow([number, sentence.format(subject=subject).capitalize(), tone, stars])
    return text.getvalue()
