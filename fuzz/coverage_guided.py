"""Let atheris look for inputs of one format that end in anything but a result or one clear line.

``python fuzz/coverage_guided.py FORMAT [libFuzzer options]``, such as ``meta -max_total_time=60``. Needs the extra
``fuzz``. MATLAB files are left to ``campaign.py``: what is to be watched there is another process.
"""

import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS / room) for room in ("fuzz", "sorting", "pipeline")]

# Numba cannot compile what is instrumented.
import hybridfactory.events.alignment_kernel  # noqa: E402
import hybridfactory.events.kernel  # noqa: E402
import hybridfactory.events.median  # noqa: E402
import hybridfactory.injection.kernel  # noqa: E402
import hybridfactory.plan.site_lookup  # noqa: E402
import hybridfactory.validation.kernel  # noqa: E402

with atheris.instrument_imports(include=["hybridfactory"]):
    import hybridfactory.injection.script_check
    import hybridfactory.parameters.toml_file
    import hybridfactory.probes
    import hybridfactory.recording.spikeglx
    import hybridfactory.sorting
    import hybridfactory.validation.hybrid  # noqa: F401

from fuzz_targets import MAX_SECONDS, TARGET_NAMES, make_targets  # noqa: E402
from matlab_files import opened_here  # noqa: E402
from mutations import mutate  # noqa: E402

from hybridfactory.sorting import mat_process  # noqa: E402

LIMITS = [f"-timeout={MAX_SECONDS:.0f}", "-rss_limit_mb=2048", "-malloc_limit_mb=1024", "-max_len=200000"]
"""The process itself takes some hundred MB before it reads anything."""

SHARE_OF_OUR_OWN = 0.5


def spoil(data: bytes, max_size: int, seed: int) -> bytes:
    """Spoil an input in our ways, or in libFuzzer's."""
    rng = np.random.default_rng(seed)
    if rng.random() < SHARE_OF_OUR_OWN:
        return mutate(data, rng)[:max_size]
    return bytes(atheris.Mutate(data, max_size))


def main() -> None:
    """Fuzz one format until time is up or something is found."""
    names = [name for name in TARGET_NAMES if not name.startswith("mat ")]
    name, *options = sys.argv[1:] or [""]
    if name == "--list":
        sys.stdout.write("\n".join(names) + "\n")
        return
    if name not in names:
        sys.exit(f"give one of: {', '.join(names)}")
    with tempfile.TemporaryDirectory() as folder:
        target = make_targets(Path(folder))[name]
        # What lies beside a .prm is no damaged file.
        mat_process.MatProcess = opened_here  # type: ignore[assignment,misc]
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        atheris.Setup(
            [sys.argv[0], *LIMITS, *options, str(corpus)],
            lambda data: void(target.check(data)),
            custom_mutator=spoil,
        )
        atheris.Fuzz()


def void(_: object) -> None:
    """Drop a result: libFuzzer takes one for a verdict."""


if __name__ == "__main__":
    main()
