"""What one client of a server may take of its connections."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ClientLimits:
    """What one client may take.

    `head_seconds` for a request's first line and headers to be whole, `head_bytes` for their size, `read_seconds` for
    what was written to be read, `connections` open at once; when all are taken, one whose first request has not come
    within `patient_seconds` makes room, else the new one is turned away. A client that is turned away may read why for
    `linger_seconds`. Idle time between two requests is uvicorn's own `timeout_keep_alive`.
    """

    head_seconds: float = 10.0
    head_bytes: int = 32 * 1024
    read_seconds: float = 20.0
    connections: int = 1000
    patient_seconds: float = 1.0
    linger_seconds: float = 1.0
