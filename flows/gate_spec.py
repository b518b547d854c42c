"""The section `gate`: what a challenger must hold to become the champion."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Name, Positive, Section, Share


class Limits(Section):
    """What a challenger may not exceed, however good its metric is.

    `calibration_error` is that of its probabilities on the gate's rows, `p95_milliseconds` the time of one row in a
    process of its own, `megabytes` the size of the bundle, and `missing_loss` by how much the gate's metric may fall
    where a modality is missing, such as {image: 0.2}. `shadow_changes` is the share of what the champion was asked of
    late whose answer to the gate's task changes; it binds where a server kept any.
    """

    calibration_error: Share | None = None
    p95_milliseconds: Annotated[float, Field(gt=0)] | None = None
    megabytes: Annotated[float, Field(gt=0)] | None = None
    missing_loss: dict[Name, Share] = {}
    shadow_changes: Share | None = None


class Gate(Section):
    """The test that a challenger must pass against the champion.

    `slices` are columns: for no value of one, with at least `slice_rows` test rows, may the metric be significantly
    worse than the champion's by more than `slice_margin`, nor below `slice_minimum`. With `load_test` the release is
    opened from the registry by a process of its own, which must give the same answers. The last `shadow_rows` rows
    that the champion was asked for, where a server kept them, it must be able to answer; 0 is for none of them. With
    `approval: person` one that passed waits until a person approves it, for so many hours at most.
    """

    metric: str
    rule: Literal["not_worse", "better"] = "not_worse"
    margin: Annotated[float, Field(ge=0)] = 0.0
    minimum: float | None = None
    slices: tuple[str, ...] = ()
    slice_margin: Annotated[float, Field(ge=0)] = 0.0
    slice_minimum: float | None = None
    slice_rows: Positive = 30
    limits: Limits = Limits()
    load_test: bool = False
    shadow_rows: Annotated[int, Field(ge=0)] = 200
    approval: Literal["person"] | None = None
    approval_hours: Annotated[float, Field(gt=0, le=8760)] = 72.0
