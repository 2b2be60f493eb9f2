"""Names of the files that a run writes."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["MANIFEST_NAME", "RunPaths"]

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class RunPaths:
    """Where the truth of one run lies.

    Parameters
    ----------
    folder : pathlib.Path
        The output directory.
    session_name : str
    """

    folder: Path
    session_name: str

    @property
    def metadata(self) -> Path:
        """Table of the hybrid's files."""
        return self.folder / f"metadata-{self.session_name}.csv"

    @property
    def annotations(self) -> Path:
        """Table of all spikes, real and injected."""
        return self.folder / f"annotations-{self.session_name}.csv"

    @property
    def artificial_units(self) -> Path:
        """Table of injected events."""
        return self.folder / f"artificial_units-{self.session_name}.csv"

    @property
    def units(self) -> Path:
        """Table of donor units, injected or not."""
        return self.folder / f"units-{self.session_name}.csv"

    @property
    def plan(self) -> Path:
        """Table of what was planned and what was refused."""
        return self.folder / f"plan-{self.session_name}.csv"

    @property
    def probe(self) -> Path:
        """The probe."""
        return self.folder / f"probe-{self.session_name}.npz"

    @property
    def dtype(self) -> Path:
        """The recording's data type, as an array of that type."""
        return self.folder / f"dtype-{self.session_name}.npy"

    @property
    def script(self) -> Path:
        """Waveforms and coefficients: everything to render the hybrid again."""
        return self.folder / f"injection-{self.session_name}.npz"

    @property
    def journal(self) -> Path:
        """Which bytes the run wrote into the hybrid, with checksums."""
        return self.folder / f"journal-{self.session_name}.npz"

    @property
    def hfparams(self) -> Path:
        """Parameter file that repeats the run."""
        return self.folder / f"hfparams_{self.session_name}.py"

    @property
    def description(self) -> Path:
        """What SpikeInterface must know of the flat hybrid files, where the source was in another format."""
        return self.folder / f"hybrid-{self.session_name}.json"

    @property
    def firings_true(self) -> Path:
        """Centre row, sample and donor label of every injected event."""
        return self.folder / "firings_true.npy"

    @property
    def manifest(self) -> Path:
        """Written last: a folder with a manifest is a finished run."""
        return self.folder / MANIFEST_NAME

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """Every file but the hybrid recording and the manifest."""
        return (
            self.artificial_units,
            self.annotations,
            self.metadata,
            self.units,
            self.plan,
            self.probe,
            self.dtype,
            self.script,
            self.journal,
            self.hfparams,
            self.firings_true,
        )
