// SPDX-License-Identifier: MIT
// Purpose: the heavy hitters of a stream, optionally of its recent past: 2 k candidates with an estimate and bounds of
// their weight, over a table of upper bounds for everybody else (Roy, Khan, Alonso, «Augmented Sketch», SIGMOD 2016,
// with conservative updates). A candidate's weight stays out of the table until it is displaced, so it doesn't blur the
// others. As in Space-Saving (Metwally, Agrawal, El Abbadi, 2005) whoever comes is a candidate from then on, in the
// place of the one with the lowest upper bound; unlike there, the table remembers the one displaced. With a half-life,
// weights decay; with a baseline, a second and longer half-life is kept beside the first, which tells who grows.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) those of DecayedBounds, for either half-life; (2) once there is no room for another candidate, the
// heap's root is the one with the lowest upper bound, of equal ones the last item; (3) the item that came last is a
// candidate.
// Complexity: add O(depth + log k), and O(width * depth + k log k) in the rare move of an exponent, O(k log k) when the
// last room for a candidate is taken; rows O(k log k).
// Rounding: integer weights without a half-life are exact while their sum is below 2^53, but for what the table rounds
// up above 2^37. Otherwise answers widen their bounds by (n + 8) * 2^-52 for n additions.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing. A
// std::bad_alloc leaves valid bounds for all that was counted before.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/decayed_sum.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/bound_table.hpp>
#include <engagehub/sketch/candidate_table.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/decayed_bounds.hpp>
#include <engagehub/sketch/growth.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class TopK {
public:
    // The item is borrowed: the next change ends it.
    struct Row {
        ItemView item;
        Answer answer;
    };
    struct GrowthRow {
        ItemView item;
        Growth growth;
    };
    // Neither decays by default; a baseline needs a shorter half-life beside it.
    struct HalfLives {
        // NOLINTNEXTLINE(google-explicit-constructor): one half-life alone is meant to do
        HalfLives(HalfLife its_recent = {}, HalfLife its_baseline = {}) : recent(its_recent), baseline(its_baseline) {}
        HalfLife recent;
        HalfLife baseline;
    };

    static constexpr std::size_t kMostK = std::size_t{1} << 20U;
    static constexpr TableSize kUsualSize{2048, 4};

    explicit TopK(
        std::size_t k = 100, HalfLives half_lives = {}, TableSize size = kUsualSize, ItemHash hash = ItemHash())
        : k_(checked(k)), hash_(hash), recent_(half_lives.recent, size) {
        if (!half_lives.baseline.decays()) return;
        if (!half_lives.recent.decays()) {
            throw InvalidArgument(
                "baseline must be longer than half_life, which must be given beside it, got a baseline of " +
                std::to_string(half_lives.baseline.micros()) + " microseconds alone");
        }
        if (half_lives.baseline.micros() <= half_lives.recent.micros()) {
            throw InvalidArgument(
                "baseline must be longer than half_life, got " + std::to_string(half_lives.baseline.micros()) +
                " and " + std::to_string(half_lives.recent.micros()) + " microseconds");
        }
        baseline_.emplace(half_lives.baseline, size);
    }

    std::size_t k() const { return k_; }
    HalfLife half_life() const { return recent_.half_life(); }
    // That never decays where there is none.
    HalfLife baseline() const { return baseline_ ? baseline_->half_life() : HalfLife(); }
    TableSize table_size() const { return recent_.table().size(); }
    const ItemHash& hash() const { return hash_; }
    // How many rows there are to ask for.
    std::size_t size() const { return std::min(k_, heap_.size()); }
    ItemKind kind() const { return items_.kind(); }

    // All memory of the sketch: the tables, the candidates with their texts, and what finds them.
    std::size_t nbytes() const {
        return sizeof *this + recent_.bytes() + (baseline_ ? baseline_->bytes() : 0) + items_.bytes() +
            heap_.capacity() * sizeof(Slot);
    }

    // Queries answer as of this instant: the one asked for, but never before the newest event.
    std::int64_t as_of(std::int64_t at) const { return std::max(at, newest_); }

    // The instant is that of the event, in microseconds; without a half-life it doesn't matter.
    void add(const ItemView& item, double weight = 1.0, std::int64_t at = 0) {
        require_same_kind(kind(), item, "item");
        decayed_sum::require_weight(weight, "weight");
        require_instant(at);
        decayed_sum::require_room(additions_, 1);
        count(item, weight, at);
    }

    // All or nothing, but for std::bad_alloc.
    template <class Items, class Weights, class Instants>
    void update(const Items& items, const Weights& weights, const Instants& instants, std::size_t size) {
        kind_after(kind(), items, size, "items");
        for (std::size_t i = 0; i < size; ++i) {
            decayed_sum::require_weight(weights[i], "weights");
            require_instant(instants[i]);
        }
        decayed_sum::require_room(additions_, size);
        for (std::size_t i = 0; i < size; ++i) count(items[i], weights[i], instants[i]);
    }

    Answer answer(const ItemView& item, std::int64_t at = 0) const {
        require_same_kind(kind(), item, "item");
        require_instant(at);
        return read(bounds_of(recent_, item), half_life().weight(as_of(at)));
    }

    // The n largest estimates; of equal ones the smaller item comes first.
    std::vector<Row> top(std::size_t n, std::int64_t at = 0) const {
        require_instant(at);
        const Scaled now = half_life().weight(as_of(at));
        std::vector<Row> rows;
        rows.reserve(heap_.size());
        for (const Slot slot : heap_) rows.push_back({items_[slot], read(recent_[slot], now)});
        keep_first(rows, std::min(n, k_), [](const Row& row) { return row.answer.estimate; });
        return rows;
    }

    // The n candidates that grow most surely; of equal scores the smaller item comes first. THROWS: InvalidArgument
    // without a baseline.
    std::vector<GrowthRow> growth(std::size_t n, std::int64_t at = 0) const {
        if (!baseline_)
            throw InvalidArgument("baseline must be given to the sketch that is asked for growth, got none");
        require_instant(at);
        const std::int64_t instant = as_of(at);
        const Scaled now = half_life().weight(instant);
        const Scaled baseline_now = baseline().weight(instant);
        const GrowthScale scale(half_life(), baseline(), additions_ == 0 ? 0 : instant - oldest_);
        std::vector<GrowthRow> rows;
        rows.reserve(heap_.size());
        for (const Slot slot : heap_) {
            const double before = baseline_->read((*baseline_)[slot], baseline_now, additions_, false).estimate;
            rows.push_back({items_[slot], scale(read(recent_[slot], now).estimate, before)});
        }
        keep_first(rows, std::min(n, k_), [](const GrowthRow& row) { return row.growth.score; });
        return rows;
    }

    // Both streams: bounds add up. An item that is a candidate in one of the two only has a lower bound from that one.
    void merge(const TopK& other) {
        hash_.require_same(other.hash_);
        if (k_ != other.k_ || half_life() != other.half_life() || baseline() != other.baseline() ||
            table_size() != other.table_size()) {
            throw Incompatible(
                "sketches of the same k, half_life, baseline, width and depth are required, got " + shown() + " and " +
                other.shown());
        }
        merged_kind(kind(), other.kind());
        decayed_sum::require_room(additions_, other.additions_);
        if (other.additions_ == 0) return;
        if (additions_ == 0) {
            *this = other;
            return;
        }
        TopK ours = *this;
        TopK theirs = other;
        align(ours.recent_, theirs.recent_);
        if (baseline_) align(*ours.baseline_, *theirs.baseline_);
        *this = joined(ours, theirs);
    }

    void clear() { *this = emptied(); }

    // Equal states: they answer alike now and after the same changes.
    friend bool operator==(const TopK& a, const TopK& b) { return a.hash_ == b.hash_ && a.to_bytes() == b.to_bytes(); }
    friend bool operator!=(const TopK& a, const TopK& b) { return !(a == b); }

    // docs/formats/top-k.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        writer.put(static_cast<std::uint32_t>(k_));
        writer.put(static_cast<std::uint32_t>(table_size().width));
        writer.put(static_cast<std::uint8_t>(table_size().depth));
        writer.put(static_cast<std::uint8_t>(kind()));
        hash_.write(writer);
        writer.put(static_cast<std::uint8_t>(fractional_ ? 1 : 0));
        writer.put_signed(half_life().micros());
        writer.put_signed(baseline().micros());
        writer.put(additions_);
        writer.put_double(total_);
        writer.put_signed(newest_);
        writer.put_signed(oldest_);
        each_layer(*this, [&](const DecayedBounds& layer) { writer.put_signed(layer.exponent()); });
        writer.put(static_cast<std::uint32_t>(heap_.size()));
        std::vector<Slot> order = heap_;
        std::sort(order.begin(), order.end(), [this](Slot a, Slot b) { return is_worse(b, a); });
        for (const Slot slot : order) {
            const ItemView item = items_[slot];
            if (item.kind == ItemKind::kText) {
                writer.put_text(item.text);
            } else {
                writer.put_signed(item.number);
            }
            each_layer(*this, [&](const DecayedBounds& layer) {
                writer.put_double(layer[slot].low);
                writer.put_double(layer[slot].high);
                writer.put_float(layer[slot].share);
            });
        }
        each_layer(*this, [&](const DecayedBounds& layer) {
            for (std::size_t i = 0; i < layer.table().cells(); ++i) {
                const BoundTable::Bits bits = layer.table().cell(i);
                writer.put(static_cast<std::uint16_t>(bits & 0xffffU));
                writer.put(static_cast<std::uint32_t>(bits >> 16U));
            }
        });
        return seal(std::move(writer));
    }

    // THROWS: Incompatible too, if the sketch is keyed and this isn't its key, or the other way round.
    static TopK from_bytes(std::string_view bytes, const ItemHash& given = ItemHash()) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        const bool is_first_version = static_cast<std::uint8_t>(bytes[kFrameHeader - 1]) == 1;
        const std::size_t k = reader.get<std::uint32_t>();
        TableSize size{};
        size.width = reader.get<std::uint32_t>();
        size.depth = reader.get<std::uint8_t>();
        const ItemKind kind = read_kind(reader);
        const ItemHash hash = ItemHash::read_redis_or_keyed(reader, given);
        if (is_first_version && hash != ItemHash::redis()) reader.fail("has a hash that its version doesn't know");
        const auto fractional = reader.get<std::uint8_t>();
        if (fractional > 1) reader.fail("has an unknown flag");
        const HalfLife half_life = read_half_life(reader);
        const HalfLife baseline = is_first_version ? HalfLife() : read_half_life(reader);
        if (k < 1 || k > kMostK) reader.fail("has an impossible k");
        if (baseline.decays() && (!half_life.decays() || baseline.micros() <= half_life.micros()))
            reader.fail("has a baseline that isn't longer than its half-life");
        const std::size_t cell_bytes =
            is_first_version ? sizeof(double) : BoundTable::kCellBytes * (baseline.decays() ? 2 : 1);
        if (!size.is_valid() || reader.remaining() / cell_bytes < size.cells())
            reader.fail("has another number of cells than its width and depth say");
        TopK result(k, {half_life, baseline}, size, hash);
        result.fractional_ = fractional == 1;
        result.read_state(reader, is_first_version);
        result.read_candidates(reader, kind, is_first_version);
        each_layer(result, [&](DecayedBounds& layer) {
            for (std::size_t i = 0; i < layer.table().cells(); ++i) {
                const BoundTable::Bits bits =
                    is_first_version ? BoundTable::bits_of(decayed_sum::read_sum(reader)) : read_cell(reader);
                if (result.additions_ == 0 && bits != 0) reader.fail("has a state without additions");
                layer.table().store(i, bits);
            }
        });
        reader.require_end();
        return result;
    }

