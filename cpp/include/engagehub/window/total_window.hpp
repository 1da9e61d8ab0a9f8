// SPDX-License-Identifier: MIT
// Purpose: how many events were there in the last N minutes, hours or days, and what do their values add up to: a ring
// of buckets, each with its count and its sum, both exact. What an answer covers is as in DistinctWindow.
// Thread safety: external; const methods may run side by side.
// Invariants: no bucket is without an event; a sum lies within its count times 2^63. Sums depend on neither order nor
// grouping.
// Complexity: add as the ring; an answer O(buckets covered).
// Failure: bad input throws InvalidArgument, Incompatible or Corrupted and changes nothing.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/fixed_sum.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/window/bucket_ring.hpp>

namespace engagehub {

// A sum of values, and whether any of them was a float: as in Python, the sum of ints is one.
struct Total {
    FixedSum sum;
    bool is_float = false;

    static Total of(std::int64_t value) { return {FixedSum::of(value), false}; }
    // THROWS: InvalidArgument, that names the argument, or its place in a batch.
    static Total of(double value) {
        if (!is_possible(value)) refuse(value, "value");
        return {FixedSum::of(value), true};
    }
    static Total of(std::int64_t value, std::size_t /*index*/) { return of(value); }
    static Total of(double value, std::size_t index) {
        if (!is_possible(value)) refuse(value, "values[" + std::to_string(index) + "]");
        return {FixedSum::of(value), true};
    }

    Total& operator+=(const Total& other) {
        sum += other.sum;
        is_float = is_float || other.is_float;
        return *this;
    }
    friend bool operator==(const Total& a, const Total& b) { return a.sum == b.sum && a.is_float == b.is_float; }

private:
    static bool is_possible(double value) { return std::fabs(value) <= FixedSum::kMostFloat; }
    [[noreturn]] static void refuse(double value, const std::string& argument) {
        throw InvalidArgument(argument + " must be at most 2^63 either way, got " + shown(value));
    }
};

class TotalWindow {
public:
    // Of all sums to stay within 128 bits.
    static constexpr std::uint64_t kMostEvents = std::uint64_t{1} << 62U;

    TotalWindow(std::int64_t span, std::int64_t resolution) : ring_(span, resolution) {}

    static std::int64_t default_resolution(std::int64_t span) { return Ring::default_resolution(span); }

    std::int64_t resolution() const { return ring_.resolution(); }
    std::int64_t span() const { return ring_.span(); }
    std::int64_t buckets() const { return ring_.buckets(); }
    std::uint64_t late() const { return ring_.late(); }
    std::size_t nbytes() const { return sizeof *this + ring_.heap_bytes(); }

    // Whether the event was counted: one older than the ring is late, and changes nothing but late().
    bool add(const Total& value, std::int64_t at) {
        require_instant(at);
        require_room(1);
        return count(value, at);
    }

    // All or nothing; returns how many were counted.
    template <class Totals, class Instants>
    std::size_t update(const Totals& values, const Instants& instants, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) require_instant(instants[i], i);
        require_room(size);
        ring_.require_room_for_late(instants, size);
        std::size_t counted = 0;
        for (std::size_t i = 0; i < size; ++i) counted += count(values[i], instants[i]) ? 1 : 0;
        return counted;
    }

    Interval interval(std::int64_t window, std::int64_t at) const { return ring_.interval(window, at); }

    // Of interval(window, at): the sum of the values, how many events there were, and the sums bucket by bucket.
    Total total(std::int64_t window, std::int64_t at) const {
        Total result;
        ring_.each_held(interval(window, at), [&](const Bucket& bucket) { result += bucket.total; });
        return result;
    }
    std::uint64_t count(std::int64_t window, std::int64_t at) const {
        std::uint64_t result = 0;
        ring_.each_held(interval(window, at), [&](const Bucket& bucket) { result += bucket.events; });
        return result;
    }
    std::vector<Total> series(std::int64_t window, std::int64_t at) const {
        std::vector<Total> result;
        ring_.each(interval(window, at), [&](const Bucket* bucket) {
            result.push_back(bucket == nullptr ? Total() : bucket->total);
        });
        return result;
    }

