// SPDX-License-Identifier: MIT
// Purpose: the heavy hitters of a stream, optionally of its recent past: k candidates with a lower and an upper bound
// of their weight, over a table of upper bounds for everybody else (Roy, Khan, Alonso, «Augmented Sketch», SIGMOD
// 2016, with conservative updates). A candidate's weight stays out of the table until it is displaced, so it doesn't
// blur the others. With a half-life, weights decay by forward decay: a change at t counts 2^(t/H), a query divides by
// the weight of its instant, nothing is ever swept.
// Thread safety: external; const methods may run side by side.
// Invariants, for the true weight T of an item at any instant: (1) a candidate has low <= T <= high, low is what was
// counted since it became one; (2) anybody else has T <= the least of its cells; (3) the heap's root is the candidate
// with the lowest upper bound, of equal ones the last item; (4) stored numbers are relative to 2^exponent_, which
// follows the newest event in steps of more than 512 halvings: exact, but that what falls below 2^-1022 is raised to
// it in an upper bound and becomes 0 in a lower one.
// Complexity: add O(depth + log k), and O(width * depth + k log k) in the rare move of the exponent; rows O(k log k).
// Rounding: integer weights without a half-life are exact while their sum is below 2^53. Otherwise n additions round
// by less than n * 2^-52 of the value, and answers widen their bounds by (n + 8) * 2^-52.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing. A
// std::bad_alloc leaves valid bounds for all that was counted before.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/base/item_table.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class TopK {
public:
    // The item is borrowed: the next change ends it.
    struct Row {
        ItemView item;
        Answer answer;
    };

    static constexpr std::size_t kMostCandidates = std::size_t{1} << 20U;
    static constexpr double kMostWeight = 9007199254740992.0;  // 2^53

    explicit TopK(std::size_t k = 100, HalfLife half_life = {}, TableSize size = {2048, 4})
        : k_(checked(k)), half_life_(half_life), table_(size) {}

    std::size_t k() const { return k_; }
    HalfLife half_life() const { return half_life_; }
    TableSize table_size() const { return table_.size(); }
    std::size_t size() const { return heap_.size(); }
    ItemKind kind() const { return items_.kind(); }

    // Queries answer as of this instant: the one asked for, but never before the newest event.
    std::int64_t as_of(std::int64_t at) const { return std::max(at, newest_); }

    static void require_weight(double weight, const char* argument = "weight") {
        if (!(weight >= 0.0 && weight <= kMostWeight)) {
            throw InvalidArgument(std::string(argument) + " must be between 0 and 2^53, got " + std::to_string(weight));
        }
    }

    // The instant is that of the event, in microseconds; without a half-life it doesn't matter.
    void add(const ItemView& item, double weight = 1.0, std::int64_t at = 0) {
        require_same_kind(kind(), item, "item");
        require_weight(weight);
        require_instant(at);
        count(item, weight, at);
    }

    // All or nothing, but for std::bad_alloc.
    template <class Items, class Weights, class Instants>
    void update(const Items& items, const Weights& weights, const Instants& instants, std::size_t size) {
        kind_after(kind(), items, size, "items");
        for (std::size_t i = 0; i < size; ++i) {
            require_weight(weights[i], "weights");
            require_instant(instants[i]);
        }
        for (std::size_t i = 0; i < size; ++i) count(items[i], weights[i], instants[i]);
    }

    Answer answer(const ItemView& item, std::int64_t at = 0) const {
        require_same_kind(kind(), item, "item");
        require_instant(at);
        const Scaled now = half_life_.weight(as_of(at));
        const Bounds bounds = bounds_of(item);
        return read(bounds.low, bounds.high, now);
    }

    // The n largest estimates; of equal ones the smaller item comes first.
    std::vector<Row> top(std::size_t n, std::int64_t at = 0) const {
        require_instant(at);
        const Scaled now = half_life_.weight(as_of(at));
        std::vector<Row> result;
        result.reserve(heap_.size());
        for (const Slot slot : heap_) result.push_back({items_[slot], read(rows_[slot].low, rows_[slot].high, now)});
        const auto end = result.begin() + static_cast<std::ptrdiff_t>(std::min(n, result.size()));
        std::partial_sort(result.begin(), end, result.end(), [](const Row& a, const Row& b) {
            return a.answer.estimate != b.answer.estimate ? a.answer.estimate > b.answer.estimate
                                                          : precedes(a.item, b.item);
        });
        result.erase(end, result.end());
        return result;
    }

    // Both streams: bounds add up. An item that is a candidate in one of the two only has a lower bound from that one.
    void merge(const TopK& other) {
        if (k_ != other.k_ || half_life_ != other.half_life_ || table_.size() != other.table_.size()) {
            throw Incompatible(
                "sketches of the same k, half_life, width and depth are required, got " + shown() + " and " +
                other.shown());
        }
        merged_kind(kind(), other.kind());
        if (additions_ + other.additions_ > kMostAdditions) {
            throw InvalidArgument("sketches of at most 2^62 additions together are required to merge");
        }
        if (other.additions_ == 0) return;
        if (additions_ == 0) {
            *this = other;
            return;
        }
        TopK ours = *this;
        TopK theirs = other;
        const std::int64_t exponent = std::max(exponent_, other.exponent_);
        ours.move_exponent(exponent);
        theirs.move_exponent(exponent);
        *this = joined(ours, theirs);
    }

    void clear() { *this = TopK(k_, half_life_, table_.size()); }

    // Equal states: they answer alike now and after the same changes.
    friend bool operator==(const TopK& a, const TopK& b) { return a.to_bytes() == b.to_bytes(); }
    friend bool operator!=(const TopK& a, const TopK& b) { return !(a == b); }

    // docs/formats/top-k.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        writer.put(static_cast<std::uint32_t>(k_));
        writer.put(static_cast<std::uint32_t>(table_.size().width));
        writer.put(static_cast<std::uint8_t>(table_.size().depth));
        writer.put(static_cast<std::uint8_t>(kind()));
        writer.put(kRedisHash);
        writer.put(static_cast<std::uint8_t>(fractional_ ? 1 : 0));
        writer.put_signed(half_life_.micros());
        writer.put(additions_);
        writer.put_double(total_);
        writer.put_signed(newest_);
        writer.put_signed(exponent_);
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
            writer.put_double(rows_[slot].low);
            writer.put_double(rows_[slot].high);
        }
        for (const double cell : table_.cells()) writer.put_double(cell);
        return seal(std::move(writer));
    }

    static TopK from_bytes(std::string_view bytes) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        const std::size_t k = reader.get<std::uint32_t>();
        TableSize size{};
        size.width = reader.get<std::uint32_t>();
        size.depth = reader.get<std::uint8_t>();
        const ItemKind kind = read_kind(reader);
        read_hash(reader);
        if (k < 1 || k > kMostCandidates) reader.fail("has an impossible k");
        if (!size.is_valid() || reader.remaining() / 8 < size.cells())
            reader.fail("has another number of cells than its width and depth say");
        TopK result(k, {}, size);
        result.read_state(reader);
        result.read_candidates(reader, kind);
        for (double& cell : result.table_.cells()) {
            cell = read_bound(reader);
            if (result.additions_ == 0 && cell != 0.0) reader.fail("has a state without additions");
        }
        reader.require_end();
        return result;
    }

