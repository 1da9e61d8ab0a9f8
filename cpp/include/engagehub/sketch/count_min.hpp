// SPDX-License-Identifier: MIT
// Purpose: how often an item was added, never under-estimated: the Count-Min sketch with conservative updates over
// exact 64-bit counts.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) no cell, and no sum over a row, is above the total: hence a total that fits makes every cell fit;
// (2) a kind of item is held exactly if the total isn't 0.
// Complexity: add and estimate O(depth) and the hash; merge, bytes and equality O(width * depth).
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing; so does a
// weight that would take the total past 2^64 - 1.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class CountMinSketch {
public:
    struct Bounds {
        std::uint64_t estimate;
        std::uint64_t low;
        std::uint64_t high;
    };

    explicit CountMinSketch(TableSize size = {2048, 4}) : table_(size) {}

    // The smallest table whose estimates exceed the truth by more than error * total with a probability of at most
    // 1 - confidence.
    static TableSize size_for(double error, double confidence = 0.99) {
        if (!(error > 0.0 && error < 1.0))
            throw InvalidArgument("error must be between 0 and 1, got " + std::to_string(error));
        if (!(confidence > 0.0 && confidence < 1.0)) {
            throw InvalidArgument("confidence must be between 0 and 1, got " + std::to_string(confidence));
        }
        const double width = std::ceil(kE / error);
        const double depth = std::ceil(-std::log1p(-confidence));
        if (width * depth > static_cast<double>(TableSize::kMostCells)) {
            throw InvalidArgument(
                "error and confidence must need at most 2^27 cells, got " + std::to_string(error) + " and " +
                std::to_string(confidence));
        }
        return {static_cast<std::size_t>(width), static_cast<std::size_t>(depth)};
    }

    TableSize size() const { return table_.size(); }
    ItemKind kind() const { return kind_; }
    std::uint64_t total() const { return total_; }
    double error() const { return kE / static_cast<double>(size().width); }
    double confidence() const { return -std::expm1(-static_cast<double>(size().depth)); }

    void add(const ItemView& item, std::uint64_t weight = 1) {
        require_same_kind(kind_, item, "item");
        require_room(total_, weight);
        count(item, weight);
    }

    // All or nothing.
    template <class Items, class Weights>
    void update(const Items& items, const Weights& weights, std::size_t size) {
        kind_after(kind_, items, size, "items");
        std::uint64_t total = total_;
        for (std::size_t i = 0; i < size; ++i) {
            require_room(total, weights[i]);
            total += weights[i];
        }
        for (std::size_t i = 0; i < size; ++i) count(items[i], weights[i]);
    }

    std::uint64_t estimate(const ItemView& item) const {
        require_same_kind(kind_, item, "item");
        return table_.least(hash_of(item));
    }

    // The truth is never above high, and not below low with the probability confidence().
    Bounds bounds(const ItemView& item) const {
        const std::uint64_t high = estimate(item);
        const double slack = std::floor(error() * static_cast<double>(total_));
        const std::uint64_t low = slack >= static_cast<double>(high) ? 0 : high - static_cast<std::uint64_t>(slack);
        return {high, low, high};
    }

    // The counts of both: an upper bound still, but not the table that one sketch of both streams would have, for
    // conservative updates can't be told apart afterwards.
    void merge(const CountMinSketch& other) {
        if (size() != other.size()) {
            throw Incompatible(
                "sketches of the same width and depth are required, got " + shown(size()) + " and " +
                shown(other.size()));
        }
        const ItemKind kind = merged_kind(kind_, other.kind_);
        require_room(total_, other.total_);
        const auto& theirs = other.table_.cells();
        auto& ours = table_.cells();
        for (std::size_t i = 0; i < ours.size(); ++i) ours[i] += theirs[i];
        total_ += other.total_;
        kind_ = kind;
    }

    void clear() {
        table_.clear();
        total_ = 0;
        kind_ = ItemKind::kNone;
    }

    friend bool operator==(const CountMinSketch& a, const CountMinSketch& b) {
        return a.size() == b.size() && a.kind_ == b.kind_ && a.total_ == b.total_ &&
            a.table_.cells() == b.table_.cells();
    }
    friend bool operator!=(const CountMinSketch& a, const CountMinSketch& b) { return !(a == b); }

    // docs/formats/count-min.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        writer.reserve(32 + table_.cells().size() * 8);
        writer.put(static_cast<std::uint32_t>(size().width));
        writer.put(static_cast<std::uint8_t>(size().depth));
        writer.put(static_cast<std::uint8_t>(kind_));
        writer.put(kRedisHash);
        writer.put(total_);
        for (const std::uint64_t cell : table_.cells()) writer.put(cell);
        return seal(std::move(writer));
    }

    static CountMinSketch from_bytes(std::string_view bytes) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        TableSize size{};
        size.width = reader.get<std::uint32_t>();
        size.depth = reader.get<std::uint8_t>();
        const ItemKind kind = read_kind(reader);
        read_hash(reader);
        const auto total = reader.get<std::uint64_t>();
        if (!size.is_valid()) reader.fail("has an impossible width or depth");
        if (reader.remaining() != size.cells() * 8)
            reader.fail("has another number of cells than its width and depth say");
        if ((kind == ItemKind::kNone) != (total == 0))
            reader.fail("has a kind of item without items, or items without a kind");
        CountMinSketch result(size);
        auto cell = result.table_.cells().begin();
        for (std::size_t row = 0; row < size.depth; ++row) {
            std::uint64_t room = total;
            for (std::size_t i = 0; i < size.width; ++i, ++cell) {
                *cell = reader.get<std::uint64_t>();
                if (*cell > room) reader.fail("has a row that counts more than the total");
                room -= *cell;
            }
        }
        result.kind_ = kind;
        result.total_ = total;
        return result;
    }

private:
    static constexpr Magic kMagic = {'E', 'H', 'C', 'M'};
    static constexpr std::uint8_t kVersion = 1;
    static constexpr double kE = 2.718281828459045;

    static std::string shown(TableSize size) { return std::to_string(size.width) + " x " + std::to_string(size.depth); }

    static void require_room(std::uint64_t total, std::uint64_t weight) {
        if (weight > std::numeric_limits<std::uint64_t>::max() - total) {
            throw InvalidArgument(
                "the total must stay below 2^64, got " + std::to_string(total) + " + " + std::to_string(weight));
        }
    }

    // A weight of 0 changes nothing, so it doesn't fix the kind either.
    void count(const ItemView& item, std::uint64_t weight) {
        if (weight == 0) return;
        const std::uint64_t hash = hash_of(item);
        table_.raise(hash, table_.least(hash) + weight);
        total_ += weight;
        kind_ = item.kind;
    }

    CellTable<std::uint64_t> table_;
    std::uint64_t total_ = 0;
    ItemKind kind_ = ItemKind::kNone;
};

}  // namespace engagehub
