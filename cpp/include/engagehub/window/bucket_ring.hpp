// SPDX-License-Identifier: MIT
// Purpose: what every window stands on: a ring of buckets, one for each stretch of time in which anything came. Buckets
// begin at multiples of the resolution since the Unix epoch and are numbered by them. The ring holds the last so many
// up to the newest; an event older than those is late: it is counted as such, and changes nothing else. The newest
// event moves the ring: whoever feeds it refuses stamps too far ahead of his clock, as the Python classes do
// (max_skew).
// Thread safety: external; const methods may run side by side.
// Invariants: all buckets are among the last buckets() up to the newest; late events are only held beside a bucket.
// Complexity: a change of the newest bucket or of a new one after it O(1), amortised, of another O(log buckets) in
// whatever order events come; merge O(B log B) for B buckets of the other ring. No bucket is ever moved.
// Failure: bad input throws InvalidArgument, Incompatible or Corrupted; like std::bad_alloc, that changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/codec/bytes.hpp>

namespace engagehub {

// From start up to, not including, end; in microseconds.
struct Interval {
    std::int64_t start;
    std::int64_t end;
};

// A Bucket is empty when made, and is compared and copied as a value.
template <class Bucket>
class BucketRing {
public:
    // By number: the first instant over the resolution.
    using Buckets = std::map<std::int64_t, Bucket>;
    using Iterator = typename Buckets::iterator;
    using ConstIterator = typename Buckets::const_iterator;

    static constexpr std::int64_t kMostBuckets = 100'000;
    static constexpr std::uint64_t kMostLate = std::uint64_t{1} << 62U;

    // The span is rounded up to whole buckets.
    BucketRing(std::int64_t span, std::int64_t resolution)
        : resolution_(checked_resolution(resolution)), count_(checked_count(span, resolution)) {}

    // The largest of a day, an hour, a minute and a second of which the span holds at least 24; else a second.
    static std::int64_t default_resolution(std::int64_t span) {
        for (const std::int64_t seconds : {86'400, 3'600, 60}) {
            if (span >= 24 * seconds * kSecond) return seconds * kSecond;
        }
        return kSecond;
    }

    std::int64_t resolution() const { return resolution_; }
    std::int64_t span() const { return count_ * resolution_; }
    std::int64_t buckets() const { return count_; }
    std::uint64_t late() const { return late_; }
    std::int64_t number_of(std::int64_t at) const { return at / resolution_ - (at % resolution_ < 0 ? 1 : 0); }

    // The buckets held, by ascending number.
    bool is_empty() const { return held_.empty(); }
    ConstIterator begin() const { return held_.begin(); }
    ConstIterator end() const { return held_.end(); }
    Iterator begin() { return held_.begin(); }
    Iterator end() { return held_.end(); }
    // The first that isn't before the number.
    ConstIterator from(std::int64_t number) const { return held_.lower_bound(number); }
    // REQUIRES, both: the ring isn't empty.
    std::int64_t newest() const { return held_.rbegin()->first; }
    std::int64_t oldest_kept() const { return newest() - count_ + 1; }
    bool is_late(std::int64_t number) const { return !is_empty() && number < oldest_kept(); }

    // The newest bucket if the instant lies in it, else null: where most events go, without a division.
    Bucket* newest_at(std::int64_t at) {
        if (is_empty()) return nullptr;
        auto& [number, bucket] = *held_.rbegin();
        const auto since = static_cast<std::uint64_t>(at - number * resolution_);
        return since < static_cast<std::uint64_t>(resolution_) ? &bucket : nullptr;
    }

    // For a batch that is all or nothing: whether all that will be late can be counted. THROWS: InvalidArgument.
    template <class Instants>
    void require_room_for_late(const Instants& instants, std::size_t size) const {
        if (size <= kMostLate - late_) return;
        std::int64_t last = is_empty() ? number_of(kFirstInstant) : newest();
        std::uint64_t late = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const std::int64_t number = number_of(instants[i]);
            last = std::max(last, number);
            late += number <= last - count_ ? 1 : 0;
        }
        require_room_for_late(late);
    }

