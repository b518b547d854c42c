"""Where and in which precision to compute."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from polyloom.errors import RequestError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Placement:
    """A device and the number type that its matrix products use."""

    device: torch.device
    precision: Literal["fp32", "bf16", "fp16"]

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Mixed precision for the block, or nothing for fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(device_type=self.device.type, dtype=TYPES[self.precision])

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps fp16's small gradients; does nothing for the other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")


def on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array as a tensor; pictures [batch, channels, rows, columns] with the channels last in memory.

    Convolutions are a fifth to two fifths faster so, on a CPU and on a GPU's tensor cores.
    """
    tensor = torch.from_numpy(array).to(device)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def place(precision: Precision = "auto", *, number: int | None = None) -> Placement:
    """CUDA where there is one, else the CPU; `auto` takes bf16 or fp16 only where the device gains from it.

    `number` picks one of several GPUs.

    Raises RequestError for fp16 on a CPU, which would be slower and less exact than fp32.
    """
    if torch.cuda.is_available():
        best: Literal["bf16", "fp16"] = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        device = torch.device("cuda") if number is None else torch.device("cuda", number)
        return Placement(device, best if precision == "auto" else precision)
    if precision == "fp16":
        raise RequestError("recipe.precision: 'fp16' needs a GPU; a CPU takes 'auto', 'fp32' or 'bf16'.")
    if precision == "auto":
        return Placement(torch.device("cpu"), "bf16" if multiplies_bf16() else "fp32")
    return Placement(torch.device("cpu"), precision)


def multiplies_bf16() -> bool:
    """Whether this CPU has matrix units for bf16 (Intel AMX): there an encoder trains about 1.5 times as fast."""
    # Releases of torch that do not tell what a CPU can do compute in fp32.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))
