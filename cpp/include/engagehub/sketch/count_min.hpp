// SPDX-License-Identifier: MIT
// Purpose: how often an item was added, never under-estimated: the Count-Min sketch with conservative updates over
// exact counts of 64 bits, or over ones of 32 bits that saturate.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) no cell, and no sum over a row, is above the total: hence a total that fits makes every cell fit;
// (2) a kind of item is held exactly if the total isn't 0; (3) an upper bound that comes from a saturated cell is the
// total, for that is all that is known.
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
#include <type_traits>
#include <utility>
#include <variant>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/count_min_format.hpp>
#include <engagehub/sketch/hash_batch.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class CountMinSketch {
public:
    struct Bounds {
        std::uint64_t estimate;
        std::uint64_t low;
        std::uint64_t high;
    };

    explicit CountMinSketch(TableSize size = {2048, 4}, std::uint64_t cell_bits = 64, const ItemHash& hash = {})
        : table_(table_of(size, cell_bits)), hash_(hash) {}

    TableSize size() const {
        return std::visit([](const auto& table) { return table.size(); }, table_);
    }
    unsigned cell_bits() const { return std::holds_alternative<Wide>(table_) ? 64 : 32; }
    const ItemHash& hash() const { return hash_; }
    ItemKind kind() const { return kind_; }
    std::uint64_t total() const { return total_; }

    // A weight of 0 changes nothing, so it doesn't fix the kind either.
    void add(const ItemView& item, std::uint64_t weight = 1) {
        require_same_kind(kind_, item, "item");
        require_room(total_, weight);
        if (weight == 0) return;
        const std::uint64_t hash = hash_(item);
        std::visit([&](auto& table) { table.add(hash, table.cut_off(weight)); }, table_);
        total_ += weight;
        kind_ = item.kind;
    }

    // All or nothing.
    template <class Items, class Weights>
    void update(const Items& items, const Weights& weights, std::size_t size) {
        const ItemKind kind = kind_after(kind_, items, size, "items");
        std::uint64_t total = total_;
        for (std::size_t i = 0; i < size; ++i) {
            require_room(total, weights[i]);
            total += weights[i];
        }
        std::visit(
            [&](auto& table) {
                each_hash_piece(
                    hash_, items, size, [&](const std::uint64_t* hashes, std::size_t first, std::size_t count) {
                        table.add(hashes, Amounts<std::decay_t<decltype(table)>, Weights>{weights, first}, count);
                    });
            },
            table_);
        if (total != total_) kind_ = kind;
        total_ = total;
    }

    std::uint64_t estimate(const ItemView& item) const { return high_of(least(item)); }

    // The truth is never above high, and not below low with the probability size().confidence().
    Bounds bounds(const ItemView& item) const {
        const std::uint64_t least = this->least(item);
        const double slack = std::floor(size().error() * static_cast<double>(total_));
        const std::uint64_t low = slack >= static_cast<double>(least) ? 0 : least - static_cast<std::uint64_t>(slack);
        return {high_of(least), low, high_of(least)};
    }

    // The counts of both: an upper bound still, but not the table that one sketch of both streams would have, for
    // conservative updates can't be told apart afterwards.
    void merge(const CountMinSketch& other) {
        if (size() != other.size() || cell_bits() != other.cell_bits()) {
            throw Incompatible(
                "sketches of the same width, depth and cell_bits are required, got " + shown() + " and " +
                other.shown());
        }
        hash_.require_same(other.hash_);
        const ItemKind kind = merged_kind(kind_, other.kind_);
        require_room(total_, other.total_);
        std::visit([&](auto& table) { table.merge(std::get<std::decay_t<decltype(table)>>(other.table_)); }, table_);
        total_ += other.total_;
        kind_ = kind;
    }

    void clear() {
        std::visit([](auto& table) { table.clear(); }, table_);
        total_ = 0;
        kind_ = ItemKind::kNone;
    }

    friend bool operator==(const CountMinSketch& a, const CountMinSketch& b) {
        return a.hash_ == b.hash_ && a.kind_ == b.kind_ && a.total_ == b.total_ && a.table_ == b.table_;
    }
    friend bool operator!=(const CountMinSketch& a, const CountMinSketch& b) { return !(a == b); }

    // docs/formats/count-min.md
    std::string to_bytes() const {
        using count_min_format::Cells;
        const Cells cells = cell_bits() == 64 ? Cells::kWide : Cells::kSaturating;
        ByteWriter writer = count_min_format::begin({size(), kind_, cells, hash_});
        writer.put(total_);
        std::visit(
            [&](const auto& table) {
                for (const auto cell : table.cells()) writer.put(cell);
            },
            table_);
        return seal(std::move(writer));
    }

    // given is the hash with the key of a keyed sketch.
    static CountMinSketch from_bytes(std::string_view bytes, const ItemHash& given = {}) {
        return from_opened(count_min_format::Opened(bytes, given));
    }
    static CountMinSketch from_opened(count_min_format::Opened opened) {
        const auto& header = opened.header();
        ByteReader& reader = opened.reader();
        if (header.cells == count_min_format::Cells::kDecayed)
            throw Incompatible("a sketch without half_life is required, got the data of one with it");
        const auto total = reader.get<std::uint64_t>();
        opened.require_cells();
        if ((header.kind == ItemKind::kNone) != (total == 0))
            reader.fail("has a kind of item without items, or items without a kind");
        CountMinSketch result(header.size, header.cells == count_min_format::Cells::kWide ? 64 : 32, header.hash);
        std::visit([&](auto& table) { read_cells(reader, table, total); }, result.table_);
        result.kind_ = header.kind;
        result.total_ = total;
        return result;
    }

