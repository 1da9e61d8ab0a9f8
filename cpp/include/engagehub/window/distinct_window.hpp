// SPDX-License-Identifier: MIT
// Purpose: how many distinct members were there in the last N minutes, hours or days: a ring of HyperLogLogs, one for
// each stretch of time (bucket) in which anybody came. Buckets begin at multiples of the resolution since the Unix
// epoch. An answer covers whole buckets, the open one included, and interval() says which stretch of time that is: a
// recount of the members with start <= at < end, without those that were counted as late, is what the answer
// estimates.
// Thread safety: external; const methods may run side by side.
// Invariants: buckets ascend, none is empty, all are among the ring's last buckets() up to the newest; late members
// and a kind are only held beside a bucket.
// Complexity: add O(log buckets) and HyperLogLog::add; an answer merges the buckets that it covers.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing. The newest
// event moves the ring: whoever feeds it refuses stamps too far ahead of his clock, as the Python class does
// (max_skew).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class DistinctWindow {
public:
    // From start up to, not including, end; in microseconds.
    struct Interval {
        std::int64_t start;
        std::int64_t end;
    };

    static constexpr std::int64_t kMostBuckets = 100'000;

    // The span is rounded up to whole buckets.
    DistinctWindow(std::int64_t span, std::int64_t resolution, unsigned p = HyperLogLog::kDefaultPrecision)
        : resolution_(checked_resolution(resolution)), count_(checked_count(span, resolution)), empty_(p) {}

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
    unsigned p() const { return empty_.p(); }
    ItemKind kind() const { return kind_; }
    std::uint64_t late() const { return late_; }

    // Whether the member was counted: an event older than the ring is late, and changes nothing but late().
    bool add(const ItemView& member, std::int64_t at) {
        require_same_kind(kind_, member, "member");
        require_instant(at);
        return count(member, at);
    }

    // All or nothing; returns how many were counted.
    template <class Items, class Instants>
    std::size_t update(const Items& members, const Instants& instants, std::size_t size) {
        kind_after(kind_, members, size, "members");
        for (std::size_t i = 0; i < size; ++i) require_instant(instants[i]);
        std::size_t counted = 0;
        for (std::size_t i = 0; i < size; ++i) counted += count(members[i], instants[i]) ? 1 : 0;
        return counted;
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
        const std::int64_t end = bucket_of(at) + 1;
        std::int64_t start = end - (window + resolution_ - 1) / resolution_;
        if (!ring_.empty()) start = std::min(end, std::max(start, oldest_kept()));
        return {start * resolution_, end * resolution_};
    }

    // The sketch of all members in interval(window, at).
    HyperLogLog collect(std::int64_t window, std::int64_t at) const {
        const Interval covered = interval(window, at);
        HyperLogLog result = empty_;
        auto bucket = find(covered.start / resolution_);
        for (; bucket != ring_.end() && bucket->number < covered.end / resolution_; ++bucket)
            result.merge(bucket->members);
        return result;
    }

    Answer answer(std::int64_t window, std::int64_t at, double sigmas = 2.0) const {
        return collect(window, at).answer(sigmas);
    }

    // The union: the ring ends at the newest event of both, precision is the lower one, late members add up.
    void merge(const DistinctWindow& other) {
        if (resolution_ != other.resolution_ || count_ != other.count_) {
            throw Incompatible(
                "windows of the same span and resolution are required, got " + shown() + " and " + other.shown());
        }
        DistinctWindow result = *this;
        result.kind_ = merged_kind(kind_, other.kind_);
        result.late_ += other.late_;
        result.empty_ = HyperLogLog(std::min(p(), other.p()));
        for (const Bucket& theirs : other.ring_) {
            const auto found = result.find(theirs.number);
            if (found != result.ring_.end() && found->number == theirs.number) {
                found->members.merge(theirs.members);
            } else {
                result.ring_.insert(found, theirs);
            }
        }
        result.drop_old();
        for (Bucket& bucket : result.ring_) {
            if (bucket.members.p() != result.p()) bucket.members = bucket.members.downsized(result.p());
        }
        *this = std::move(result);
    }

    void clear() {
        ring_.clear();
        kind_ = ItemKind::kNone;
        late_ = 0;
    }

    friend bool operator==(const DistinctWindow& a, const DistinctWindow& b) {
        return a.resolution_ == b.resolution_ && a.count_ == b.count_ && a.p() == b.p() && a.kind_ == b.kind_ &&
            a.late_ == b.late_ && a.ring_ == b.ring_;
    }
    friend bool operator!=(const DistinctWindow& a, const DistinctWindow& b) { return !(a == b); }

    // docs/formats/distinct-window.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        writer.put_signed(resolution_);
        writer.put(static_cast<std::uint32_t>(count_));
        writer.put(static_cast<std::uint8_t>(p()));
        writer.put(static_cast<std::uint8_t>(kind_));
        writer.put(late_);
        writer.put(static_cast<std::uint32_t>(ring_.size()));
        for (const Bucket& bucket : ring_) {
            writer.put_signed(bucket.number);
            bucket.members.write(writer);
        }
        return seal(std::move(writer));
    }

    static DistinctWindow from_bytes(std::string_view bytes) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        const std::int64_t resolution = reader.get_signed();
        const std::int64_t count = reader.get<std::uint32_t>();
        const unsigned p = reader.get<std::uint8_t>();
        if (resolution < 1 || resolution > kMostSpan) reader.fail("has an impossible resolution");
        if (count < 1 || count > kMostBuckets || count > kMostSpan / resolution + 1)
            reader.fail("has an impossible number of buckets");
        if (p < HyperLogLog::kLeastPrecision || p > HyperLogLog::kMostPrecision)
            reader.fail("has a precision outside 4 to 18");
        DistinctWindow result(Ring{resolution, count}, p);
        result.kind_ = read_kind(reader);
        result.late_ = reader.get<std::uint64_t>();
        const std::size_t held = reader.get<std::uint32_t>();
        for (std::size_t i = 0; i < held; ++i) result.read_bucket(reader);
        reader.require_end();
        if (held == 0 && (result.kind_ != ItemKind::kNone || result.late_ != 0))
            reader.fail("has a state without buckets");
        if (held != 0 && result.ring_.front().number < result.oldest_kept())
            reader.fail("has buckets older than the ring");
        return result;
    }

