"""A picture that a reader holds in memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureBytes:
    """A picture file's bytes."""

    content: bytes
