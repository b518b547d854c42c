"""One hit for each group, such as one answer for all the wordings of its question."""

from collections.abc import Callable, Hashable, Iterable

from polyloom.errors import RequestError


def best_per_group(
    ranking: Iterable[tuple[str, float]], *, group_of: Callable[[str], Hashable | None], k: int
) -> list[tuple[str, float]]:
    """The best hit of each of the first k groups in `ranking` (best first); an item without a group is its own.

    Raises: RequestError when k < 1.
    """
    if k < 1:
        raise RequestError(f"k is {k}; ask for at least 1 hit.")
    kept: dict[tuple[bool, Hashable], tuple[str, float]] = {}
    for hit in ranking:
        group = group_of(hit[0])
        kept.setdefault((group is None, hit[0] if group is None else group), hit)
        if len(kept) == k:
            break
    return list(kept.values())
