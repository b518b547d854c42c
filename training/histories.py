"""Who took what, in the order of time: the events that a ranking learns from, and what came before each."""

from dataclasses import dataclass
from typing import Self

import numpy as np

NOTHING = -1


@dataclass(frozen=True)
class Events:
    """`users` and `items` int64 [events], from old to new."""

    users: np.ndarray
    items: np.ndarray

    @classmethod
    def sorted_by_time(cls, users: np.ndarray, items: np.ndarray, times: np.ndarray) -> Self:
        """Events in the order of their times; those of one moment stay as they came."""
        order = np.argsort(times, kind="stable")
        return cls(users=users[order].astype(np.int64), items=items[order].astype(np.int64))

    def __len__(self) -> int:
        return len(self.items)

    def rows(self, chosen: np.ndarray) -> "Events":
        """Some events; `chosen` is a mask or numbers."""
        return Events(users=self.users[chosen], items=self.items[chosen])


def leave_last_out(events: Events) -> tuple[Events, Events]:
    """All events but each user's last, and these last ones; a user of one event keeps it in the first part."""
    _, newest = np.unique(events.users[::-1], return_index=True)
    last = np.zeros(len(events), dtype=bool)
    last[len(events) - 1 - newest] = True
    alone = np.bincount(events.users) == 1
    last &= ~alone[events.users]
    return events.rows(~last), events.rows(last)


def histories(events: Events, *, longest: int) -> np.ndarray:
    """What each event's user took before it, the newest first, int64 [events, longest]; -1 where there is no more."""
    order = np.argsort(events.users, kind="stable")
    users, items = events.users[order], events.items[order]
    sorted_rows = np.full((len(events), longest), NOTHING, dtype=np.int64)
    for back in range(1, min(longest, len(events) - 1) + 1):
        same = users[back:] == users[:-back]
        sorted_rows[back:, back - 1] = np.where(same, items[:-back], NOTHING)
    found = np.empty_like(sorted_rows)
    found[order] = sorted_rows
    return found


def newest_items(events: Events, *, users: int, longest: int) -> np.ndarray:
    """What each user took last, the newest first, int64 [users, longest]; -1 where there is no more."""
    asking = Events(
        users=np.concatenate([events.users, np.arange(users)]),
        items=np.concatenate([events.items, np.zeros(users, np.int64)]),
    )
    return histories(asking, longest=longest)[len(events) :]


def taken(events: Events, *, users: int, items: int) -> np.ndarray:
    """Which items each user took, bool [users, items]."""
    mask = np.zeros((users, items), dtype=bool)
    mask[events.users, events.items] = True
    return mask
