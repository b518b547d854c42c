"""JSON values as a release reads them: held against the limits, pictures decoded, personal data taken out."""

import base64
import binascii
from collections.abc import Mapping, Sequence

from ingestion.pictures import describe
from ingestion.refusals import RowRefused
from polyloom.errors import RequestError, suggestion
from releases.runtime import Runtime
from releases.serving.intake import Intake, Taken, picture
from releases.serving.limits import Limits
from releases.serving.read_columns import ReadColumns
from releases.serving.refusal import Refused

Row = dict[str, object]
BASE64_SLACK = 100


class Door:
    """The door of one release."""

    def __init__(self, runtime: Runtime, *, limits: Limits, intake: Intake) -> None:
        self.intake = intake
        self._runtime = runtime
        self._limits = limits
        self.columns = ReadColumns.of(runtime.preparations.values())

    def rows(
        self, given: Sequence[Mapping[str, object]] | None, *, text: str | None, image: str | None
    ) -> list[Taken[Row]]:
        """The rows of a request. Raises: Refused and RequestError naming row and column."""
        if given is None:
            content = None if image is None else self.picture(image, "image")
            row = self._runtime.row(text=self.short(text, "text"), image=content)
            return [self.intake.row(row, self.columns)]
        if text is not None or image is not None:
            raise RequestError("Give rows, or text and image for a single one, not both.")
        if len(given) > self._limits.rows:
            raise Refused(
                413, "too_many_rows", f"{len(given)} rows; {self._limits.rows} at once are allowed. Send them in parts."
            )
        return [self._row(row, f"row {number}") for number, row in enumerate(given, start=1)]

    def text(self, text: str) -> Taken[str]:
        """Words of a question. Raises: Refused for too many."""
        return self.intake.text(self.short(text, "text") or "")

    def bare_picture(self, given: str) -> bytes:
        """A picture to search by, without what cameras note in it. Raises: as `picture`."""
        return picture("image", self.picture(given, "image"))

    def picture(self, given: str, where: str) -> bytes:
        """A picture file's bytes. Raises: Refused for one that is too large, RequestError for what is none."""
        most = self._limits.picture_bytes
        if len(given) > (most + 2) // 3 * 4 + BASE64_SLACK:
            raise too_large(f"{where}: more than {most} bytes")
        try:
            content = base64.b64decode(given.partition("base64,")[2] or given, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RequestError(f"{where}: this is no base64 ({error}). Encode the bytes of a picture file.") from None
        if len(content) > most:
            raise too_large(f"{where}: more than {most} bytes")
        try:
            facts = describe(content)
        except RowRefused as refused:
            raise RequestError(f"{where}: {refused.refusal.message}") from None
        if facts.width * facts.height > self._limits.picture_pixels:
            raise too_large(
                f"{where}: {facts.width} x {facts.height} pixels, where {self._limits.picture_pixels:,} are allowed"
            )
        return content

    def _row(self, row: Mapping[str, object], where: str) -> Taken[Row]:
        """The columns that the release reads; a row often has more."""
        known = {name: value for name, value in row.items() if name in self.columns.all}
        if not known:
            read = sorted(self.columns.all)
            near = next((found for name in row if (found := suggestion(name, read))), "")
            raise RequestError(
                f"{where}: it has none of the columns that {self._runtime.name!r} reads: {', '.join(read)}.{near}"
            )
        try:
            return self.intake.row(
                {name: self._value(name, value, f"{where}, {name}") for name, value in known.items()}, self.columns
            )
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from None

    def _value(self, name: str, value: object, where: str) -> object:
        if name in self.columns.pictures and isinstance(value, str):
            return self.picture(value, where)
        if isinstance(value, str):
            return self.short(value, where)
        if isinstance(value, list) and sum(len(str(part)) for part in value) > self._limits.text_characters:
            raise self._too_long(where)
        if name in self.columns.texts and isinstance(value, bool | int | float):
            raise RequestError(f"{name}: a number; write text in quotes.")
        return value

    def short(self, text: str | None, where: str) -> str | None:
        """A text within the limit. Raises: Refused for a longer one."""
        if text is not None and len(text) > self._limits.text_characters:
            raise self._too_long(where)
        return text

    def _too_long(self, where: str) -> Refused:
        return Refused(
            413, "text_too_long", f"{where}: more than {self._limits.text_characters:,} characters. Send it in parts."
        )


def too_large(said: str) -> Refused:
    """A picture beyond the limits."""
    return Refused(413, "picture_too_large", f"{said}. Make the picture smaller.")