    // Calls put(bucket) with the bucket of that number, a new one if there is none; or counts a late event and answers
    // false. If put throws, a new bucket isn't added. THROWS: InvalidArgument, if there are too many late events.
    template <class Put>
    bool change(std::int64_t number, Put&& put) {
        if (is_late(number)) {
            require_room_for_late(1);
            ++late_;
            return false;
        }
        const bool is_newest = is_empty() || number > newest();
        const auto after = is_newest ? held_.end() : held_.lower_bound(number);
        if (after != held_.end() && after->first == number) {
            put(after->second);
            return true;
        }
        const auto place = held_.try_emplace(after, number);
        try {
            put(place->second);
        } catch (...) {
            held_.erase(place);
            throw;
        }
        if (is_newest) drop_before(oldest_kept());
        return true;
    }

    // What an answer about the window that ends at the instant covers: the instant's bucket and those before it, as
    // many as the window needs, but none that the ring has already given up. REQUIRES: 0 < window <= span(), or throws
    // InvalidArgument.
    Interval interval(std::int64_t window, std::int64_t at) const {
        if (window < 1 || window > span()) {
            throw InvalidArgument(
                "window must be positive and at most the span of " + std::to_string(span()) + " microseconds, got " +
                std::to_string(window));
        }
        require_instant(at);
        const std::int64_t end = number_of(at) + 1;
        std::int64_t start = end - (window + resolution_ - 1) / resolution_;
        if (!is_empty()) start = std::min(end, std::max(start, oldest_kept()));
        return {start * resolution_, end * resolution_};
    }

    // Calls visit(bucket) for each bucket of an interval in which anything came, the oldest first.
    template <class Visit>
    void each_held(const Interval& covered, Visit&& visit) const {
        const std::int64_t last = covered.end / resolution_ - 1;
        for (auto held = from(covered.start / resolution_); held != end() && held->first <= last; ++held)
            visit(held->second);
    }

    // Calls visit(bucket), or visit(nullptr) where nothing came, for each bucket of an interval, the oldest first.
    template <class Visit>
    void each(const Interval& covered, Visit&& visit) const {
        auto held = from(covered.start / resolution_);
        for (std::int64_t number = covered.start / resolution_; number < covered.end / resolution_; ++number) {
            if (held != end() && held->first == number) {
                visit(&held->second);
                ++held;
            } else {
                visit(static_cast<const Bucket*>(nullptr));
            }
        }
    }

    // THROWS: Incompatible.
    void require_same_shape(const BucketRing& other) const {
        if (resolution_ != other.resolution_ || count_ != other.count_) {
            throw Incompatible(
                "windows of the same span and resolution are required, got " + shown() + " and " + other.shown());
        }
    }

    // The union: it ends at the newest bucket of both, late events add up. Calls join(ours, theirs) for each bucket of
    // the other one, ours new where there was none. REQUIRES: the same shape. Not all or nothing: merge into a copy.
    // THROWS: InvalidArgument, if there are too many late events.
    template <class Join>
    void merge(const BucketRing& other, Join&& join) {
        require_room_for_late(other.late_);
        late_ += other.late_;
        if (!other.is_empty() && !is_empty()) drop_before(std::max(newest(), other.newest()) - count_ + 1);
        for (const auto& [number, theirs] : other) {
            if (is_late(number)) continue;
            change(number, [&, &from = theirs](Bucket& ours) { join(ours, from); });
        }
    }

    void clear() {
        held_.clear();
        late_ = 0;
    }

    // What the ring itself takes beside the object, without what its buckets hold elsewhere: a bucket lies in a node of
    // a tree, beside three pointers and a colour.
    std::size_t heap_bytes() const { return held_.size() * (4 * sizeof(void*) + sizeof(typename Buckets::value_type)); }

