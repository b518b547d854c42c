"""`polyloom bundle tidy`: room that bundles need no more, or take twice."""

import shutil
import time
from pathlib import Path
from typing import Any

from polyloom.durable import locked
from polyloom.errors import IntegrityError
from polyloom.home import home
from polyloom.progress import Progress
from releases.model_folder import MODELS
from releases.objects import OBJECTS, ObjectStore, share
from releases.pyfunc_names import BUNDLE

# No bundle takes so long to be written: what lies beside bundles that long was left by a killed process.
LEFT_SECONDS = 24 * 3600


def tidy(*, progress: Progress) -> dict[str, Any]:
    """Make equal files of bundles one, and remove files of bundles that are gone and what killed processes left."""
    objects = ObjectStore(home() / OBJECTS)
    damaged, saved = [], 0
    folders = sorted(path for path in (home() / "releases").glob("[!.]*/[!.]*") if path.is_dir())
    # What MLflow loads has the same files once more, which would keep those that are replaced.
    models = sorted((home() / MODELS).glob(f"[!.]*/[!.]*/{BUNDLE}"))
    with progress.stage("bundles", total=len(folders) + len(models), unit="bundles") as bar:
        for folder in [*folders, *models]:
            try:
                shared = share(folder, objects)
                saved += 0 if folder in models else shared
            except IntegrityError as error:
                damaged.append(str(error))
            bar.advance()
    left = remove_left()
    done = objects.tidy()
    return {
        "bundles": len(folders),
        "bytes_shared": saved,
        "objects_removed": done.objects,
        "bytes_freed": saved + done.bytes,
        "left_removed": left,
        "damaged": damaged,
    }


def remove_left() -> int:
    """Remove what processes that were killed while they imported or published left; gives how many folders."""
    with locked(home() / "locks" / "incoming"):
        going = [*(home() / "incoming").glob("*"), *filter(is_old, (home() / "releases").glob("*/.*"))]
        going += filter(is_old, (home() / MODELS).glob("*/.*"))
        for path in going:
            shutil.rmtree(path)
    return len(going)


def is_old(path: Path) -> bool:
    """Whether nothing was put into a folder for a day."""
    return path.is_dir() and path.stat().st_mtime < time.time() - LEFT_SECONDS