private:
    using Slot = ItemTable::Slot;
    struct Bounds {
        double low = 0.0;
        double high = 0.0;
        std::uint32_t place = 0;  // in the heap
    };

    static constexpr Magic kMagic = {'E', 'H', 'T', 'K'};
    static constexpr std::uint8_t kVersion = 1;
    static constexpr std::int64_t kMostDistance = 512;
    static constexpr std::uint64_t kMostAdditions = std::uint64_t{1} << 62U;

    static std::size_t checked(std::size_t k) {
        if (k < 1 || k > kMostCandidates)
            throw InvalidArgument("k must be between 1 and 2^20, got " + std::to_string(k));
        return k;
    }

    static bool precedes(const ItemView& a, const ItemView& b) {
        return a.kind == ItemKind::kText ? a.text < b.text : a.number < b.number;
    }

    std::string shown() const {
        return std::to_string(k_) + ", " + std::to_string(half_life_.micros()) + " microseconds, " +
            std::to_string(table_.size().width) + " and " + std::to_string(table_.size().depth);
    }

    bool is_exact() const { return !half_life_.decays() && !fractional_ && total_ < kMostWeight; }

    // What was stored, as of an instant of that weight, with bounds rounded outwards.
    Answer read(double low, double high, const Scaled& now) const {
        const auto value = [&](double stored) {
            return half_life_.decays() ? (Scaled::normalised(stored, exponent_) / now).to_double() : stored;
        };
        const double estimate = value(high);
        if (is_exact() || high == 0.0) return {estimate, value(low), estimate};
        const double margin = std::min(1.0, (static_cast<double>(additions_) + 8.0) * 0x1p-52);
        const double lowest = value(low) * (1.0 - margin);
        const double highest = std::nextafter(estimate * (1.0 + margin), std::numeric_limits<double>::infinity());
        return {estimate, lowest < DBL_MIN ? 0.0 : lowest, highest};
    }

    // What a weight adds to stored bounds. Below 2^-1022 the two differ.
    std::pair<double, double> stored(double weight, std::int64_t at) {
        if (!half_life_.decays()) return {weight, weight};
        const Scaled factor = half_life_.weight(at);
        if (additions_ == 0) exponent_ = factor.exponent;
        if (factor.exponent - exponent_ > kMostDistance) move_exponent(factor.exponent);
        const Scaled value = Scaled::of_double(weight) * factor;
        const std::int64_t distance = value.exponent - exponent_;
        if (distance < DBL_MIN_EXP - 1) return {0.0, DBL_MIN};
        const double result = std::ldexp(value.mantissa, static_cast<int>(distance));
        return {result, result};
    }

    // REQUIRES: checked arguments. A weight of 0 changes nothing.
    void count(const ItemView& item, double weight, std::int64_t at) {
        if (weight == 0.0) return;
        const auto [low, high] = stored(weight, at);
        if (const auto slot = items_.find(item)) {
            rows_[*slot].low += low;
            rows_[*slot].high += high;
            sift_down(rows_[*slot].place);
        } else {
            admit(item, low, high);
        }
        newest_ = additions_ == 0 ? at : std::max(newest_, at);
        ++additions_;
        total_ += weight;
        fractional_ = fractional_ || weight != std::floor(weight);
    }

    void admit(const ItemView& item, double low, double more) {
        const std::uint64_t hash = hash_of(item);
        const double high = table_.least(hash) + more;
        if (heap_.size() == k_) {
            if (high <= rows_[heap_.front()].high) {
                table_.raise(hash, high);
                return;
            }
            displace();
        }
        track(item, low, high);
    }

    // The worst candidate's bound goes into the table.
    void displace() {
        const Slot worst = heap_.front();
        table_.raise(hash_of(items_[worst]), rows_[worst].high);
        items_.erase(worst);
        const Slot last = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) {
            put(0, last);
            sift_down(0);
        }
    }

    void track(const ItemView& item, double low, double high) {
        append(item, low, high);
        sift_up(heap_.size() - 1);
    }

    // At the end of the heap, whatever its order. All memory is there before anything changes.
    void append(const ItemView& item, double low, double high) {
        if (heap_.size() == heap_.capacity()) heap_.reserve(heap_.size() * 2 + 8);
        if (rows_.size() <= items_.slots()) rows_.resize(items_.slots() + 1);
        const Slot slot = items_.insert(item, "item").first;
        rows_[slot] = {low, high, static_cast<std::uint32_t>(heap_.size())};
        heap_.push_back(slot);
    }

    bool is_worse(Slot a, Slot b) const {
        return rows_[a].high != rows_[b].high ? rows_[a].high < rows_[b].high : precedes(items_[b], items_[a]);
    }

    void put(std::size_t place, Slot slot) {
        heap_[place] = slot;
        rows_[slot].place = static_cast<std::uint32_t>(place);
    }

    void sift_up(std::size_t place) {
        const Slot slot = heap_[place];
        while (place > 0 && is_worse(slot, heap_[(place - 1) / 2])) {
            put(place, heap_[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        put(place, slot);
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

    // REQUIRES: not below the present one.
    void move_exponent(std::int64_t exponent) {
        if (exponent == exponent_) return;
        const int down = -static_cast<int>(std::min<std::int64_t>(exponent - exponent_, 4096));
        const auto upper = [down](double bound) {
            return bound == 0.0 ? 0.0 : std::max(std::ldexp(bound, down), DBL_MIN);
        };
        for (double& cell : table_.cells()) cell = upper(cell);
        for (const Slot slot : heap_) {
            const double low = std::ldexp(rows_[slot].low, down);
            rows_[slot].low = low < DBL_MIN ? 0.0 : low;
            rows_[slot].high = upper(rows_[slot].high);
        }
        exponent_ = exponent;
        // Bounds that were raised to the same value are ties now, which changes the order.
        std::sort(heap_.begin(), heap_.end(), [this](Slot a, Slot b) { return is_worse(a, b); });
        for (std::size_t place = 0; place < heap_.size(); ++place) put(place, heap_[place]);
    }

    // REQUIRES: the same sizes, half-life and exponent; both hold something.
    static TopK joined(const TopK& a, const TopK& b) {
        struct Candidate {
            ItemView item;
            Bounds bounds;
        };
        std::vector<Candidate> candidates;
        candidates.reserve(a.size() + b.size());
        for (const Slot slot : a.heap_) {
            const ItemView item = a.items_[slot];
            candidates.push_back({item, sum(a.rows_[slot], b.bounds_of(item))});
        }
        for (const Slot slot : b.heap_) {
            const ItemView item = b.items_[slot];
            if (!a.items_.find(item)) candidates.push_back({item, sum(a.bounds_of(item), b.rows_[slot])});
        }
        std::sort(candidates.begin(), candidates.end(), [](const Candidate& x, const Candidate& y) {
            return x.bounds.high != y.bounds.high ? x.bounds.high > y.bounds.high : precedes(x.item, y.item);
        });
        TopK result(a.k_, a.half_life_, a.table_.size());
        for (std::size_t i = 0; i < a.table_.cells().size(); ++i) {
            result.table_.cells()[i] = a.table_.cells()[i] + b.table_.cells()[i];
        }
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const auto& [item, bounds] = candidates[i];
            if (i < result.k_) {
                result.track(item, bounds.low, bounds.high);
            } else {
                result.table_.raise(hash_of(item), bounds.high);
            }
        }
        result.newest_ = std::max(a.newest_, b.newest_);
        result.exponent_ = a.exponent_;
        result.additions_ = a.additions_ + b.additions_;
        result.total_ = a.total_ + b.total_;
        result.fractional_ = a.fractional_ || b.fractional_;
        return result;
    }

    Bounds bounds_of(const ItemView& item) const {
        if (const auto slot = items_.find(item)) return rows_[*slot];
        return {0.0, table_.least(hash_of(item)), 0};
    }

    static Bounds sum(const Bounds& a, const Bounds& b) { return {a.low + b.low, a.high + b.high, 0}; }

    static double read_bound(ByteReader& reader) {
        const double bound = reader.get_double();
        // Far above what 2^64 additions of 2^53 can reach at 512 halvings, far below infinity.
        if (!(bound >= 0.0 && bound <= 0x1p700) || std::signbit(bound)) reader.fail("has an impossible bound");
        return bound;
    }

    void read_state(ByteReader& reader) {
        const auto fractional = reader.get<std::uint8_t>();
        const std::int64_t micros = reader.get_signed();
        additions_ = reader.get<std::uint64_t>();
        total_ = read_bound(reader);
        newest_ = reader.get_signed();
        exponent_ = reader.get_signed();
        if (fractional > 1) reader.fail("has an unknown flag");
        fractional_ = fractional == 1;
        if (micros < 0) reader.fail("has a negative half-life");
        half_life_ = HalfLife::of_micros(micros);
        if (newest_ < kFirstInstant || newest_ > kLastInstant) reader.fail("has an impossible instant");
        // The exponent of an event, at most kMostDistance behind the newest one's.
        const std::int64_t newest = additions_ == 0 ? 0 : half_life_.weight(newest_).exponent;
        if (exponent_ > newest || exponent_ < newest - (half_life_.decays() ? kMostDistance : 0)) {
            reader.fail("has an impossible exponent");
        }
        if (additions_ > kMostAdditions) reader.fail("has an impossible number of additions");
        if (additions_ == 0 && (fractional_ || total_ != 0.0 || newest_ != 0 || exponent_ != 0)) {
            reader.fail("has a state without additions");
        }
    }

    void read_candidates(ByteReader& reader, ItemKind kind) {
        const std::size_t count = reader.get<std::uint32_t>();
        if (count > k_) reader.fail("has more than k candidates");
        if ((kind == ItemKind::kNone) != (count == 0) || (additions_ == 0) != (count == 0)) {
            reader.fail("has a kind of item without items, or items without a kind");
        }
        for (std::size_t i = 0; i < count; ++i) {
            const ItemView item =
                kind == ItemKind::kText ? ItemView::of(reader.get_text()) : ItemView::of(reader.get_signed());
            const double low = read_bound(reader);
            const double high = read_bound(reader);
            if (high == 0.0 || low > high) reader.fail("has bounds out of order");
            if (items_.find(item)) reader.fail("has a candidate twice");
            if (i != 0) {
                const Slot before = heap_.back();
                if (high > rows_[before].high || (high == rows_[before].high && !precedes(items_[before], item))) {
                    reader.fail("has candidates out of order");
                }
            }
            append(item, low, high);
        }
        // Worst first, a sorted list is a heap.
        std::reverse(heap_.begin(), heap_.end());
        for (std::size_t place = 0; place < heap_.size(); ++place) put(place, heap_[place]);
    }

    std::size_t k_;
    HalfLife half_life_;
    CellTable<double> table_;
    ItemTable items_;
    std::vector<Bounds> rows_;  // by slot
    std::vector<Slot> heap_;
    std::uint64_t additions_ = 0;
    double total_ = 0.0;
    std::int64_t newest_ = 0;
    std::int64_t exponent_ = 0;
    bool fractional_ = false;
};

}  // namespace engagehub
