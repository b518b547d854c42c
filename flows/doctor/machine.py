"""Checks of the machine: device, memory, fonts."""

from collections.abc import Collection

from flows.doctor.finding import Finding

LEAST_MEMORY_BYTES = 4 << 30


def device(*, torch_error: str | None, names: Collection[str], bf16: bool) -> Finding:
    """What torch computes on."""
    if torch_error:
        return Finding("device", ok=False, found=f"torch cannot be imported: {torch_error}", cure="reinstall torch")
    if not names:
        precision = "bf16" if bf16 else "fp32"
        return Finding("device", ok=True, found=f"CPU; recipes with 'precision: auto' train encoders in {precision}")
    return Finding("device", ok=True, found=f"{', '.join(names)}; bf16 {'works' if bf16 else 'is not there: fp16'}")


def memory(total_bytes: int, cores: int) -> Finding:
    """Enough memory for torch, an encoder and a Prefect server."""
    found = f"{total_bytes / (1 << 30):.1f} GB, {cores} cores"
    ok = total_bytes >= LEAST_MEMORY_BYTES
    return Finding("memory", ok, found, "" if ok else "use a machine with 4 GB or more, or a smaller recipe.batch_size")


def chinese_font(installed: Collection[str], wanted: Collection[str]) -> Finding:
    """Pictures with Chinese labels need a font that has the characters."""
    found = sorted(set(installed) & set(wanted))
    if found:
        return Finding("chinese font", ok=True, found=found[0])
    cure = "install one (Debian and Ubuntu: apt install fonts-noto-cjk), then remove ~/.cache/matplotlib"
    return Finding("chinese font", ok=False, found="none: Chinese labels in pictures show as boxes", cure=cure)
