"""Heads that grow: weights that were fitted for some labels, put among those of a head that knows more."""

from collections.abc import Mapping, Sequence

from torch import Tensor

# The tensors of a classification task whose first axis is the labels.
LABEL_ROWS = ("head.linear.weight", "head.linear.bias")


def with_new_labels(
    saved: Mapping[str, Tensor], fresh: Mapping[str, Tensor], *, known: Sequence[str], labels: Sequence[str]
) -> dict[str, Tensor]:
    """Tensors by name for a head over `labels`: saved ones of those `known` before, fresh ones of the others."""
    places = {label: place for place, label in enumerate(labels)}
    both = [(place, places[label]) for place, label in enumerate(known) if label in places]
    old, new = [one for one, _ in both], [other for _, other in both]
    found = dict(saved)
    for name in saved:
        if name.endswith(LABEL_ROWS):
            grown = fresh[name].clone()
            grown[new] = saved[name][old].to(grown)
            found[name] = grown
    return found
