"""uvicorn's protocol on h11, whose clients are watched."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from releases.serving.guarded_connection import GuardedConnection


class GuardedH11(GuardedConnection, H11Protocol):  # type: ignore[misc]  # the ground is typed as the other protocol
    """Asks the parser after each piece what is whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """h11 would answer 400 to a head of 16 KiB; here the limit is counted before it, and h11's is never met."""
        self.conn = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * self.limits.head_bytes)
        super().connection_made(transport)

    def parse(self, data: bytes) -> None:
        """Give uvicorn the next bytes. What is not whole of a body or its trailers, h11 limits itself."""
        H11Protocol.data_received(self, data)
        if self.conn.their_state is not h11.IDLE:
            self.unparsed = 0
