"""Write cpp/include/engagehub/decay/exp2_table.hpp: 2^(i/64) as pairs of doubles, from the decimal module at 60 digits.

Run it again only to change the number of entries: the table is part of what makes scores equal on every platform.
"""

import sys
from decimal import Decimal, getcontext
from pathlib import Path

ENTRIES = 64
TARGET = Path(__file__).resolve().parents[1] / "cpp/include/engagehub/decay/exp2_table.hpp"
HEADER = """// SPDX-License-Identifier: MIT
// Written by scripts/make_exp2_table.py; don't edit. kExp2Table[i] = {high, low}: high is the double nearest to
// 2^(i/64), high + low is 2^(i/64) to about 106 bits.
#pragma once

#include <array>

namespace engagehub::detail {

struct DoublePair {
    double high;
    double low;
};

"""


def main() -> None:
    """Compute every pair and write the header."""
    getcontext().prec = 60
    rows = []
    for i in range(ENTRIES):
        exact = Decimal(2) ** (Decimal(i) / ENTRIES)
        high = float(exact)
        low = float(exact - Decimal(high))
        rows.append(f"    DoublePair{{{high.hex()}, {low.hex()}}},\n")
    body = f"inline constexpr std::array<DoublePair, {ENTRIES}> kExp2Table = {{{{\n" + "".join(rows) + "}};\n"
    TARGET.write_text(HEADER + body + "\n}  // namespace engagehub::detail\n")
    sys.stdout.write(f"{TARGET.name}: {ENTRIES} entries\n")


if __name__ == "__main__":
    main()
