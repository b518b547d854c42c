"""Takes the page's pictures: `python -m tests.ui.take_pictures [HOME]`, without HOME over two tiny releases.

Writes docs/pictures/*.png of the home page, a search and a prediction.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.support.small_bundle import release_small_bundle
from tests.ui.browser import chromium, served, settled

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PAGES = {
    "home": "/",
    "search": "/search?scenario=shop&q=green+lamp",
    "support": "/search?scenario=support&q=%E6%80%8E%E4%B9%88%E9%80%80%E8%B4%A7%EF%BC%9F",
    "predict": "/predict?scenario=shop&q=a+lamp+for+the+desk",
}
LIMIT_BYTES = 300_000


def take(address: str, folder: Path, *, width: int = 1440, height: int = 900, pages: dict[str, str] = PAGES) -> None:
    """One picture a page, into `folder`."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        for name, path in pages.items():
            page.goto(address + path)
            settled(page)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{name}.png")


def shrink(picture: Path) -> None:
    """Fewer colours, until the file is small enough for a README."""
    for colours in (256, 128, 64):
        if picture.stat().st_size < LIMIT_BYTES:
            return
        with Image.open(picture) as opened:
            opened.convert("RGB").quantize(colours).save(picture, optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "home"
        if len(sys.argv) == 1:
            for name in ("shop", "support"):
                release_small_bundle(home, name=name)
        with served(home) as address:
            take(address, PICTURES)
    for picture in PICTURES.glob("*.png"):
        shrink(picture)


if __name__ == "__main__":
    main()
