"""What a server takes: how much at once, how large, how long. Beyond it a request is refused, and told so."""

from dataclasses import dataclass

from ingestion.pictures import MAX_PIXELS


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one server; sizes in bytes or characters, times in seconds.

    `under_way` requests of each scenario may wait or be answered at once, none of them expected to wait longer than
    `wait_seconds`; `in_flight` may be open in all, with `held_bytes` of bodies.
    """

    body_bytes: int = 16 << 20
    picture_bytes: int = 8 << 20
    picture_pixels: int = min(24_000_000, MAX_PIXELS)
    text_characters: int = 20_000
    rows: int = 64
    found: int = 100
    history: int = 1_000
    under_way: int = 40
    wait_seconds: float = 5.0
    in_flight: int = 512
    held_bytes: int = 256 << 20
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    per_minute: int = 60_000
