// SPDX-License-Identifier: MIT
// Purpose: the table behind a Count-Min sketch (Cormode, Muthukrishnan 2005): depth rows of width cells, an item has
// one cell in each row. Updates are conservative (Estan, Varghese 2002): no cell is raised above what the item may
// have.
// Thread safety: external; const methods may run side by side.
// Invariants: least(hash) is never below the truth of any item with that hash, if every raise() gave such a bound.
// Complexity: O(depth) an operation.
// Failure: the constructor throws InvalidArgument.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/sketch/row_hash.hpp>

namespace engagehub {

struct TableSize {
    // A table of this many cells takes 1 GiB.
    static constexpr std::size_t kMostCells = std::size_t{1} << 27U;
    static constexpr std::size_t kMostDepth = 64;

    std::size_t width;
    std::size_t depth;

    std::size_t cells() const { return width * depth; }
    bool is_valid() const { return width >= 1 && depth >= 1 && depth <= kMostDepth && width <= kMostCells / depth; }
    void require() const {
        if (width < 1 || width > kMostCells) {
            throw InvalidArgument("width must be between 1 and 2^27, got " + std::to_string(width));
        }
        if (depth < 1 || depth > kMostDepth) {
            throw InvalidArgument("depth must be between 1 and 64, got " + std::to_string(depth));
        }
        if (!is_valid()) throw InvalidArgument("width * depth must be at most 2^27, got " + std::to_string(cells()));
    }
    friend bool operator==(const TableSize& a, const TableSize& b) { return a.width == b.width && a.depth == b.depth; }
    friend bool operator!=(const TableSize& a, const TableSize& b) { return !(a == b); }
};

template <class Cell>
class CellTable {
public:
    explicit CellTable(TableSize size) : size_(size) {
        size.require();
        cells_.resize(size.cells());
    }

    TableSize size() const { return size_; }
    const std::vector<Cell>& cells() const { return cells_; }
    std::vector<Cell>& cells() { return cells_; }

    // The upper bound of the item with that hash.
    Cell least(std::uint64_t hash) const {
        Cell result = cells_[row_cell(hash, 0, size_.width)];
        for (std::size_t row = 1; row < size_.depth; ++row) result = std::min(result, cells_[place(hash, row)]);
        return result;
    }

    // Makes the upper bound of the item at least this.
    void raise(std::uint64_t hash, Cell bound) {
        for (std::size_t row = 0; row < size_.depth; ++row) {
            Cell& cell = cells_[place(hash, row)];
            cell = std::max(cell, bound);
        }
    }

    void clear() { std::fill(cells_.begin(), cells_.end(), Cell{}); }

private:
    std::size_t place(std::uint64_t hash, std::size_t row) const {
        return row * size_.width + row_cell(hash, row, size_.width);
    }

    TableSize size_;
    std::vector<Cell> cells_;
};

}  // namespace engagehub