    friend bool operator==(const BucketRing& a, const BucketRing& b) {
        return a.resolution_ == b.resolution_ && a.count_ == b.count_ && a.late_ == b.late_ && a.held_ == b.held_;
    }

    // The formats of windows begin with the shape, and end with the late events and the buckets.
    void write_shape(ByteWriter& writer) const {
        writer.put_signed(resolution_);
        writer.put(static_cast<std::uint32_t>(count_));
    }
    template <class Write>
    void write_buckets(ByteWriter& writer, Write&& write) const {
        writer.put(late_);
        writer.put(static_cast<std::uint32_t>(held_.size()));
        for (const auto& [number, bucket] : held_) {
            writer.put_signed(number);
            write(bucket);
        }
    }

    static BucketRing read_shape(ByteReader& reader) {
        const std::int64_t resolution = reader.get_signed();
        const std::int64_t count = reader.get<std::uint32_t>();
        if (resolution < 1 || resolution > kMostSpan) reader.fail("has an impossible resolution");
        if (count < 1 || count > kMostBuckets || count > kMostSpan / resolution + 1)
            reader.fail("has an impossible number of buckets");
        return BucketRing(Shape{resolution, count});
    }
    // REQUIRES: an empty ring; read() returns a bucket that isn't empty.
    template <class Read>
    void read_buckets(ByteReader& reader, Read&& read) {
        late_ = reader.get<std::uint64_t>();
        if (late_ > kMostLate) reader.fail("has an impossible number of late events");
        const std::size_t held = reader.get<std::uint32_t>();
        for (std::size_t i = 0; i < held; ++i) {
            const std::int64_t number = reader.get_signed();
            if (number < number_of(kFirstInstant) || number > number_of(kLastInstant))
                reader.fail("has a bucket outside the years 1 to 9999");
            if (!is_empty() && number <= newest()) reader.fail("has buckets out of order");
            held_.emplace_hint(held_.end(), number, read());
        }
        if (is_empty() && late_ != 0) reader.fail("has late events without buckets");
        if (!is_empty() && held_.begin()->first < oldest_kept()) reader.fail("has buckets older than the ring");
    }

private:
    struct Shape {
        std::int64_t resolution;
        std::int64_t count;
    };

    static constexpr std::int64_t kSecond = 1'000'000;
    static constexpr std::int64_t kMostSpan = std::int64_t{36'525} * 86'400 * kSecond;  // a hundred years

    explicit BucketRing(const Shape& shape) : resolution_(shape.resolution), count_(shape.count) {}

    void require_room_for_late(std::uint64_t more) const {
        if (more > kMostLate - late_) {
            throw InvalidArgument(
                "a window must have at most 2^62 late events, got " + std::to_string(more) + " more than " +
                std::to_string(late_));
        }
    }

    static std::int64_t checked_resolution(std::int64_t resolution) {
        if (resolution < 1 || resolution > kMostSpan) {
            throw InvalidArgument(
                "resolution must be between 1 microsecond and 100 years, got " + std::to_string(resolution) +
                " microseconds");
        }
        return resolution;
    }

    static std::int64_t checked_count(std::int64_t span, std::int64_t resolution) {
        if (span < 1 || span > kMostSpan) {
            throw InvalidArgument(
                "span must be between 1 microsecond and 100 years, got " + std::to_string(span) + " microseconds");
        }
        const std::int64_t count = (span + resolution - 1) / resolution;
        if (count > kMostBuckets) {
            throw InvalidArgument(
                "span must be at most 100000 times the resolution, got " + std::to_string(count) + " times");
        }
        return count;
    }

    std::string shown() const {
        return std::to_string(span()) + " by " + std::to_string(resolution_) + " microseconds";
    }

    void drop_before(std::int64_t number) { held_.erase(held_.begin(), held_.lower_bound(number)); }

    std::int64_t resolution_;
    std::int64_t count_;
    Buckets held_;
    std::uint64_t late_ = 0;
};

}  // namespace engagehub
