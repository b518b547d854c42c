"""Small fits whose inputs are attacked, as a module of their own so that a child process can run one."""

from pathlib import Path

from modalities.encoders.text import TextEncoder
from tests.support.small_fits import Announcing, full
from tests.support.strategy_fits import strategy_fit
from training.adversarial import Adversary
from training.attack import Attack
from training.attack_places import PixelPlace, TokenPlace
from training.fitting import Fitting

TEXT = {
    "fgm": Attack(kind="fgm", epsilon=0.5),
    "pgd": Attack(kind="pgd", epsilon=0.5, steps=2),
    "freelb": Attack(kind="freelb", epsilon=0.5, steps=2),
}
PICTURES = {
    "fgsm": Attack(kind="fgsm", epsilon=0.03),
    "pgd": Attack(kind="pgd", epsilon=0.03, steps=2),
}


def text_place(fit: Fitting) -> TokenPlace:
    encoder = fit.model.encoders["one"]
    assert isinstance(encoder, TextEncoder)
    return TokenPlace(name="one", encoder=encoder)


def text_fit(weights: Path, folder: Path, attack: Attack | None, *, strategy="full", weight=0.5, **changed) -> Fitting:
    """A tiny BERT over texts."""
    fit = strategy_fit("bert", weights, strategy, folder, **changed)
    if attack is not None:
        fit.adversary = Adversary(attack=attack, place=text_place(fit), weight=weight)
    return fit


def picture_fit(folder: Path, attack: Attack | None, *, weight=0.5, **changed) -> Fitting:
    """A convolution with batch norm over pictures, some missing, with accumulation."""
    place = PixelPlace(name="image", mean=(0.5,) * 3, deviation=(0.5,) * 3)
    adversary = None if attack is None else Adversary(attack=attack, place=place, weight=weight)
    return full(folder, adversary=adversary, **changed)


def announced(kind: str, attack: str, weights: Path, folder: Path) -> None:
    """Run a fit that writes a checkpoint at each step and tells of it."""
    settings = {"checkpoint_seconds": 0, "progress": Announcing()}
    if kind == "text":
        text_fit(weights, folder, TEXT[attack], **settings).run()
    else:
        picture_fit(folder, PICTURES[attack], **settings).run()
