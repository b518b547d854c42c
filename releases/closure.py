"""Which modules a release needs to answer, and what these import from outside: found in the source, by its imports.

An import inside a function is late: what only late imports reach is needed by some releases and not by others.
"""

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# All packages of this code base, so that one which must not travel is noticed and not taken for a foreign one.
OWN = ("polyloom", "ingestion", "modalities", "heads", "training", "retrieval", "releases", "flows", "ui")
ROOT = "releases.pyfunc_model"
IMPORT = re.compile(rf"^(\s*)(from|import) ({'|'.join(OWN)})(?=[. ])", re.MULTILINE)


@dataclass(frozen=True)
class Closure:
    """Modules by name with their files; `eager` are foreign packages that importing the root needs, `late` others."""

    modules: dict[str, Path]
    eager: frozenset[str]
    late: frozenset[str]

    @property
    def digest(self) -> str:
        """SHA-256 over the names and the contents of all modules."""
        content = hashlib.sha256()
        for name, path in sorted(self.modules.items()):
            content.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return content.hexdigest()


@functools.cache
def closure(root: str = ROOT) -> Closure:
    """Everything that a module reaches, over however many imports."""
    modules: dict[str, Path] = {}
    foreign: dict[bool, set[str]] = {True: set(), False: set()}
    reached: dict[str, bool] = {}
    waiting = [(root, True)]
    while waiting:
        name, eager = waiting.pop()
        if reached.get(name) or (name in reached and not eager):
            continue
        reached[name] = eager
        modules[name] = source_of(name)
        for imported, at_once in imports(modules[name]):
            if imported.partition(".")[0] in OWN:
                waiting.append((imported, eager and at_once))
            else:
                foreign[eager and at_once].add(imported.partition(".")[0])
    outside = {eager: names - set(sys.stdlib_module_names) for eager, names in foreign.items()}
    return Closure(modules, frozenset(outside[True]), frozenset(outside[False] - outside[True]))


def source_of(module: str) -> Path:
    """A module's file."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports, and whether at once; what only type checkers read is left out."""
    yield from _imports(ast.parse(path.read_bytes()), at_once=True)


def moved(source: str, *, into: str) -> str:
    """A module's source whose imports look for this code base's packages inside the package `into`."""
    return IMPORT.sub(rf"\1\2 {into}.\3", source)


def _imports(node: ast.AST, *, at_once: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_once) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from _named(child, at_once=at_once)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        else:
            late = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, at_once=at_once and not late)


def _named(node: ast.ImportFrom, *, at_once: bool) -> Iterator[tuple[str, bool]]:
    """`from package import module` names a module, `from module import thing` does not."""
    assert node.module is not None
    if node.module.partition(".")[0] not in OWN:
        yield node.module, at_once
        return
    for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        is_package = source_of(node.module).name == "__init__.py"
        yield (inner if is_package and importlib.util.find_spec(inner) else node.module), at_once
