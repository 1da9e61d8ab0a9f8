"""Prove that the self-test notices a build that differs: alter one constant at a time, rebuild, and expect it to fail.

    python scripts/mutate_selftest.py [--only TEXT] [--limit N]

Needs what the package's own build needs (CMake, Ninja, pybind11, a compiler) and nothing of the working tree is
changed: the sources are copied first. Exits 1 if a mutant survives, or if the unaltered copy fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = "cpp/include/engagehub"


class Mutant(NamedTuple):
    """One altered constant; ``old`` stands exactly once in the file."""

    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(f"{INCLUDE}/codec/murmur64a.hpp", "kRedisHashSeed = 0xadc83b19ULL", "kRedisHashSeed = 0xadc83b18ULL"),
    Mutant(f"{INCLUDE}/codec/crc32c.hpp", "0x82f63b78U", "0xedb88320U"),
    Mutant(f"{INCLUDE}/decay/exp2_table.hpp", "0x1.02c9a3e778061p+0", "0x1.02c9a3e778060p+0"),
    Mutant(f"{INCLUDE}/decay/half_life.hpp", "1.0 / 24", "1.0 / 25"),
    Mutant(f"{INCLUDE}/sketch/distinct_estimators.hpp", "0.721347520444481703680", "0.721348"),
    Mutant(f"{INCLUDE}/sketch/distinct_estimators.hpp", "0.48147376527720065", "0.48147376527720066e1"),
    Mutant(f"{INCLUDE}/sketch/token_set.hpp", "kIndexBits = 26", "kIndexBits = 25"),
    Mutant(f"{INCLUDE}/sketch/ultra_registers.hpp", "2U | (bits >> 1U)", "2U | (bits & 1U)"),
    Mutant(f"{INCLUDE}/sketch/row_hash.hpp", "0x94d049bb133111ebULL", "0x94d049bb133111edULL"),
    Mutant(f"{INCLUDE}/decay/decayed_sum.hpp", "kMostDistance = 512", "kMostDistance = 2"),
    Mutant(f"{INCLUDE}/sketch/bound_table.hpp", "(bits + 0xffffU) >> 16U", "(bits + 0xfffeU) >> 16U"),
    Mutant(f"{INCLUDE}/sketch/bound_table.hpp", "kBeside = 4", "kBeside = 3"),
    Mutant(f"{INCLUDE}/sketch/growth.hpp", "kSmoothing = 1.0", "kSmoothing = 1.01"),
    Mutant(f"{INCLUDE}/window/bucket_ring.hpp", "(window + resolution_ - 1) / resolution_", "window / resolution_ + 1"),
    Mutant(f"{INCLUDE}/window/member_bucket.hpp", "kMostTokens = 8", "kMostTokens = 7"),
    Mutant(f"{INCLUDE}/base/fixed_sum.hpp", "rest == half && (whole & 1U) != 0", "rest == half"),
    Mutant(
        f"{INCLUDE}/queue/mpmc_queue.hpp",
        "while (power < capacity) power *= 2;",
        "while (power <= capacity) power *= 2;",
    ),
    Mutant(
        f"{INCLUDE}/ranking/ranked_map.hpp",
        "return list_.count_below(codec_.floor(key)) + 1;",
        "return list_.count_below(key) + 1;",
    ),
    Mutant(f"{INCLUDE}/ranking/leaderboard_format.hpp", "kVersion = 1", "kVersion = 2"),
)


def build(tree: Path) -> None:
    """Configure once and build the extension module into the copied package."""
    environment = os.environ | {"CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)}
    output = tree / "build"
    if not output.exists():
        options = ["-DENGAGEHUB_PYTHON=ON", "-DCMAKE_BUILD_TYPE=Release", f"-DPython_EXECUTABLE={sys.executable}"]
        subprocess.run(
            ["cmake", "-S", tree, "-B", output, "-G", "Ninja", *options], check=True, stdout=subprocess.DEVNULL
        )
    subprocess.run(["cmake", "--build", output], check=True, env=environment, stdout=subprocess.DEVNULL)
    module = next(output.glob("_native*"))
    shutil.copy2(module, tree / "src/engagehub_core" / module.name)


def selftest(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the self-test of the copied package, and of no other one."""
    path = str(tree / "src")
    start = f"import sys; sys.path.insert(0, {path!r}); from engagehub_core.selftest import run; sys.exit(run())"
    return subprocess.run([sys.executable, "-S", "-c", start], check=False, capture_output=True, text=True)


def main() -> int:
    """Try every mutant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only mutants whose file name holds this text")
    parser.add_argument("--limit", type=int, default=len(MUTANTS), help="stop after so many mutants")
    options = parser.parse_args()
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in ("CMakeLists.txt", "cpp", "bindings", "src"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
            else:
                shutil.copy2(source, tree / part)
        build(tree)
        result = selftest(tree)
        sys.stdout.write(f"unaltered: exit {result.returncode}: {(result.stdout + result.stderr).splitlines()[-1]}\n")
        if result.returncode != 0:
            return 1
        for mutant in [mutant for mutant in MUTANTS if options.only in mutant.file][: options.limit]:
            path = tree / mutant.file
            original = path.read_text()
            if original.count(mutant.old) != 1:
                message = f"{mutant.file}: {mutant.old!r} must stand once, stands {original.count(mutant.old)} times"
                raise SystemExit(message)
            path.write_text(original.replace(mutant.old, mutant.new))
            build(tree)
            result = selftest(tree)
            path.write_text(original)
            caught = result.returncode == 1 and "FAILED" in result.stdout
            survivors += not caught
            line = next((line for line in result.stdout.splitlines() if "FAILED" in line), "no check failed")
            sys.stdout.write(
                f"{'caught' if caught else 'SURVIVED'}: {mutant.file}: {mutant.old} -> {mutant.new}: {line[:100]}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"{survivors} survived\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