    // The events of both: the ring ends at the newest one, late events add up.
    void merge(const TotalWindow& other) {
        ring_.require_same_shape(other.ring_);
        TotalWindow result = *this;
        result.ring_.merge(other.ring_, [](Bucket& ours, const Bucket& theirs) {
            ours.events += theirs.events;
            ours.total += theirs.total;
        });
        result.events_ = result.held();
        if (result.events_ > kMostEvents) {
            throw InvalidArgument(
                "a window must have at most 2^62 events, got " + std::to_string(result.events_) + " of both");
        }
        *this = std::move(result);
    }

    void clear() {
        ring_.clear();
        events_ = 0;
    }

    friend bool operator==(const TotalWindow& a, const TotalWindow& b) { return a.ring_ == b.ring_; }
    friend bool operator!=(const TotalWindow& a, const TotalWindow& b) { return !(a == b); }

    // docs/formats/total-window.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        ring_.write_shape(writer);
        ring_.write_buckets(writer, [&](const Bucket& bucket) {
            writer.put(bucket.events);
            writer.put(static_cast<std::uint8_t>(bucket.total.is_float ? 1 : 0));
            for (const std::uint64_t word : bucket.total.sum.words()) writer.put(word);
        });
        return seal(std::move(writer));
    }

    static TotalWindow from_bytes(std::string_view bytes) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        TotalWindow result(Ring::read_shape(reader));
        result.ring_.read_buckets(reader, [&] { return result.read_bucket(reader); });
        reader.require_end();
        return result;
    }

private:
    struct Bucket {
        std::uint64_t events = 0;
        Total total;
        friend bool operator==(const Bucket& a, const Bucket& b) { return a.events == b.events && a.total == b.total; }
    };
    using Ring = BucketRing<Bucket>;

    static constexpr Magic kMagic = {'E', 'H', 'T', 'W'};
    static constexpr std::uint8_t kVersion = 1;

    explicit TotalWindow(Ring ring) : ring_(std::move(ring)) {}

    // At most 2^63: what two windows hold.
    std::uint64_t held() const {
        std::uint64_t result = 0;
        for (const auto& [number, bucket] : ring_) result += bucket.events;
        return result;
    }

    void require_room(std::uint64_t more) {
        if (more <= kMostEvents - events_) return;
        events_ = held();  // less where buckets were given up
        if (more > kMostEvents - events_) {
            throw InvalidArgument(
                "a window must have at most 2^62 events, got " + std::to_string(more) + " more than " +
                std::to_string(events_));
        }
    }

    // REQUIRES: checked arguments.
    bool count(const Total& value, std::int64_t at) {
        const auto put = [&](Bucket& bucket) {
            ++bucket.events;
            bucket.total += value;
        };
        if (Bucket* open = ring_.newest_at(at)) {
            put(*open);
        } else if (!ring_.change(ring_.number_of(at), put)) {
            return false;
        }
        ++events_;
        return true;
    }

    Bucket read_bucket(ByteReader& reader) {
        Bucket bucket;
        bucket.events = reader.get<std::uint64_t>();
        if (bucket.events == 0 || bucket.events > kMostEvents - events_)
            reader.fail("has an impossible number of events");
        events_ += bucket.events;
        const auto is_float = reader.get<std::uint8_t>();
        if (is_float > 1) reader.fail("has an unknown kind of value");
        FixedSum::Words words{};
        for (std::uint64_t& word : words) word = reader.get<std::uint64_t>();
        bucket.total = {FixedSum(words), is_float == 1};
        if (is_float == 0 && !bucket.total.sum.is_whole()) reader.fail("has a sum of ints with a fraction");
        if (!is_reachable(bucket.total.sum, bucket.events)) reader.fail("has a sum beyond its events");
        return bucket;
    }

    // Whether so many values of at most 2^63 either way can have that sum.
    static bool is_reachable(const FixedSum& sum, std::uint64_t events) {
        const FixedSum::Words words = (sum.is_negative() ? -sum : sum).words();
        const FixedSum::Words most{0, events << 63U, events >> 1U};
        for (std::size_t i = FixedSum::kWords; i-- > 0;) {
            if (words[i] != most[i]) return words[i] < most[i];
        }
        return true;
    }

    Ring ring_;
    std::uint64_t events_ = 0;  // at least those that the ring holds: all that were counted since it was empty or read
};

}  // namespace engagehub
