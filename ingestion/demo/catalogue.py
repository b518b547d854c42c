"""The products of the made-up shop: titles and descriptions from a small grammar, prices that follow what a thing is.

Two in five titles say nothing of the colour and some products are called by their series alone, so that the picture is
needed; some pictures are black and white or show a gift box, so that the words are needed.
"""

import dataclasses
import datetime as dt
import functools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from ingestion.demo.drawing import Style

PRODUCTS = 640
# All were in the shop before the first shopper came, most of them not for long.
OPENED, LAST_ADDED = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2025, 12, 31, tzinfo=dt.UTC)
BOXED, GREY = 0.05, 0.05
NAMELESS, COLOURLESS = 0.14, 0.4
OPENINGS = (
    "We made {this} with {use} in mind.",
    "Perfect for {use}, and not only for that.",
    "{one}, chosen by our team for {use}.",
    "Looking for something that is made for {use}? Here it is.",
    "Many of our customers bought {this} for {use} and came back for a second.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Product:
    """One product. `style` says how it is pictured and is no column of the table."""

    item_id: str
    title: str
    title_zh: str
    description: str
    price: float
    category: str
    colour: str
    material: str
    series: str
    picture: str
    added: dt.datetime
    style: Style


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """What a product is, before it has a name."""

    category: str
    colour: str
    material: str
    name: str
    series: str
    adjective: str
    number: int
    names_category: bool
    names_colour: bool


@functools.cache
def vocabulary() -> Mapping[str, Any]:
    """The shop's words."""
    text = resources.files("ingestion.demo").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def products(*, seed: int, count: int = PRODUCTS) -> Iterator[Product]:
    """The catalogue, no two products with the same title."""
    rng, days, seen = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 5]), set[str]()
    for number in range(1, count + 1):
        style = pictured(rng=rng)
        title = None
        while title is None or title in seen:
            traits = draw_traits(number=number, style=style, rng=rng)
            title = english_title(traits, rng=rng)
        seen.add(title)
        yield describe(traits, title=title, style=style, added=added(rng=days), rng=rng)


def pictured(*, rng: np.random.Generator) -> Style:
    """How the next product is pictured."""
    place = rng.random()
    if place < BOXED:
        return "boxed"
    return "grey" if place < BOXED + GREY else "photo"


def draw_traits(*, number: int, style: Style, rng: np.random.Generator) -> Traits:
    """What the next product is; what its picture hides, its words tell."""
    words = vocabulary()
    category = pick(words["categories"], rng=rng)
    names_category = style != "photo" or bool(rng.random() >= NAMELESS)
    names_colour = style == "grey" or (names_category and bool(rng.random() >= COLOURLESS))
    return Traits(
        category=category,
        colour=pick(words["colours"], rng=rng),
        material=pick(words["categories"][category]["materials"], rng=rng),
        name=pick(words["categories"][category]["names"], rng=rng),
        series=pick(words["series"], rng=rng),
        adjective=pick(words["adjectives"], rng=rng),
        number=number,
        names_category=names_category,
        names_colour=names_colour,
    )


def added(*, rng: np.random.Generator) -> dt.datetime:
    """When a product came into the shop; it has nothing to do with what the product is, or how often it is taken."""
    days = (LAST_ADDED - OPENED).days
    return LAST_ADDED - dt.timedelta(days=min(int(rng.exponential(days / 3)), days))


def describe(traits: Traits, *, title: str, style: Style, added: dt.datetime, rng: np.random.Generator) -> Product:
    """A product with all its words and its price."""
    item_id = f"p{traits.number:04d}"
    return Product(
        item_id=item_id,
        title=title,
        title_zh=chinese_title(traits),
        description=description(traits, title=title, rng=rng),
        price=price(traits, rng=rng),
        category=traits.category,
        colour=traits.colour,
        material=traits.material,
        series=traits.series,
        picture=f"pictures/{item_id}.png",
        added=added,
        style=style,
    )


def english_title(traits: Traits, *, rng: np.random.Generator) -> str:
    """A title in one of several forms; only the series and a number when it may not name the category."""
    if not traits.names_category:
        return f"{traits.series} No. {traits.number}"
    words = vocabulary()["categories"][traits.category]
    thing = noun(traits, words["noun"])
    forms = [
        f"{traits.adjective} {thing}",
        f"{traits.series} {thing}",
        f"{traits.adjective} {thing} for {pick(words['uses'], rng=rng)}",
        f"{traits.series}: {traits.adjective} {thing}",
        f"{thing}, {traits.series} series",
    ]
    return capital(pick(forms, rng=rng))


def chinese_title(traits: Traits) -> str:
    """The title in Chinese, which tells as much as the English one."""
    words = vocabulary()
    series = words["series"][traits.series]
    if not traits.names_category:
        return f"{series}系列{traits.number}号"
    kind = words["categories"][traits.category]
    form = kind.get("noun_zh", "{colour}{material}{name}")
    colour = words["colours"][traits.colour] if traits.names_colour else ""
    thing = form.format(colour=colour, material=kind["materials"][traits.material][1], name=kind["names"][traits.name])
    return f"{series}系列{words['adjectives'][traits.adjective]}{thing}"


def description(traits: Traits, *, title: str, rng: np.random.Generator) -> str:
    """Two or three sentences, all of them vague when the words may not name the category."""
    words, vague = vocabulary()["categories"][traits.category], vocabulary()["vague"]
    closing = pick(vague["closings"], rng=rng)
    if not traits.names_category:
        return f"{pick(vague['openings'], rng=rng)} {closing}"
    plural = words.get("plural", False)
    thing, use = f"{traits.adjective} {noun(traits, words['noun'])}", pick(words["uses"], rng=rng)
    one = thing if plural else article(thing)
    openings = [f"{capital(one)} for {use}."] if f"for {use}" not in title else [f"{capital(one)}."]
    openings += [form.format(one=capital(one), this="these" if plural else "this", use=use) for form in OPENINGS]
    sentences = [pick(openings, rng=rng), pick(words["features"], rng=rng)]
    return " ".join([*sentences, closing] if rng.random() < 0.5 else sentences)


def price(traits: Traits, *, rng: np.random.Generator) -> float:
    """What the category costs, times what the material costs, give or take a fifth."""
    words = vocabulary()["categories"][traits.category]
    value = words["price"] * words["materials"][traits.material][0] * np.exp(rng.normal(0, 0.2))
    return float(round(value) - 0.05 if value > 20 else round(value * 2) / 2 - 0.01)


def noun(traits: Traits, form: str) -> str:
    """What a product is, with its colour only where its words may tell."""
    colour = traits.colour if traits.names_colour else ""
    return " ".join(form.format(colour=colour, material=traits.material, name=traits.name).split())


def article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def capital(phrase: str) -> str:
    """The phrase with its first letter in upper case."""
    return phrase[0].upper() + phrase[1:]


def pick(options: Sequence[str] | Mapping[str, Any], *, rng: np.random.Generator) -> str:
    """One of the options, each as likely as the next."""
    known = list(options)
    return known[int(rng.integers(len(known)))]
