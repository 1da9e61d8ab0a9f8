// SPDX-License-Identifier: MIT
// Purpose: where an item's cell is in each row of a table. Every row mixes the item's 64-bit hash anew (SplitMix64:
// Steele, Lea, Flood 2014), so two items that share a cell in one row share one in another only by chance: all d of
// them with probability width^-d. Sums such as h1 + row * h2 don't give that: two rows that agree make the third
// likely to agree.
// Thread safety: pure function. Complexity: O(1). Failure: none; width REQUIRES 1 to 2^32 - 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engagehub {

inline std::size_t row_cell(std::uint64_t hash, std::size_t row, std::size_t width) {
    std::uint64_t mixed = hash + (static_cast<std::uint64_t>(row) + 1) * 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
    mixed ^= mixed >> 31U;
    // The upper half times the width, not a remainder: any width is as even as a power of two.
    return static_cast<std::size_t>(((mixed >> 32U) * static_cast<std::uint64_t>(width)) >> 32U);
}

}  // namespace engagehub
