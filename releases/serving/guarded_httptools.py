"""uvicorn's protocol on httptools, whose clients are watched."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from releases.serving.guarded_connection import GuardedConnection

# Requests that a client may send ahead of the answers: each waits as some kilobytes, so a flood of them takes memory.
AHEAD = 16


class TooFarAhead(Exception):  # noqa: N818 - a client's doing
    """More requests came ahead of the answers than may."""


class GuardedHttptools(GuardedConnection, HttpToolsProtocol):
    """Hears from the parser what is whole."""

    is_in_head = True

    def parse(self, data: bytes) -> None:
        """Give uvicorn the next bytes; the parser calls what follows here meanwhile."""
        HttpToolsProtocol.data_received(self, data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.is_in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers, which uvicorn would put among the headers of a request under way, are dropped."""
        if self.is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole. What is raised here ends the parsing, and with it the connection."""
        self.unparsed = 0
        self.is_in_head = False
        if len(self.pipeline) >= AHEAD:
            raise TooFarAhead
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came. Extensions of chunks and trailers are none, and go on to count."""
        self.unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.unparsed = 0
        super().on_message_complete()
