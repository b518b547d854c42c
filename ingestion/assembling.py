"""All tables of a scenario: read into parts, assembled, decided, with repaired rows in the place of refused ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.assembled import AssembledTable
from ingestion.blobs import BlobStore
from ingestion.decisions import decide
from ingestion.forgotten import Forgotten
from ingestion.parts import PartStore
from ingestion.picture_intake import PictureIntake
from ingestion.quarantined import Quarantined, quarantine_of
from ingestion.repaired import Repaired, repaired_tables
from ingestion.replayed import Replayed
from ingestion.sources import TableSource
from ingestion.splits import Boundaries
from ingestion.tables import ReadTable, read_table
from polyloom.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Assembling:
    """How a scenario's tables become a snapshot's. `folder` is the scenario's in the snapshot store.

    `checked` is the folder of the files that remember good pictures, `boundaries` where tables were cut by time.
    """

    scenario: str
    folder: Path
    parts: PartStore
    blobs: BlobStore
    checked: Path
    rare_labels: Mapping[str, Sequence[str]]
    fractions: Mapping[str, float]
    seed: int
    boundaries: Mapping[str, Boundaries]
    progress: Progress

    def tables(self, sources: Sequence[TableSource]) -> tuple[dict[str, AssembledTable], dict[str, Quarantined]]:
        """The assembled tables and their refused rows, by name."""
        forgotten = Forgotten.open(self.folder)
        reads = {source.name: self._read(source, forgotten) for source in sources}
        tables = {name: self._assembled(read) for name, read in reads.items()}
        quarantined = self._decided(tables)
        repaired = repaired_tables(Replayed.open(self.folder), tables, quarantined)
        if not repaired:
            return tables, quarantined
        again = {
            name: self._with_repaired(table, repaired[name]) if name in repaired else self._assembled(table.read)
            for name, table in tables.items()
        }
        return again, self._decided(again)

    def _decided(self, tables: Mapping[str, AssembledTable]) -> dict[str, Quarantined]:
        for table in tables.values():
            table.take_pictures(self._intake(table.read.source).take)
        decide(tables, rare_labels=self.rare_labels)
        return {name: quarantine_of(table) for name, table in tables.items()}

    def _read(self, source: TableSource, forgotten: Forgotten) -> ReadTable:
        return read_table(
            source,
            targets=self.rare_labels.get(source.name, ()),
            parts=self.parts,
            take_picture=self._intake(source).take_bytes,
            holds=self.blobs.holds,
            forgotten=forgotten,
            progress=self.progress,
        )

    def _assembled(self, read: ReadTable) -> AssembledTable:
        name = read.source.name
        return AssembledTable.of(
            read,
            self.parts,
            targets=self.rare_labels.get(name, ()),
            fractions=self.fractions,
            seed=self.seed,
            known=self.boundaries.get(name),
        )

    def _with_repaired(self, before: AssembledTable, repaired: Repaired) -> AssembledTable:
        table = AssembledTable.of(
            repaired.read,
            self.parts,
            targets=self.rare_labels.get(before.read.source.name, ()),
            fractions=self.fractions,
            seed=self.seed,
            known=before.splits.boundaries,
        )
        table.without(before, kept=repaired.kept, refused=repaired.refused)
        return table

    def _intake(self, source: TableSource) -> PictureIntake:
        return PictureIntake(
            blobs=self.blobs,
            column=source.image or "",
            checked=self.checked / f"{self.scenario}.{source.name}.json",
            progress=self.progress,
        )