private:
    using Wide = CellTable<std::uint64_t>;
    using Saturating = CellTable<std::uint32_t>;
    using Table = std::variant<Wide, Saturating>;

    static Table table_of(TableSize size, std::uint64_t cell_bits) {
        if (cell_bits == 64) return Wide(size);
        if (cell_bits == 32) return Saturating(size);
        throw InvalidArgument("cell_bits must be 64 or 32, got " + std::to_string(cell_bits));
    }

    // The weights of a piece of a batch as cells hold them.
    template <class AnyTable, class Weights>
    struct Amounts {
        const Weights& weights;
        std::size_t first;
        auto operator[](std::size_t i) const { return AnyTable::cut_off(weights[first + i]); }
    };

    template <class Cell>
    static void read_cells(ByteReader& reader, CellTable<Cell>& table, std::uint64_t total) {
        auto cell = table.cells().begin();
        for (std::size_t row = 0; row < table.size().depth; ++row) {
            std::uint64_t room = total;
            for (std::size_t i = 0; i < table.size().width; ++i, ++cell) {
                *cell = reader.get<Cell>();
                if (*cell > room) reader.fail("has a row that counts more than the total");
                room -= *cell;
            }
        }
    }

    std::string shown() const { return size().shown() + " of " + std::to_string(cell_bits()) + " bits"; }

    static void require_room(std::uint64_t total, std::uint64_t weight) {
        if (weight > std::numeric_limits<std::uint64_t>::max() - total) {
            throw InvalidArgument(
                "the total must stay below 2^64, got " + std::to_string(total) + " + " + std::to_string(weight));
        }
    }

    std::uint64_t least(const ItemView& item) const {
        require_same_kind(kind_, item, "item");
        const std::uint64_t hash = hash_(item);
        return std::visit([&](const auto& table) -> std::uint64_t { return table.least(hash); }, table_);
    }

    std::uint64_t high_of(std::uint64_t least) const {
        return cell_bits() == 32 && least == Saturating::kMost ? total_ : least;
    }

    Table table_;
    ItemHash hash_;
    std::uint64_t total_ = 0;
    ItemKind kind_ = ItemKind::kNone;
};

}  // namespace engagehub
