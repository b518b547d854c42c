"""The rows on which polyloom and AutoGluon are compared: drawn from public data sets, the same for both sides.

`DATA` is the folder that `POLYLOOM_DATA` names. A case is written as one folder: `case.json` and the rows of `train`,
`validation` and `test` as JSON Lines. The validation rows are cut from the rows that a case is named after, by
AutoGluon's own default share (`autogluon.multimodal.data.utils.default_holdout_frac`), and are given to both sides;
test rows come from the data set's own test file where it has one. The draw depends on the seed alone.
"""

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

Row = dict[str, object]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is to be learned from the rows: `kind` is classification or token_classification.

    `texts` and `picture` are the columns that are read, `label` the one that is predicted; `epochs` is what both sides
    get. A row of token_classification has `tokens` and `tags`, lists of one length.
    """

    name: str
    kind: str
    label: str
    texts: tuple[str, ...] = ()
    picture: str | None = None
    metric: str
    epochs: int
    max_tokens: int = 128
    picture_size: int = 224

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The case of a folder that `write_case` wrote."""
        facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        return cls(**{**facts, "texts": tuple(facts["texts"])})


@dataclass(frozen=True)
class Drawn:
    """A case and its rows by split."""

    case: Case
    rows: Mapping[str, Sequence[Row]]


def banking(data: Path, *, rows: int, seed: int, folder: Path) -> Drawn:  # noqa: ARG001
    """Queries of bank customers, 77 intents, as many rows an intent as can be; all 3,080 test rows."""
    case = Case(
        name=f"banking77_{rows}",
        kind="classification",
        label="category",
        texts=("text",),
        metric="accuracy",
        epochs=3,
    )
    known = read_csv(data / "banking77" / "train.csv")
    drawn = balanced(known, rows, key=lambda row: str(row["category"]), seed=seed)
    return Drawn(case, {**held_out(drawn, label="category", seed=seed), "test": read_csv(data / "banking77/test.csv")})


def phrasebank(data: Path, *, seed: int, folder: Path) -> Drawn:  # noqa: ARG001
    """Financial sentences, three tones, repeated sentences out; a fifth of each tone is the test."""
    case = Case(
        name="phrasebank", kind="classification", label="tone", texts=("sentence",), metric="macro_f1", epochs=2
    )
    lines = (data / "financial_phrasebank" / "Sentences_50Agree.txt").read_text(encoding="latin-1").splitlines()
    tones: dict[str, str] = {}
    for line in lines:
        sentence, _, tone = line.rpartition("@")
        tones.setdefault(sentence.strip(), tone.strip())
    rows: list[Row] = [{"sentence": sentence, "tone": tone} for sentence, tone in tones.items()]
    rest, test = cut(rows, share=0.2, key=lambda row: str(row["tone"]), seed=seed)
    return Drawn(case, {**held_out(rest, label="tone", seed=seed), "test": test})


def conll(data: Path, *, sentences: int, test_sentences: int, seed: int, folder: Path) -> Drawn:  # noqa: ARG001
    """News sentences with entity tags, of at most 80 words, so that no word lies beyond the 128 tokens of either side.

    The test is a draw from the data set's test file.
    """
    case = Case(
        name=f"conll2003_{sentences}",
        kind="token_classification",
        label="tags",
        texts=("tokens",),
        metric="entity_f1",
        epochs=2,
    )
    folder_of_set = data / "conll2003"
    known = drawn_at_random(read_conll(folder_of_set / "train.txt"), sentences, seed=seed)
    test = drawn_at_random(read_conll(folder_of_set / "test.txt"), test_sentences, seed=seed)
    train, validation = cut(known, share=holdout_share(len(known)), key=lambda _: 0, seed=seed)
    return Drawn(case, {"train": train, "validation": validation, "test": test})


def fashion(data: Path, *, rows: int, test_rows: int, seed: int, folder: Path) -> Drawn:
    """Small grey pictures of clothes, ten kinds, as many rows a kind as can be."""
    case = Case(
        name=f"fashion_mnist_{rows}", kind="classification", label="kind", picture="image", metric="accuracy", epochs=2
    )
    known = balanced(pictures(data, "train"), rows, key=lambda row: str(row["kind"]), seed=seed)
    test = balanced(pictures(data, "test"), test_rows, key=lambda row: str(row["kind"]), seed=seed)
    parts = {**held_out(known, label="kind", seed=seed), "test": test}
    return Drawn(case, {split: [written(row, folder) for row in part] for split, part in parts.items()})


