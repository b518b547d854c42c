"""Fits that end in the middle, as a killed process would."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from training.fitting import Fitting


class KilledError(Exception):
    """A process that is gone."""


@contextmanager
def killed_in(folder: str, *, step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block the fit whose checkpoints lie below `folder` dies at this step; the block must meet that."""
    plain = Fitting.step

    def dying(self: Fitting, group: list, *, total: int) -> None:
        if self.position.step == step and folder in str(self.folder):
            raise KilledError
        plain(self, group, total=total)

    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "step", dying)
        with pytest.raises(KilledError):
            yield
