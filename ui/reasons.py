"""What an answer rests on, as HTML and as a picture: orange speaks for it, blue against it."""

import html
import io

import numpy as np
from PIL import Image

from flows.heat import overlaid, strengths, tint
from ui.service import Evidence, KnownRow

LEGEND = "Orange speaks for this answer, blue against it. +1 makes a class 2.7 times as likely against all others."
KNOWN_TEXTS, KNOWN_CHARACTERS = 2, 90


def weighed(evidence: Evidence) -> str:
    """The words of a text, or columns with their values, over the colours of their weights."""
    name = f'<div class="pl-quiet">{html.escape(", ".join(evidence.modalities))}</div>'
    if evidence.columns:
        strong = strengths([one.weight for one in evidence.columns])
        told = "  ".join(
            tinted(f"{one.column} {one.value}", strength, one.weight)
            for one, strength in zip(evidence.columns, strong, strict=True)
        )
    else:
        told = tinted_text(evidence)
    return f'{name}<p class="pl-body pl-why">{told}</p>'


def tinted_text(evidence: Evidence) -> str:
    """The text with every word tinted, and what is between words as it is."""
    text, pieces, end = evidence.text or "", [], 0
    strong = strengths([word.weight for word in evidence.words])
    for word, strength in zip(evidence.words, strong, strict=True):
        pieces += [html.escape(text[end : word.start]), tinted(word.text, strength, word.weight)]
        end = word.end
    return "".join([*pieces, html.escape(text[end:])]).replace("\n", "<br>")


def tinted(text: str, strength: float, weight: float) -> str:
    """A piece over its colour; its weight is what the mouse shows."""
    return f'<span style="background:{tint(strength)}" title="{weight:+.2f}">{html.escape(text)}</span>'


def signed_bars(shares: dict[str, float]) -> str:
    """What each modality adds, as bars to both sides of a line."""
    rows = ""
    for (name, value), strength in zip(shares.items(), strengths(list(shares.values())), strict=True):
        bar = f'<div style="width:{100 * abs(strength):.1f}%"></div>'
        left, right = ("", bar) if strength >= 0 else (bar, "")
        rows += (
            f'<div class="pl-name">{html.escape(name)}</div><div class="pl-left">{left}</div>'
            f'<div class="pl-right">{right}</div><div class="pl-value">{value:+.2f}</div>'
        )
    return f'<div class="pl-signed">{rows}</div>'


def heated_picture(seen: np.ndarray, evidence: Evidence) -> bytes:
    """The square that the encoder sees, uint8 [size, size, 3], under the colours of its cells, as PNG."""
    content = io.BytesIO()
    Image.fromarray(overlaid(seen, evidence.cells)).save(content, format="PNG")
    return content.getvalue()


def known_row(known: KnownRow) -> str:
    """A row that is like it: its label, how like it is, and its first texts."""
    cosine = sum(known.cosines.values()) / max(1, len(known.cosines))
    texts = [value for value in known.row.values() if isinstance(value, str) and value != known.label][:KNOWN_TEXTS]
    shown = " · ".join(text if len(text) <= KNOWN_CHARACTERS else text[:KNOWN_CHARACTERS] + "…" for text in texts)
    return (
        f'<div class="pl-title">{html.escape(known.label or known.id)}</div>'
        f'<p class="pl-body">{html.escape(shown)}</p><div class="pl-quiet">cosine {cosine:.2f}</div>'
    )
