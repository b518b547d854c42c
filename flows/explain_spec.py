"""The section `explain`: test rows of which a run shows why they were answered so."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section


class Explain(Section):
    """Explanations of at most `rows` test rows: of sure and right answers, sure and wrong ones, and unsure ones.

    `tasks` are those explained, by default the gate's. `text` and `image` say how words and places in pictures are
    weighed; `auto` is Grad-CAM where the encoder has a feature map, else integrated gradients. `steps` are those of
    integrated gradients, `near` is how many training rows like each are shown.
    """

    rows: Annotated[int, Field(ge=1, le=60)] = 12
    tasks: tuple[str, ...] = ()
    text: Literal["integrated_gradients", "gradient_x_input", "occlusion"] = "integrated_gradients"
    image: Literal["auto", "grad_cam", "integrated_gradients", "occlusion"] = "auto"
    steps: Positive = 32
    near: Annotated[int, Field(ge=0, le=20)] = 3
