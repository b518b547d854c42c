"""What makes a model smaller: `recipe.distill` and `recipe.prune`, and the section `export`."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section, Share


class Distill(Section):
    """A teacher to learn from: a release, `SCENARIO[@ALIAS or VERSION]`, or a bundle's folder, with the same labels.

    `weight` is its share of the loss, at `temperature`; `features` is what it counts beside the loss that embeddings
    point where the teacher's do, for modalities of the same name, and 0 for no such hint.
    """

    teacher: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0, le=100)] = 2.0
    weight: Share = 0.5
    features: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Prune(Section):
    """A share of an encoder that goes while it is trained.

    `magnitude` takes its smallest weights, which makes nothing faster; `structured` takes whole neurons and attention
    heads, which makes it smaller and faster. `settled` is the share of the epochs after which all of it has gone.
    `modality` may be left out where there is one that it can be.
    """

    kind: Literal["magnitude", "structured"]
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    settled: Annotated[float, Field(ge=0, le=1)] = 0.6
    modality: str | None = None


class Export(Section):
    """How exported encoders are run: with int8 weights, by another runtime, or as they are.

    `dynamic` is for transformers, `static` for convolutional nets, `auto` tries both. A variant is released if it is
    faster than the plain graph on this machine and, on the validation rows, neither significantly worse nor worse by
    more than `margin`. `openvino_bf16` computes in half precision, on processors that have units for it; a `runtime` of
    `auto` tries all. `calibration_rows` is how many training rows `static` looks at.
    """

    int8: Literal["dynamic", "static", "auto"] | None = None
    runtime: Literal["onnxruntime", "openvino", "openvino_bf16", "auto"] = "onnxruntime"
    calibration_rows: Positive = 256
    margin: Annotated[float, Field(ge=0, le=1)] = 0.01
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
