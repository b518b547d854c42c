"""pyarrow without pandas, for a process that starts often and has no data frames.

pyarrow imports pandas, which takes over a second, to see whether what it is handed is pandas' own. It looks for it
once: where it finds none, as on a machine without pandas, it does not look again.
"""

import sys


class NoPandas:
    """A finder of modules that finds no pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Nothing, as for a module that others may know. Raises: ModuleNotFoundError for pandas."""
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def leave_pandas_out() -> None:
    """Let pyarrow take this process for one without pandas. Nothing is done where pandas is imported already."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    finder = NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