def ikea(data: Path, *, seed: int, folder: Path, folds: int = 4) -> Drawn:
    """Products by texts and picture: the head noun of what each is, of the nouns that at least 12 products have.

    One of four folds is the test. Folds are of names, and so is the cut of the validation rows: variants of one product
    share their texts, and some their picture.
    """
    from ingestion.head_nouns import LEAST_ROWS, SOURCE, TEXT_COLUMNS, head_noun

    case = Case(
        name="ikea",
        kind="classification",
        label="noun",
        texts=TEXT_COLUMNS,
        picture="image",
        metric="accuracy",
        epochs=3,
    )
    products = read_rows(data / "ikea_products" / SOURCE)
    nouns = Counter(head_noun(str(row["type"])) for row in products)
    rows: list[Row] = [
        {
            **{column: row[column] or "" for column in TEXT_COLUMNS},
            "name": row["name"],
            "noun": noun,
            "image": f"pictures/{Path(str(row['picture'])).name}",
            "png": (data / "ikea_products" / str(row["picture"])).read_bytes(),
        }
        for row in products
        if nouns[noun := head_noun(str(row["type"]))] >= LEAST_ROWS
    ]
    rest, test = cut_by_group(rows, share=1 / folds, group="name", seed=seed)
    train, validation = cut_by_group(rest, share=holdout_share(len(rest)), group="name", seed=seed)
    parts = {"train": train, "validation": validation, "test": test}
    return Drawn(case, {split: [written(row, folder) for row in part] for split, part in parts.items()})


def cut_by_group(rows: Sequence[Row], *, share: float, group: str, seed: int) -> tuple[list[Row], list[Row]]:
    """The rows without, and with, a share of the groups; all rows of a group are on one side."""
    names = shuffled([{"name": name} for name in sorted({str(row[group]) for row in rows})], seed=seed)
    taken = {row["name"] for row in names[: round(share * len(names))]}
    return [row for row in rows if row[group] not in taken], [row for row in rows if row[group] in taken]


def read_csv(path: Path) -> list[Row]:
    """All rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]


def read_conll(path: Path, *, most_words: int = 80) -> list[Row]:
    """Sentences of one word a line (word first, BIO tag last), blank lines between; document marks left out."""
    rows: list[Row] = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line.split() for line in block.splitlines() if line.strip()]
        if lines and lines[0][0] != "-DOCSTART-" and len(lines) <= most_words:
            rows.append({"tokens": [line[0] for line in lines], "tags": [line[-1] for line in lines]})
    return rows


def pictures(data: Path, split: str) -> list[Row]:
    """Fashion-MNIST's rows: `png` is the picture, `image` the file in the case's folder that it is to become."""
    import pyarrow.parquet as pq

    table = pq.read_table(data / "fashion_mnist" / f"fashion_mnist_{split}.parquet", columns=["label", "file", "png"])
    return [
        {"kind": f"kind {row['label']}", "image": f"pictures/{split}-{number}.png", "png": row["png"]}
        for number, row in enumerate(table.to_pylist())
    ]


def written(row: Row, folder: Path) -> Row:
    """The row with its picture as a file."""
    path = folder / str(row["image"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(row["png"]))  # type: ignore[arg-type]
    return {key: value for key, value in row.items() if key != "png"}


def holdout_share(rows: int) -> float:
    """AutoGluon's default share of validation rows."""
    return max(0.1, min(0.2, 500.0 / rows)) if rows < 5000 else max(0.01, min(0.1, 2500.0 / rows))


def held_out(rows: Sequence[Row], *, label: str, seed: int) -> dict[str, list[Row]]:
    """Training and validation rows, each class in both by the same share."""
    train, validation = cut(rows, share=holdout_share(len(rows)), key=lambda row: str(row[label]), seed=seed)
    return {"train": train, "validation": validation}


def cut(rows: Sequence[Row], *, share: float, key: Callable[[Row], Hashable], seed: int) -> tuple[list[Row], list[Row]]:
    """The rows without, and with, a share of each class (rounded; at least one row stays)."""
    kept: list[Row] = []
    taken: list[Row] = []
    for members in classes(rows, key=key, seed=seed).values():
        count = min(round(share * len(members)), len(members) - 1)
        taken += members[:count]
        kept += members[count:]
    return shuffled(kept, seed=seed), shuffled(taken, seed=seed)


def balanced(rows: Iterable[Row], count: int, *, key: Callable[[Row], Hashable], seed: int) -> list[Row]:
    """`count` rows, one from each class in turn."""
    groups = list(classes(rows, key=key, seed=seed).values())
    deepest = max(len(group) for group in groups)
    order = [group[place] for place in range(deepest) for group in groups if place < len(group)]
    return order[:count]


def drawn_at_random(rows: Sequence[Row], count: int, *, seed: int) -> list[Row]:
    """`count` rows without regard to their class."""
    return shuffled(rows, seed=seed)[:count]


def classes(rows: Iterable[Row], *, key: Callable[[Row], Hashable], seed: int) -> dict[Hashable, list[Row]]:
    """The rows of each class, shuffled; classes in the order in which they first come."""
    found: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return {name: shuffled(members, seed=seed) for name, members in found.items()}


def shuffled(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """A shuffled copy."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order


def write_case(folder: Path, drawn: Drawn) -> None:
    """Write a case's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps(asdict(drawn.case), indent=2), encoding="utf-8")
    for split in SPLITS:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in drawn.rows[split]]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """The rows of one split of a case's folder."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
