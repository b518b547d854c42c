"""Data sets by name: found beside the scenario or in a data folder, made on demand, or fetched when asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyloom.durable import locked, publish_folder
from polyloom.errors import RequestError, suggestion
from polyloom.home import data_folders, home
from polyloom.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set that polyloom knows: `made` by its own code, `public` and fetched from `source`, or `derived`.

    A derived one is made from the data set `source`, which must lie in a data folder already.
    """

    name: str
    title: str
    licence: str
    source: str
    kind: Literal["made", "public", "derived"]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A known data set, and the folder in which it was found, if any."""

    data_set: DataSet
    found: Path | None


BANKING77 = (
    "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/"
    "57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/"
)
FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
SEMEVAL2010_TASK8 = (
    "https://raw.githubusercontent.com/TheOleGaffer/CausalExtractor/d5f1272baeb9ddadd47c50ebffdcc03f4ee93d55/"
)
XQUAD = "https://raw.githubusercontent.com/google-deepmind/xquad/60cac411649156efb6aab9dd4c9cde787a2c0345/"
OURS = "made by polyloom's own code; every row is invented"

DATA_SETS: Mapping[str, DataSet] = {
    one.name: one
    for one in (
        DataSet(
            name="shop",
            title="A made-up shop: products, pictures and shoppers' events",
            licence="Apache-2.0",
            source=OURS,
            kind="made",
        ),
        DataSet(
            name="support",
            title="A made-up help desk: questions and answers in English and Chinese",
            licence="Apache-2.0",
            source=OURS,
            kind="made",
        ),
        DataSet(
            name="handbook",
            title="A made-up shop's handbook: documents, and questions with their answers",
            licence="Apache-2.0",
            source=OURS,
            kind="made",
        ),
        DataSet(
            name="banking77",
            title="Customers' questions to a bank, 77 intents",
            licence="CC BY 4.0",
            source=BANKING77,
            kind="public",
        ),
        DataSet(
            name="fashion_mnist",
            title="Pictures of clothes, 28 x 28, 10 classes",
            licence="MIT",
            source=FASHION_MNIST,
            kind="public",
        ),
        DataSet(
            name="semeval2010_task8",
            title="Sentences with two marked nominals, 9 relations in both directions",
            licence="CC BY 3.0",
            source=SEMEVAL2010_TASK8,
            kind="public",
        ),
        DataSet(
            name="xquad",
            title="Questions on Wikipedia paragraphs with their answers (English part)",
            licence="CC BY-SA 4.0",
            source=XQUAD,
            kind="public",
        ),
        DataSet(
            name="ikea_nouns",
            title="Products with picture and texts, and the head noun of what each is, 26 of them",
            licence="non-commercial (pictures and texts are IKEA's)",
            source="ikea_products",
            kind="derived",
        ),
    )
}


def locate(path: str, *, beside: Path) -> Path:
    """The absolute path that a scenario's `path` means.

    It is looked for beside the scenario (`beside` is its file or its folder), then in each data folder,
    where its first component names the data set. A set that polyloom can make is made.

    Raises:
        RequestError: there is no such file; says where it was looked for and what to do.
    """
    given = Path(path).expanduser()
    folders = [beside.absolute() if beside.is_dir() else beside.absolute().parent]
    if not given.is_absolute():
        folders += data_folders()
    for folder in folders:
        if (folder / given).exists():
            return folder / given
    name = given.parts[0] if given.parts else path
    known = None if given.is_absolute() else DATA_SETS.get(name)
    if known is not None and known.kind != "public" and (found := _made(known) / Path(*given.parts[1:])).exists():
        return found
    raise RequestError(_not_found(path, name, known, folders))


def known_licence(path: str, *, beside: Path) -> str | None:
    """The licence of the data set that a scenario's `path` leads to; None for data of the scenario's own."""
    given = Path(path)
    if not given.parts or given.is_absolute() or (beside / given).exists():
        return None
    known = DATA_SETS.get(given.parts[0])
    return None if known is None else known.licence


def fetch(name: str, *, progress: Progress = SILENT, base_url: str | None = None) -> Path:
    """Fetch a public data set into the state folder, or make one of ours; gives its folder.

    `base_url` replaces the address of the public source, for a mirror.

    Raises:
        RequestError: there is no such data set, or the one that it is made from is not here.
        DataError: the source cannot be reached.
        IntegrityError: what came is not what was published.
    """
    data_set = DATA_SETS.get(name)
    if data_set is None:
        raise RequestError(
            f"{name!r} is not a known data set.{suggestion(name, DATA_SETS)} Known: {', '.join(DATA_SETS)}."
        )
    if data_set.kind != "public":
        return _made(data_set)
    from ingestion.public import fill

    return _published(name, lambda draft: fill(name, draft, base_url=base_url or data_set.source, progress=progress))


def catalogue() -> list[Listed]:
    """Every known data set, with where it was found."""
    return [Listed(data_set=one, found=_found(name)) for name, one in DATA_SETS.items()]


def _found(name: str) -> Path | None:
    return next((folder / name for folder in data_folders() if (folder / name).is_dir()), None)


def _made(data_set: DataSet) -> Path:
    if data_set.kind == "derived":
        return _derived(data_set)
    from ingestion.demo.make import make

    return _published(data_set.name, lambda draft: make(data_set.name, draft, seed=7))


def _derived(data_set: DataSet) -> Path:
    from ingestion.head_nouns import write_head_nouns

    source = _found(data_set.source)
    if source is None:
        raise RequestError(
            f"the data set {data_set.name!r} is made from {data_set.source!r}, which is not here. "
            f"Set POLYLOOM_DATA to a folder that holds {data_set.source!r}."
        )
    return _published(data_set.name, lambda draft: write_head_nouns(source, draft))


def _published(name: str, fill: Callable[[Path], None]) -> Path:
    target = home() / "datasets" / name
    with locked(home() / "locks" / f"dataset-{name}.lock"):
        if not target.is_dir():
            with publish_folder(target) as draft:
                fill(draft)
    return target


def _not_found(path: str, name: str, known: DataSet | None, folders: list[Path]) -> str:
    there = next((folder / name for folder in folders if (folder / name).is_dir()), None)
    if there is not None and not Path(path).is_absolute():
        files = sorted(file.relative_to(there.parent).as_posix() for file in there.iterdir())
        return (
            f"path: there is no {path!r}; {there} has {', '.join(files[:20]) or 'no files'}.{suggestion(path, files)}"
        )
    if known is not None and known.kind == "public":
        return (
            f"path: the data set {name!r} is not here. Set POLYLOOM_DATA to a folder that holds {path!r}, "
            f"or run `polyloom datasets fetch {name}`."
        )
    looked = " or ".join(str(folder) for folder in folders)
    return (
        f"path: there is no {path!r} in {looked}.{suggestion(name, DATA_SETS)} "
        f"Check the path; it is read from the scenario's own folder, then from POLYLOOM_DATA."
    )
