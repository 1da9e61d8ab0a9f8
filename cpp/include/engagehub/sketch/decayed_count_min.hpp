// SPDX-License-Identifier: MIT
// Purpose: how much an item was added of late, never under-estimated: the Count-Min sketch with conservative updates
// over weights that halve with every half-life. Conservative updates only compare and add, so they hold for forward
// decay as they do for counts; a query divides by one weight, and time alone changes no cell.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) no cell is above the stored total; (2) a kind of item is held exactly if something was counted;
// (3) decay_frame.hpp's for the cells and the total, which are upper bounds.
// Complexity: add and estimate O(depth) and the hash; merge, bytes and equality O(width * depth), and so is an add that
// comes more than 512 half-lives after the last that was.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <string>
#include <string_view>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/decay_frame.hpp>
#include <engagehub/decay/decayed_sum.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/count_min_format.hpp>
#include <engagehub/sketch/hash_batch.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class DecayedCountMin {
public:
    DecayedCountMin(TableSize size, HalfLife half_life, const ItemHash& hash = {})
        : table_(size), hash_(hash), frame_(half_life) {
        if (!half_life.decays()) throw InvalidArgument("half_life must be positive, got 0 microseconds");
    }

    TableSize size() const { return table_.size(); }
    HalfLife half_life() const { return frame_.half_life(); }
    const ItemHash& hash() const { return hash_; }
    ItemKind kind() const { return kind_; }
    // As of the newest weight.
    double total() const { return frame_.value(total_, kFirstInstant); }

    // A weight of 0 changes nothing, so it doesn't fix the kind either.
    void add(const ItemView& item, double weight, std::int64_t at) {
        require_same_kind(kind_, item, "item");
        decayed_sum::require_weight(weight, "weight");
        require_instant(at);
        decayed_sum::require_room(frame_.additions(), 1);
        if (weight == 0.0) return;
        const std::uint64_t hash = hash_(item);
        const double amount = frame_.count(weight, at, [this](int halvings) { move(halvings); }).high;
        table_.add(hash, amount);
        total_ += amount;
        kind_ = item.kind;
    }

    // All or nothing.
    template <class Items, class Weights, class Instants>
    void update(const Items& items, const Weights& weights, const Instants& instants, std::size_t size) {
        const ItemKind kind = kind_after(kind_, items, size, "items");
        for (std::size_t i = 0; i < size; ++i) {
            decayed_sum::require_weight(weights[i], "weights");
            require_instant(instants[i]);
        }
        decayed_sum::require_room(frame_.additions(), size);
        each_hash_piece(hash_, items, size, [&](const std::uint64_t* hashes, std::size_t first, std::size_t count) {
            count_piece(hashes, weights, instants, first, count);
        });
        if (!frame_.is_empty()) kind_ = kind;
    }

    double estimate(const ItemView& item, std::int64_t at) const { return frame_.value(least(item, at), at); }

    // The truth is never above high, and not below low with the probability size().confidence(). Both are rounded
    // outwards, so the estimate is between them.
    Answer answer(const ItemView& item, std::int64_t at) const {
        const double least = this->least(item, at);
        const double margin = decayed_sum::margin(frame_.additions());
        const double slack = size().error() * total_ * (1.0 + margin);
        const double low = std::max(0.0, least * (1.0 - margin) - slack);
        return {frame_.value(least, at), frame_.lowest(low, at), frame_.highest(least, at)};
    }

    // The weights of both: an upper bound still, but not the table that one sketch of both streams would have.
    void merge(const DecayedCountMin& other) {
        if (size() != other.size() || half_life() != other.half_life()) {
            throw Incompatible(
                "sketches of the same width, depth and half_life are required, got " + shown() + " and " +
                other.shown());
        }
        hash_.require_same(other.hash_);
        const ItemKind kind = merged_kind(kind_, other.kind_);
        decayed_sum::require_room(frame_.additions(), other.frame_.additions());
        DecayedCountMin theirs = other;
        frame_.merge(
            other.frame_, [this](int halvings) { move(halvings); }, [&](int halvings) { theirs.move(halvings); });
        table_.merge(theirs.table_);
        total_ += theirs.total_;
        kind_ = kind;
    }

    void clear() { *this = DecayedCountMin(size(), half_life(), hash_); }

    friend bool operator==(const DecayedCountMin& a, const DecayedCountMin& b) {
        return a.hash_ == b.hash_ && a.kind_ == b.kind_ && a.frame_ == b.frame_ && a.total_ == b.total_ &&
            a.table_ == b.table_;
    }
    friend bool operator!=(const DecayedCountMin& a, const DecayedCountMin& b) { return !(a == b); }

    // docs/formats/count-min.md
    std::string to_bytes() const {
        ByteWriter writer = count_min_format::begin({size(), kind_, count_min_format::Cells::kDecayed, hash_});
        frame_.write(writer);
        writer.put_double(total_);
        for (const double cell : table_.cells()) writer.put_double(cell);
        return seal(std::move(writer));
    }

    // given is the hash with the key of a keyed sketch.
    static DecayedCountMin from_bytes(std::string_view bytes, const ItemHash& given = {}) {
        return from_opened(count_min_format::Opened(bytes, given));
    }
    static DecayedCountMin from_opened(count_min_format::Opened opened) {
        const auto& header = opened.header();
        ByteReader& reader = opened.reader();
        if (header.cells != count_min_format::Cells::kDecayed)
            throw Incompatible("a sketch with half_life is required, got the data of one without it");
        const DecayFrame frame = DecayFrame::read(reader);
        const double total = decayed_sum::read_sum(reader);
        opened.require_cells();
        if ((header.kind == ItemKind::kNone) != frame.is_empty() || frame.is_empty() != (total == 0.0))
            reader.fail("has a kind of item without items, or items without a kind");
        DecayedCountMin result(header.size, frame.half_life(), header.hash);
        result.frame_ = frame;
        result.total_ = total;
        result.kind_ = header.kind;
        for (double& cell : result.table_.cells()) {
            cell = decayed_sum::read_sum(reader);
            if (cell > total) reader.fail("has a cell above the total");
        }
        return result;
    }

private:
    // What was counted has to be in the cells before they move.
    template <class Weights, class Instants>
    void count_piece(
        const std::uint64_t* hashes, const Weights& weights, const Instants& instants, std::size_t first,
        std::size_t count) {
        std::array<double, kMostHashes> amounts;
        std::size_t done = 0;
        const auto flush = [&](std::size_t end) {
            table_.add(hashes + done, amounts.data() + done, end - done);
            done = end;
        };
        for (std::size_t i = 0; i < count; ++i) {
            amounts[i] = 0.0;  // raises no cell
            if (weights[first + i] == 0.0) continue;
            amounts[i] = frame_
                             .count(
                                 weights[first + i], instants[first + i],
                                 [&](int halvings) {
                                     flush(i);
                                     move(halvings);
                                 })
                             .high;
            total_ += amounts[i];
        }
        flush(count);
    }

    void move(int halvings) {
        for (double& cell : table_.cells()) cell = decayed_sum::moved_up(cell, halvings);
        total_ = decayed_sum::moved_up(total_, halvings);
    }

    std::string shown() const {
        return size().shown() + " of " + std::to_string(half_life().micros()) + " microseconds";
    }

    double least(const ItemView& item, std::int64_t at) const {
        require_same_kind(kind_, item, "item");
        require_instant(at);
        return table_.least(hash_(item));
    }

    CellTable<double> table_;
    ItemHash hash_;
    DecayFrame frame_;
    double total_ = 0.0;
    ItemKind kind_ = ItemKind::kNone;
};

}  // namespace engagehub
