"""Looks at torch in a process of its own: a broken build may kill the interpreter.

`python -m flows.doctor.probe` prints one JSON object.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

PROBE_SECONDS = 180


@dataclass(frozen=True)
class Probe:
    """What importing torch and torchvision gave."""

    torch_error: str | None
    torchvision_error: str | None
    devices: list[str]
    bf16: bool


def probe() -> Probe:
    """Import both in a child process and report."""
    command = [sys.executable, "-P", "-m", "flows.doctor.probe"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Probe(f"no answer within {PROBE_SECONDS} s", None, [], bf16=False)
    if said.returncode:
        last = (said.stderr.strip().splitlines() or ["no message"])[-1]
        return Probe(f"exit code {said.returncode}: {last}", None, [], bf16=False)
    return Probe(**json.loads(said.stdout.splitlines()[-1]))


def look() -> Probe:
    """Import both here."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Probe(str(error), None, [], bf16=False)
    from training.device import multiplies_bf16

    cuda = torch.cuda.is_available()
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if cuda else []
    bf16 = torch.cuda.is_bf16_supported() if cuda else multiplies_bf16()
    return Probe(None, _torchvision_error(), devices, bf16=bf16)


def _torchvision_error() -> str | None:
    try:
        from torchvision.ops import nms  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(look())) + "\n")
