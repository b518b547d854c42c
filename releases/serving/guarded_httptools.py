"""uvicorn's protocol on httptools, whose clients are watched."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from releases.serving.guarded_connection import GuardedConnection

# Requests that a client may send ahead of the answers: each waits as some kilobytes, so a flood of them takes memory.
AHEAD = 16


class TooFarAhead(Exception):  # noqa: N818 - a client's doing
    """More requests came ahead of the answers than may."""


# What has one of these is no plain request, and is refused the usual way.
SPECIAL = frozenset({b"expect", b"origin", b"transfer-encoding", b"upgrade"})
SMALL_BYTES = 1 << 20


class GuardedHttptools(GuardedConnection, HttpToolsProtocol):
    """Hears from the parser what is whole; a request for which there is no room is refused before it is made.

    That costs a fifth of a refusal by the application: a server that is asked for ten times what it can do must not be
    kept busy by saying no.
    """

    is_in_head = True
    refusal: bytes | None = None
    was_refused = False

    def full(self, url: bytes) -> bytes | None:  # noqa: ARG002  (servers that are never full)
        """The whole answer to a request for which there is no room; None where there is."""
        return None

    def parse(self, data: bytes) -> None:
        """Give uvicorn the next bytes; the parser calls what follows here meanwhile."""
        HttpToolsProtocol.data_received(self, data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.is_in_head = True
        self.was_refused = False
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
        self.refusal = self.full(self.url) if self.is_plain() else None
        if self.refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came. Extensions of chunks and trailers are none, and go on to count."""
        self.unparsed = 0
        if self.refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.unparsed = 0
        if self.refusal is None:
            super().on_message_complete()
            return
        self.transport.write(self.refusal)
        self.refusal, self.was_refused = None, True
        self.on_response_complete()

    def is_plain(self) -> bool:
        """Whether a request is small, asks for nothing special of the connection, and has none before it."""
        if self.pipeline or self.is_answering() or self.parser.get_method() != b"POST":
            return False
        sizes = [value for name, value in self.headers if name == b"content-length"]
        return (
            self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and all(len(size) < len(str(SMALL_BYTES)) for size in sizes)
            and SPECIAL.isdisjoint(name for name, _ in self.headers)
        )

    def watch_head(self) -> None:
        """Who was refused may wait before the next request, as after any answer."""
        if self.was_refused and not self.unparsed:
            self.head_deadline.clear()
        else:
            super().watch_head()
