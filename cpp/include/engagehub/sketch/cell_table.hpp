// SPDX-License-Identifier: MIT
// Purpose: the table behind a Count-Min sketch (Cormode, Muthukrishnan 2005): depth rows of width cells, an item has
// one cell in each row. Updates are conservative (Estan, Varghese 2002): no cell is raised above what the item may
// have. Cells of 32 bits saturate: one at 2^32 - 1 stands for that or more.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) least(hash) is never below the truth of any item with that hash, if all that was counted was given
// to add()  and no cell is saturated; (2) a saturated cell stays saturated, and a table
// of 32-bit cells is that of 64-bit ones with every cell cut off at 2^32 - 1.
// Complexity: O(depth) an operation.
// Failure: the constructor throws InvalidArgument, and so does TableSize::for_error().
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/prefetch.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/sketch/row_hash.hpp>

namespace engagehub {

struct TableSize {
    // A table of this many cells takes 1 GiB.
    static constexpr std::size_t kMostCells = std::size_t{1} << 27U;
    static constexpr std::size_t kMostDepth = 64;

    std::size_t width;
    std::size_t depth;

    // The smallest table whose estimates exceed the truth by more than error * total with a probability of at most
    // 1 - confidence.
    static TableSize for_error(double error, double confidence = 0.99) {
        if (!(error > 0.0 && error < 1.0))
            throw InvalidArgument("error must be between 0 and 1, got " + engagehub::shown(error));
        if (!(confidence > 0.0 && confidence < 1.0)) {
            throw InvalidArgument("confidence must be between 0 and 1, got " + engagehub::shown(confidence));
        }
        const double width = std::ceil(kE / error);
        const double depth = std::ceil(-std::log1p(-confidence));
        if (width * depth > static_cast<double>(kMostCells)) {
            throw InvalidArgument(
                "error and confidence must need at most 2^27 cells, got " + engagehub::shown(error) + " and " +
                engagehub::shown(confidence));
        }
        return {static_cast<std::size_t>(width), static_cast<std::size_t>(depth)};
    }

    double error() const { return kE / static_cast<double>(width); }
    double confidence() const { return -std::expm1(-static_cast<double>(depth)); }

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
    std::string shown() const { return std::to_string(width) + " x " + std::to_string(depth); }
    friend bool operator==(const TableSize& a, const TableSize& b) { return a.width == b.width && a.depth == b.depth; }
    friend bool operator!=(const TableSize& a, const TableSize& b) { return !(a == b); }

private:
    static constexpr double kE = 2.718281828459045;
};

template <class Cell>
class CellTable {
public:
    static constexpr bool kSaturates = std::is_same_v<Cell, std::uint32_t>;
    static constexpr Cell kMost = std::numeric_limits<Cell>::max();

    explicit CellTable(TableSize size) : size_(size) {
        size.require();
        cells_.resize(size.cells());
    }

    TableSize size() const { return size_; }
    const std::vector<Cell>& cells() const { return cells_; }
    std::vector<Cell>& cells() { return cells_; }

    // A whole weight as cells that saturate hold it.
    static Cell cut_off(std::uint64_t weight) {
        static_assert(std::is_integral_v<Cell>);
        return static_cast<Cell>(std::min<std::uint64_t>(weight, kMost));
    }

    // The upper bound of the item with that hash.
    Cell least(std::uint64_t hash) const {
        return with_depth([&](auto /*most*/, auto depth) {
            Cell result = cells_[row_cell(hash, 0, size_.width)];
            for (std::size_t row = 1; row < depth; ++row) result = std::min(result, cells_[place(hash, row)]);
            return result;
        });
    }

    // Makes the upper bound of the item at least what it was and the amount. REQUIRES: unless cells saturate, a sum
    // that fits.
    void add(std::uint64_t hash, Cell amount) {
        with_depth([&](auto most, auto depth) {
            std::array<Place, decltype(most)::value> places;
            find(hash, depth, places.data());
            count(places.data(), depth, amount);
        });
    }

    // add(hashes[i], amounts[i]) for each i. The cells of the next items are looked up, and in a table that the nearer
    // caches can't hold also fetched, while those before them are counted.
    template <class Amounts>
    void add(const std::uint64_t* hashes, const Amounts& amounts, std::size_t size) {
        with_depth([&](auto most, auto depth) {
            constexpr std::size_t kAhead = 8;
            std::array<std::array<Place, decltype(most)::value>, kAhead> places;
            const bool is_far = cells_.size() * sizeof(Cell) > kNearBytes;
            const auto look_up = [&](std::size_t i) {
                auto& found = places[i % kAhead];
                find(hashes[i], depth, found.data());
                if (!is_far) return;
                for (std::size_t row = 0; row < depth; ++row) prefetch(&cells_[found[row]]);
            };
            for (std::size_t i = 0; i < std::min(size, kAhead); ++i) look_up(i);
            for (std::size_t i = 0; i < size; ++i) {
                count(places[i % kAhead].data(), depth, amounts[i]);
                if (i + kAhead < size) look_up(i + kAhead);
            }
        });
    }

    // Cell by cell. REQUIRES: the same size and, unless cells saturate, sums that fit.
    void merge(const CellTable& other) {
        for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i] = sum(cells_[i], other.cells_[i]);
    }

    void clear() { std::fill(cells_.begin(), cells_.end(), Cell{}); }

    friend bool operator==(const CellTable& a, const CellTable& b) {
        return a.size_ == b.size_ && a.cells_ == b.cells_;
    }

private:
    static Cell sum(Cell a, Cell b) {
        const auto result = static_cast<Cell>(a + b);
        if constexpr (kSaturates) return result < a ? kMost : result;
        return result;
    }

    // Calls body with a constant that isn't below the depth, and the depth: for the usual ones a constant, too, so that
    // loops over the rows are unrolled.
    template <class Body>
    decltype(auto) with_depth(Body&& body) const {
        constexpr std::integral_constant<std::size_t, 4> kFour;
        constexpr std::integral_constant<std::size_t, 5> kFive;
        constexpr std::integral_constant<std::size_t, TableSize::kMostDepth> kAny;
        switch (size_.depth) {
            case 4: return body(kFour, kFour);
            case 5: return body(kFive, kFive);
            default: return body(kAny, size_.depth);
        }
    }

    // Fits: there are at most 2^27 cells.
    using Place = std::uint32_t;
    static constexpr std::size_t kNearBytes = std::size_t{1} << 18U;

    void find(std::uint64_t hash, std::size_t depth, Place* places) const {
        for (std::size_t row = 0; row < depth; ++row) places[row] = static_cast<Place>(place(hash, row));
    }

    void count(const Place* places, std::size_t depth, Cell amount) {
        Cell least = cells_[places[0]];
        for (std::size_t row = 1; row < depth; ++row) least = std::min(least, cells_[places[row]]);
        const Cell bound = sum(least, amount);
        for (std::size_t row = 0; row < depth; ++row) {
            // Without a branch: whether a cell is raised can't be predicted.
            Cell& cell = cells_[places[row]];
            cell = std::max(cell, bound);
        }
    }

    std::size_t place(std::uint64_t hash, std::size_t row) const {
        return row * size_.width + row_cell(hash, row, size_.width);
    }

    TableSize size_;
    std::vector<Cell> cells_;
};

}  // namespace engagehub
