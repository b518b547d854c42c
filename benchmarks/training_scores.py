"""One judge for both sides: metrics over labels, and over entities as `[start, end, label]`, from plain lists."""

from collections.abc import Sequence

from benchmarks.training_rows import Case, Row

Entity = tuple[int, int, str]


def score(case: Case, rows: Sequence[Row], predictions: Sequence[object]) -> float:
    """The case's metric, 0 to 1, of predictions in the order of the rows."""
    if len(rows) != len(predictions):
        raise ValueError(f"{case.name}: {len(predictions)} predictions for {len(rows)} rows")
    if case.metric == "entity_f1":
        truth = [entities(row) for row in rows]
        return entity_f1(truth, [parts(given) for given in predictions])
    labels = [str(row[case.label]) for row in rows]
    given = [str(one) for one in predictions]
    return accuracy(labels, given) if case.metric == "accuracy" else macro_f1(labels, given)


def accuracy(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Share of right answers."""
    return sum(known == given for known, given in zip(truth, predicted, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean of the F1 of each class that is in the truth or among the predictions."""
    scores = []
    for label in sorted({*truth, *predicted}):
        right = sum(known == given == label for known, given in zip(truth, predicted, strict=True))
        scores.append(2 * right / (truth.count(label) + predicted.count(label)))
    return sum(scores) / len(scores)


def entity_f1(truth: Sequence[set[Entity]], predicted: Sequence[set[Entity]]) -> float:
    """F1 over entities: one counts as found where its start, end and label are all right (CoNLL-2003's rule)."""
    right = sum(len(known & given) for known, given in zip(truth, predicted, strict=True))
    wanted, found = sum(map(len, truth)), sum(map(len, predicted))
    return 2 * right / (wanted + found) if wanted + found else 1.0


def entities(row: Row) -> set[Entity]:
    """A row's entities by the characters of its words joined by spaces; an `I-` that continues nothing begins one."""
    words, tags = row["tokens"], row["tags"]
    if not isinstance(words, list) or not isinstance(tags, list):
        raise TypeError("tokens and tags are lists")
    found: list[Entity] = []
    place = 0
    for word, tag in zip(words, tags, strict=True):
        end = place + len(word)
        label = tag[2:]
        if tag.startswith("I-") and found and found[-1][1] == place - 1 and found[-1][2] == label:
            found[-1] = (found[-1][0], end, label)
        elif tag != "O":
            found.append((place, end, label))
        place = end + 1
    return set(found)


def parts(given: object) -> set[Entity]:
    """Entities as a side wrote them, `[[start, end, label], ...]`."""
    if not isinstance(given, list):
        raise TypeError(f"{given!r} is no list of entities")
    return {(int(start), int(end), str(label)) for start, end, label in given}
