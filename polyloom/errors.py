"""Every error that polyloom raises on purpose.

    PolyloomError              the work failed                              exit code 1
    ├── DataError              the data cannot be used as it is
    │   └── QuarantineError    more rows were refused than the scenario allows
    ├── IntegrityError         a stored file or digest is not what was recorded
    ├── RegistryError          the registry or its ledger refused a change
    ├── RequestError           what was asked for is wrong                  exit code 2
    │   ├── ScenarioError      the scenario file is wrong; names the path in the file
    │   ├── WeightsError       the weights asked for cannot be had
    │   └── FilterError        a `--where` filter that cannot be understood
    └── GateRefusedError       the challenger did not pass the gate         exit code 3

Each message says what came in, what is allowed and what to do next.
"""

import difflib
from collections.abc import Iterable


class PolyloomError(Exception):
    """Base of all polyloom errors; `exit_code` is what the command line ends with."""

    exit_code = 1


class DataError(PolyloomError):
    """The data cannot be used as it is."""


class QuarantineError(DataError):
    """More rows were refused than `quarantine.max_share` allows."""


class IntegrityError(PolyloomError):
    """A stored file or digest is not what was recorded."""


class RegistryError(PolyloomError):
    """The registry or its ledger refused a change."""


class RequestError(PolyloomError):
    """What was asked for is wrong."""

    exit_code = 2


class ScenarioError(RequestError):
    """The scenario file is wrong."""


class WeightsError(RequestError):
    """The weights asked for cannot be had."""


class FilterError(RequestError):
    """A filter that cannot be understood."""


class GateRefusedError(PolyloomError):
    """The challenger did not pass the gate."""

    exit_code = 3


def suggestion(word: str, known: Iterable[str]) -> str:
    """The sentence " Did you mean 'x'?" for the known word nearest to `word`, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
