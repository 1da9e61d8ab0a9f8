// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: what a Count-Min sketch of 4 × 2,048 cells with conservative update
// (Estan, Varghese, 2002) costs at least. Eleven bits of an item's hash name its cell in each row; only cells that hold
// the least of the four are raised. Cells don't saturate. add() asks of each cell whether it has to be raised, as the
// update is described and was published; add_to_all() writes to all of them, so that no branch can be foreseen wrongly.
// Thread safety: external. Complexity: O(1) a hash. Failure: none.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace yardstick {

template <class Cell>
class ConservativeCounts {
public:
    void clear() { cells_.fill(0); }

    void add(std::uint64_t hash) {
        const Cell raised = least(hash) + 1;
        for (std::size_t row = 0; row < kRows; ++row) {
            Cell& cell = cells_[place(hash, row)];
            if (cell < raised) cell = raised;
        }
    }

    void add_to_all(std::uint64_t hash) {
        const Cell raised = least(hash) + 1;
        for (std::size_t row = 0; row < kRows; ++row) {
            Cell& cell = cells_[place(hash, row)];
            cell = std::max(cell, raised);
        }
    }

    Cell least(std::uint64_t hash) const {
        Cell least = cells_[place(hash, 0)];
        for (std::size_t row = 1; row < kRows; ++row) least = std::min(least, cells_[place(hash, row)]);
        return least;
    }

private:
    static constexpr std::size_t kRows = 4;
    static constexpr std::size_t kWidth = 2'048;

    static std::size_t place(std::uint64_t hash, std::size_t row) {
        return row * kWidth + (hash >> (11U * row)) % kWidth;
    }

    std::array<Cell, kRows * kWidth> cells_{};
};

}  // namespace yardstick
