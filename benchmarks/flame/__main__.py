"""`python -m benchmarks.flame`: samples guarded calls with py-spy, keeps and draws the stacks.

With `--draw` only draws what was kept. py-spy has to be allowed to read the memory of a program
that it starts itself; in a container that may need the capability SYS_PTRACE.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.flame.drawing import draw
from benchmarks.flame.folding import Profile, fold, load_profile, pruned, shares_by_owner
from benchmarks.results import RESULTS, machine, versions

PICTURE: Final = Path(__file__).parents[2] / "docs" / "performance" / "flame.svg"
DURATION_S: Final = 30.0
SAMPLES_PER_S: Final = 500
_LEAST: Final = 0.0008
"""Share of all samples below which a frame is not kept; a little less than what is drawn."""
_PARTS: Final = ("CPython", "dynaguard", "botocore")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flame", description=__doc__)
    parser.add_argument("--seconds", type=float, default=DURATION_S)
    parser.add_argument("--draw", action="store_true", help="draw what was kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    kept = options.results / "flame.json"
    if not options.draw:
        sample(options.seconds).save(kept)
    profile = load_profile(kept)
    if profile is None:
        parser.error("nothing was sampled yet")
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    note = (
        f"{profile.total:,} samples within calls; {', '.join(_named(profile))}. "
        "Width is CPU time; what is above is called by what is below."
    )
    text = draw(profile, "A guarded GetItem with everything on", note)
    options.picture.write_text(text, encoding="utf-8")
    print(f"{options.picture.name} drawn of {profile.total:,} samples, {len(text) // 1024} KB")
    return 0


def sample(duration_s: float) -> Profile:
    """Samples the target for so long."""
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if spy is None:
        raise SystemExit("py-spy is not installed, run `make flamegraph`")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw.txt")
        options = ["--format", "raw", "--function", "--rate", str(SAMPLES_PER_S)]
        program = [sys.executable, "-m", "benchmarks.flame.target", str(duration_s)]
        subprocess.run(
            [spy, "record", *options, "--output", str(raw), "--", *program],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        samples = fold(raw.read_text(encoding="utf-8").splitlines())
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    found = {name: number for name, number in versions().items() if name in _PARTS}
    least = max(1, int(sum(samples.values()) * _LEAST))
    kept = pruned(samples, least)
    return Profile(today, found, machine(), kept, shares_by_owner(samples))


def _named(profile: Profile) -> list[str]:
    """Packages with their versions."""
    return [f"{name} {number}" for name, number in profile.versions.items()]


if __name__ == "__main__":
    sys.exit(main())