private:
    struct Bucket {
        std::int64_t number;  // the first instant over the resolution
        HyperLogLog members;
        friend bool operator==(const Bucket& a, const Bucket& b) {
            return a.number == b.number && a.members == b.members;
        }
    };
    struct Ring {
        std::int64_t resolution;
        std::int64_t count;
    };

    static constexpr Magic kMagic = {'E', 'H', 'D', 'W'};
    static constexpr std::uint8_t kVersion = 1;
    static constexpr std::int64_t kSecond = 1'000'000;
    static constexpr std::int64_t kMostSpan = std::int64_t{36'525} * 86'400 * kSecond;  // a hundred years

    DistinctWindow(Ring ring, unsigned p) : resolution_(ring.resolution), count_(ring.count), empty_(p) {}

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

    std::int64_t bucket_of(std::int64_t at) const { return at / resolution_ - (at % resolution_ < 0 ? 1 : 0); }
    // REQUIRES: the ring isn't empty.
    std::int64_t oldest_kept() const { return ring_.back().number - count_ + 1; }

    // The first bucket that isn't before the number.
    static bool is_before(const Bucket& bucket, std::int64_t number) { return bucket.number < number; }
    std::deque<Bucket>::iterator find(std::int64_t number) {
        return std::lower_bound(ring_.begin(), ring_.end(), number, is_before);
    }
    std::deque<Bucket>::const_iterator find(std::int64_t number) const {
        return std::lower_bound(ring_.begin(), ring_.end(), number, is_before);
    }

    void drop_old() {
        while (!ring_.empty() && ring_.front().number < oldest_kept()) ring_.pop_front();
    }

    // REQUIRES: checked arguments.
    bool count(const ItemView& member, std::int64_t at) {
        const std::int64_t number = bucket_of(at);
        if (!ring_.empty() && number < oldest_kept()) {
            ++late_;
            return false;
        }
        const auto found = find(number);
        if (found != ring_.end() && found->number == number) {
            found->members.add(member);
        } else {
            HyperLogLog members = empty_;
            members.add(member);
            ring_.insert(found, Bucket{number, std::move(members)});
            drop_old();
        }
        kind_ = member.kind;
        return true;
    }

    void read_bucket(ByteReader& reader) {
        const std::int64_t number = reader.get_signed();
        if (number < bucket_of(kFirstInstant) || number > bucket_of(kLastInstant))
            reader.fail("has a bucket outside the years 1 to 9999");
        if (!ring_.empty() && number <= ring_.back().number) reader.fail("has buckets out of order");
        HyperLogLog members = HyperLogLog::read(reader);
        if (members.is_empty() || members.p() != p() || members.kind() != kind_)
            reader.fail("has a bucket that doesn't fit the window");
        ring_.push_back({number, std::move(members)});
    }

    std::int64_t resolution_;
    std::int64_t count_;
    HyperLogLog empty_;  // what a new bucket starts as
    std::deque<Bucket> ring_;
    ItemKind kind_ = ItemKind::kNone;
    std::uint64_t late_ = 0;
};

}  // namespace engagehub