private:
    using Slot = CandidateTable::Slot;
    using Bounds = DecayedBounds::Bounds;
    using Columns = BoundTable::Columns;

    static constexpr Magic kMagic = {'E', 'H', 'T', 'K'};
    static constexpr std::uint8_t kVersion = 2;

    static std::size_t checked(std::size_t k) {
        if (k < 1 || k > kMostK) throw InvalidArgument("k must be between 1 and 2^20, got " + std::to_string(k));
        return k;
    }

    static bool precedes(const ItemView& a, const ItemView& b) {
        return a.kind == ItemKind::kText ? a.text < b.text : a.number < b.number;
    }

    // Calls visit(layer) for the bounds under each half-life.
    template <class Sketch, class Visit>
    static void each_layer(Sketch& sketch, Visit&& visit) {
        visit(sketch.recent_);
        if (sketch.baseline_) visit(*sketch.baseline_);
    }

    // Sorts the first n by descending value, equal ones by item, and drops the others.
    template <class Rows, class Value>
    static void keep_first(Rows& rows, std::size_t n, const Value& value) {
        const auto end = rows.begin() + static_cast<std::ptrdiff_t>(std::min(n, rows.size()));
        std::partial_sort(rows.begin(), end, rows.end(), [&](const auto& a, const auto& b) {
            return value(a) != value(b) ? value(a) > value(b) : precedes(a.item, b.item);
        });
        rows.erase(end, rows.end());
    }

    std::string shown() const {
        return std::to_string(k_) + ", " + std::to_string(half_life().micros()) + " and " +
            std::to_string(baseline().micros()) + " microseconds, " + std::to_string(table_size().width) + " and " +
            std::to_string(table_size().depth);
    }

    TopK emptied() const { return TopK(k_, {half_life(), baseline()}, table_size(), hash_); }

    // One place more than rows, so that the last item finds one when k others have larger bounds.
    std::size_t most_candidates() const { return 2 * k_; }
    // Before that nobody is displaced, so nobody needs to know who would be: the heap is a mere list.
    bool is_full() const { return heap_.size() == most_candidates(); }

    bool is_exact() const { return !half_life().decays() && !fractional_ && total_ < decayed_sum::kMostWeight; }

    Answer read(const Bounds& bounds, const Scaled& now) const {
        return recent_.read(bounds, now, additions_, is_exact());
    }

    Columns columns_of(std::uint64_t hash) const {
        Columns columns;
        recent_.table().locate(hash, columns);
        return columns;
    }

    Bounds bounds_of(const DecayedBounds& layer, const ItemView& item) const {
        const std::uint64_t hash = hash_(item);
        if (const auto slot = items_.find(item, hash)) return layer[*slot];
        return layer.outside(columns_of(hash));
    }

    // REQUIRES: checked arguments. A weight of 0 changes nothing.
    void count(const ItemView& item, double weight, std::int64_t at) {
        if (weight == 0.0) return;
        const bool is_first = additions_ == 0;
        const std::uint64_t hash = hash_(item);
        const auto held = items_.find(item, hash);
        // All that may fail for want of memory comes before the exponents move.
        const Slot slot = held ? *held : add_candidate(item, hash);
        if (recent_.follow(at, is_first) && is_full()) reorder();
        if (baseline_) baseline_->follow(at, is_first);
        if (held) {
            each_layer(*this, [&](DecayedBounds& layer) { layer.add(slot, layer.gain(weight, at)); });
            if (is_full()) sift_down(recent_[slot].place);
        } else {
            admit(slot, weight, at);
        }
        newest_ = is_first ? at : std::max(newest_, at);
        if (baseline_) oldest_ = is_first ? at : std::min(oldest_, at);
        ++additions_;
        total_ += weight;
        fractional_ = fractional_ || weight != std::floor(weight);
    }

    void admit(Slot slot, double weight, std::int64_t at) {
        const Columns columns = columns_of(items_.hash(slot));
        recent_[slot] = recent_.outside(columns);
        if (baseline_) (*baseline_)[slot] = baseline_->outside(columns);
        each_layer(*this, [&](DecayedBounds& layer) { layer.add(slot, layer.gain(weight, at)); });
        if (!is_full()) {
            heap_.push_back(slot);
            if (is_full()) reorder();
        } else {
            dismiss(heap_.front());
            put(0, slot);
            sift_down(0);
        }
    }

    // Into the tables. Its place in the heap is free then.
    void dismiss(Slot slot) {
        const Columns columns = columns_of(items_.hash(slot));
        each_layer(*this, [&](DecayedBounds& layer) { layer.dismiss(slot, columns); });
        items_.erase(slot);
    }

    // Without bounds and a place in the heap, but with the memory for both.
    Slot add_candidate(const ItemView& item, std::uint64_t hash) {
        if (heap_.size() == room_ && room_ < most_candidates()) reserve(std::min(most_candidates(), room_ * 2 + 8));
        items_.reserve(room_ + 1);  // a copy has nothing to spare
        heap_.reserve(room_);
        return items_.insert(item, hash);
    }

    // One slot more than candidates: who is displaced makes room after the newcomer has come. Slots are given out again
    // before new ones.
    void reserve(std::size_t candidates) {
        each_layer(*this, [&](DecayedBounds& layer) { layer.reserve(candidates + 1); });
        room_ = candidates;
    }

    bool is_worse(Slot a, Slot b) const {
        return recent_[a].high != recent_[b].high ? recent_[a].high < recent_[b].high : precedes(items_[b], items_[a]);
    }

    void put(std::size_t place, Slot slot) {
        heap_[place] = slot;
        recent_[slot].place = static_cast<std::uint32_t>(place);
    }

    void sift_down(std::size_t place) {
        const Slot slot = heap_[place];
        for (std::size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
            if (child + 1 < heap_.size() && is_worse(heap_[child + 1], heap_[child])) ++child;
            if (!is_worse(heap_[child], slot)) break;
            put(place, heap_[child]);
            place = child;
        }
        put(place, slot);
    }

    // Worst first, a sorted list is a heap.
    void reorder() {
        std::sort(heap_.begin(), heap_.end(), [this](Slot a, Slot b) { return is_worse(a, b); });
        for (std::size_t place = 0; place < heap_.size(); ++place) put(place, heap_[place]);
    }

    static void align(DecayedBounds& a, DecayedBounds& b) {
        const std::int64_t exponent = std::max(a.exponent(), b.exponent());
        a.move_exponent(exponent);
        b.move_exponent(exponent);
    }

    // REQUIRES: the same settings and exponents; both hold something.
    static TopK joined(const TopK& a, const TopK& b) {
        struct Candidate {
            ItemView item;
            Bounds recent;
            Bounds baseline;
        };
        std::vector<Candidate> candidates;
        candidates.reserve(a.heap_.size() + b.heap_.size());
        const auto add = [&](const ItemView& item) {
            Candidate candidate{item, a.bounds_of(a.recent_, item) + b.bounds_of(b.recent_, item), {}};
            if (a.baseline_) candidate.baseline = a.bounds_of(*a.baseline_, item) + b.bounds_of(*b.baseline_, item);
            candidates.push_back(candidate);
        };
        for (const Slot slot : a.heap_) add(a.items_[slot]);
        for (const Slot slot : b.heap_) {
            if (!a.items_.find(b.items_[slot], b.items_.hash(slot))) add(b.items_[slot]);
        }
        std::sort(candidates.begin(), candidates.end(), [](const Candidate& x, const Candidate& y) {
            return x.recent.high != y.recent.high ? x.recent.high > y.recent.high : precedes(x.item, y.item);
        });
        TopK result = a.emptied();
        add_tables(result.recent_, a.recent_, b.recent_);
        if (a.baseline_) add_tables(*result.baseline_, *a.baseline_, *b.baseline_);
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const auto& [item, recent, baseline] = candidates[i];
            const std::uint64_t hash = result.hash_(item);
            if (i < result.most_candidates()) {
                const Slot slot = result.add_candidate(item, hash);
                result.recent_[slot] = recent;
                if (result.baseline_) (*result.baseline_)[slot] = baseline;
                result.heap_.push_back(slot);
            } else {
                const Columns columns = result.columns_of(hash);
                result.recent_.table().raise(columns, recent.high);
                if (result.baseline_) result.baseline_->table().raise(columns, baseline.high);
            }
        }
        result.reorder();
        result.newest_ = std::max(a.newest_, b.newest_);
        result.oldest_ = std::min(a.oldest_, b.oldest_);
        result.additions_ = a.additions_ + b.additions_;
        result.total_ = a.total_ + b.total_;
        result.fractional_ = a.fractional_ || b.fractional_;
        return result;
    }

    static void add_tables(DecayedBounds& result, const DecayedBounds& a, const DecayedBounds& b) {
        result.set_exponent(a.exponent());
        for (std::size_t i = 0; i < a.table().cells(); ++i) {
            const double sum = BoundTable::value_of(a.table().cell(i)) + BoundTable::value_of(b.table().cell(i));
            result.table().store(i, BoundTable::bits_of(sum));
        }
    }

    static HalfLife read_half_life(ByteReader& reader) {
        const std::int64_t micros = reader.get_signed();
        if (micros < 0) reader.fail("has a negative half-life");
        return HalfLife::of_micros(micros);
    }

    static BoundTable::Bits read_cell(ByteReader& reader) {
        const auto lower = reader.get<std::uint16_t>();
        const BoundTable::Bits bits = static_cast<BoundTable::Bits>(reader.get<std::uint32_t>()) << 16U | lower;
        if (bits > BoundTable::bits_of(decayed_sum::kMostSum)) reader.fail("has an impossible bound");
        return bits;
    }

    // REQUIRES: half-lives and fractional_ are read.
    void read_state(ByteReader& reader, bool is_first_version) {
        additions_ = reader.get<std::uint64_t>();
        total_ = decayed_sum::read_sum(reader);
        newest_ = reader.get_signed();
        oldest_ = is_first_version ? 0 : reader.get_signed();
        for (const std::int64_t instant : {newest_, oldest_}) {
            if (instant < kFirstInstant || instant > kLastInstant) reader.fail("has an impossible instant");
        }
        if (baseline_ ? oldest_ > newest_ : oldest_ != 0) reader.fail("has an oldest event that can't be");
        each_layer(*this, [&](DecayedBounds& layer) {
            // The exponent of an event, at most kMostDistance behind the newest one's.
            const std::int64_t exponent = reader.get_signed();
            const std::int64_t newest = additions_ == 0 ? 0 : layer.half_life().weight(newest_).exponent;
            const std::int64_t distance =
                layer.half_life().decays() && additions_ != 0 ? decayed_sum::kMostDistance : 0;
            if (exponent > newest || exponent < newest - distance) reader.fail("has an impossible exponent");
            layer.set_exponent(exponent);
        });
        if (additions_ > decayed_sum::kMostAdditions) reader.fail("has an impossible number of additions");
        if (additions_ == 0 && (fractional_ || total_ != 0.0 || newest_ != 0 || oldest_ != 0))
            reader.fail("has a state without additions");
    }

    void read_candidates(ByteReader& reader, ItemKind kind, bool is_first_version) {
        const std::size_t count = reader.get<std::uint32_t>();
        if (count > (is_first_version ? k_ : most_candidates())) reader.fail("has too many candidates");
        if ((kind == ItemKind::kNone) != (count == 0) || (additions_ == 0) != (count == 0)) {
            reader.fail("has a kind of item without items, or items without a kind");
        }
        for (std::size_t i = 0; i < count; ++i) {
            const ItemView item =
                kind == ItemKind::kText ? ItemView::of(reader.get_text()) : ItemView::of(reader.get_signed());
            const std::uint64_t hash = hash_(item);
            if (items_.find(item, hash)) reader.fail("has a candidate twice");
            const Slot slot = add_candidate(item, hash);
            each_layer(*this, [&](DecayedBounds& layer) {
                Bounds& bounds = layer[slot];
                bounds.low = decayed_sum::read_sum(reader);
                bounds.high = decayed_sum::read_sum(reader);
                // What the first version took for the estimate: the upper bound.
                bounds.share = is_first_version ? (bounds.low < bounds.high ? 1.0F : 0.0F) : reader.get_float();
                if (bounds.high == 0.0 || bounds.low > bounds.high) reader.fail("has bounds out of order");
                if (!(bounds.share >= 0.0F && bounds.share <= 1.0F) || std::signbit(bounds.share))
                    reader.fail("has an estimate outside its bounds");
            });
            if (i != 0 && !is_worse(slot, heap_[i - 1])) reader.fail("has candidates out of order");
            heap_.push_back(slot);
        }
        reorder();
    }

    std::size_t k_;
    ItemHash hash_;
    DecayedBounds recent_;
    std::optional<DecayedBounds> baseline_;
    CandidateTable items_;
    std::vector<Slot> heap_;
    std::size_t room_ = 0;  // candidates that there is memory for
    std::uint64_t additions_ = 0;
    double total_ = 0.0;
    std::int64_t newest_ = 0;
    std::int64_t oldest_ = 0;  // where there is a baseline
    bool fractional_ = false;
};

}  // namespace engagehub
