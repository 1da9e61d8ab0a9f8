// SPDX-License-Identifier: MIT
// Purpose: a table of upper bounds as in a Count-Min sketch (Cormode, Muthukrishnan 2005) with conservative updates
// (Estan, Varghese 2002), in six bytes a cell: the upper 48 bits of a double, rounded up. So a cell has the range of a
// double, holds whole numbers up to 2^37 exactly, and is never more than 2^-36 of itself above what it was given.
// Thread safety: external; const methods may run side by side.
// Invariants: least() is never below a bound that raise() was given for the same item; the order of the cells' bits is
// that of their values.
// Complexity: O(depth) an operation, every() O(cells). Failure: the constructor throws InvalidArgument.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/row_hash.hpp>

namespace engagehub {

class BoundTable {
public:
    // The upper 48 bits of a double of at least 0.
    using Bits = std::uint64_t;
    // An item's column in each row.
    using Columns = std::array<std::uint32_t, TableSize::kMostDepth>;

    static constexpr std::size_t kCellBytes = 6;

    explicit BoundTable(TableSize size) : size_(size) {
        size.require();
        cells_.resize(size.cells() * kCellBytes);
    }

    TableSize size() const { return size_; }
    std::size_t bytes() const { return cells_.capacity(); }

    // REQUIRES: finite, at least 0, and so far below the largest double that rounding up doesn't leave the range.
    static Bits bits_of(double bound) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &bound, sizeof bits);
        return (bits + 0xffffU) >> 16U;
    }
    static double value_of(Bits bits) {
        const std::uint64_t shifted = bits << 16U;
        double value = 0.0;
        std::memcpy(&value, &shifted, sizeof value);
        return value;
    }

    // Only the rows that there are, the rest is left as it is.
    void locate(std::uint64_t hash, Columns& columns) const {
        for (std::size_t row = 0; row < size_.depth; ++row)
            columns[row] = static_cast<std::uint32_t>(row_cell(hash, row, size_.width));
    }

    // The upper bound of the item.
    double least(const Columns& columns) const {
        Bits result = cell(columns[0]);
        for (std::size_t row = 1; row < size_.depth; ++row)
            result = std::min(result, cell(row * size_.width + columns[row]));
        return value_of(result);
    }

    // What an item that was never counted would be given: the mean over four columns beside the item's, which belong
    // to others and lie in the same cache line mostly.
    double level(const Columns& columns) const {
        std::array<Bits, kBeside> least;
        least.fill(~Bits{0});
        for (std::size_t row = 0; row < size_.depth; ++row) {
            const std::size_t first = row * size_.width;
            const std::size_t column = columns[row] + std::size_t{1};
            if (column + kBeside <= size_.width) {
                for (std::size_t i = 0; i < kBeside; ++i) least[i] = std::min(least[i], cell(first + column + i));
            } else {
                for (std::size_t i = 0; i < kBeside; ++i)
                    least[i] = std::min(least[i], cell(first + (column + i) % size_.width));
            }
        }
        double sum = 0.0;
        for (const Bits bits : least) sum += value_of(bits);
        return sum / static_cast<double>(kBeside);
    }

    // Makes the upper bound of the item at least this.
    void raise(const Columns& columns, double bound) {
        const Bits wanted = bits_of(bound);
        for (std::size_t row = 0; row < size_.depth; ++row) {
            const std::size_t index = row * size_.width + columns[row];
            if (cell(index) < wanted) store(index, wanted);
        }
    }

    // All cells, row by row.
    std::size_t cells() const { return size_.cells(); }
    Bits cell(std::size_t index) const {
        std::uint32_t upper = 0;
        std::uint16_t lower = 0;
        std::memcpy(&upper, &cells_[index * kCellBytes], sizeof upper);
        std::memcpy(&lower, &cells_[index * kCellBytes + sizeof upper], sizeof lower);
        return static_cast<Bits>(upper) << 16U | lower;
    }
    void store(std::size_t index, Bits bits) {
        const auto upper = static_cast<std::uint32_t>(bits >> 16U);
        const auto lower = static_cast<std::uint16_t>(bits & 0xffffU);
        std::memcpy(&cells_[index * kCellBytes], &upper, sizeof upper);
        std::memcpy(&cells_[index * kCellBytes + sizeof upper], &lower, sizeof lower);
    }

private:
    static constexpr std::size_t kBeside = 4;

    TableSize size_;
    std::vector<unsigned char> cells_;
};

}  // namespace engagehub
