// SPDX-License-Identifier: MIT
// Purpose: how many distinct members were there in the last N minutes, hours or days: a ring of buckets with the
// members of each, counted as a HyperLogLog counts them. An answer covers whole buckets, the open one included, and
// interval() says which stretch of time that is: a recount of the members with start <= at < end, without those that
// were counted as late, is what the answer estimates.
// Thread safety: external; an answer keeps unions of buckets for the next one, so it is no const method.
// Invariants: no bucket is without a member; a kind is only held beside a bucket. What is kept for later answers is in
// neither copies, comparisons nor bytes.
// Complexity: add as the ring and HyperLogLog::add; an answer merges O(log buckets) sketches once they are made, and
// none if one of the last four questions is asked again.
// Failure: bad input throws InvalidArgument, InvalidType, Incompatible or Corrupted and changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>
#include <engagehub/window/block_unions.hpp>
#include <engagehub/window/bucket_ring.hpp>
#include <engagehub/window/member_bucket.hpp>
#include <engagehub/window/member_ring.hpp>
#include <engagehub/window/recent_unions.hpp>

namespace engagehub {

class DistinctWindow {
public:
    DistinctWindow(
        std::int64_t span, std::int64_t resolution, unsigned p = HyperLogLog::kDefaultPrecision,
        const ItemHash& hash = ItemHash())
        : members_(MemberRing::Ring(span, resolution), HyperLogLog(p, hash)) {}

    DistinctWindow(const DistinctWindow& other) : members_(other.members_), kind_(other.kind_) {}
    DistinctWindow(DistinctWindow&&) = default;
    DistinctWindow& operator=(const DistinctWindow& other) {
        if (this != &other) *this = DistinctWindow(other);
        return *this;
    }
    DistinctWindow& operator=(DistinctWindow&&) = default;
    ~DistinctWindow() = default;

    static std::int64_t default_resolution(std::int64_t span) { return MemberRing::Ring::default_resolution(span); }

    std::int64_t resolution() const { return ring().resolution(); }
    std::int64_t span() const { return ring().span(); }
    std::int64_t buckets() const { return ring().buckets(); }
    unsigned p() const { return empty().p(); }
    const ItemHash& hash() const { return empty().hash(); }
    ItemKind kind() const { return kind_; }
    std::uint64_t late() const { return ring().late(); }

    // With what is kept for later answers.
    std::size_t nbytes() const {
        return sizeof *this + members_.heap_bytes() + blocks_.heap_bytes() + recent_.heap_bytes();
    }

    // Whether the member was counted: an event older than the ring is late, and changes nothing but late().
    bool add(const ItemView& member, std::int64_t at) {
        require_same_kind(kind_, member, "member");
        require_instant(at);
        return count(hash()(member), member.kind, at);
    }

    // All or nothing; returns how many were counted.
    template <class Items, class Instants>
    std::size_t update(const Items& members, const Instants& instants, std::size_t size) {
        const ItemKind kind = kind_after(kind_, members, size, "members");
        for (std::size_t i = 0; i < size; ++i) require_instant(instants[i], i);
        ring().require_room_for_late(instants, size);
        return hash().dispatch([&](const auto& hash) {
            std::size_t counted = 0;
            for (std::size_t i = 0; i < size; ++i) counted += count(hash(members[i]), kind, instants[i]) ? 1 : 0;
            return counted;
        });
    }

    Interval interval(std::int64_t window, std::int64_t at) const { return ring().interval(window, at); }

    Answer answer(std::int64_t window, std::int64_t at, double sigmas = 2.0) {
        const Interval covered = interval(window, at);
        if (ring().is_empty()) return empty().answer(sigmas);
        if (members_.is_few()) return collect(covered).answer(sigmas);
        const std::int64_t first = std::max(first_of(covered), ring().oldest_kept());
        const std::int64_t last = std::min(last_of(covered), ring().newest());
        if (const HyperLogLog* known = recent_.find(first, last)) return known->answer(sigmas);
        HyperLogLog members = empty();
        blocks_.gather(ring(), first, last, members);
        if (!BlockUnions::is_worth(ring(), first, last)) return members.answer(sigmas);
        return recent_.keep(first, last, std::move(members)).answer(sigmas);
    }

    // The sketch of all members in interval(window, at); it says no kind, for it was made of hashes.
    HyperLogLog collect(std::int64_t window, std::int64_t at) const { return collect(interval(window, at)); }

    // The estimate for each bucket of interval(window, at), the oldest first.
    std::vector<double> series(std::int64_t window, std::int64_t at) const {
        const Interval covered = interval(window, at);
        std::vector<double> result;
        for (std::int64_t start = covered.start; start < covered.end; start += resolution())
            result.push_back(collect(Interval{start, start + resolution()}).estimate());
        return result;
    }

    // The union: the ring ends at the newest event of both, precision is the lower one, late members add up.
    void merge(const DistinctWindow& other) {
        ring().require_same_shape(other.ring());
        hash().require_same(other.hash());
        DistinctWindow result = *this;
        result.kind_ = merged_kind(kind_, other.kind_);
        result.members_.merge(other.members_, HyperLogLog(std::min(p(), other.p()), hash()));
        *this = std::move(result);
    }

    void clear() {
        members_.clear();
        forget_unions();
        kind_ = ItemKind::kNone;
    }

    friend bool operator==(const DistinctWindow& a, const DistinctWindow& b) {
        return a.kind_ == b.kind_ && a.members_ == b.members_;
    }
    friend bool operator!=(const DistinctWindow& a, const DistinctWindow& b) { return !(a == b); }

    // docs/formats/distinct-window.md
    std::string to_bytes() const {
        ByteWriter writer = begin_format(kMagic, kVersion);
        ring().write_shape(writer);
        writer.put(static_cast<std::uint8_t>(p()));
        writer.put(static_cast<std::uint8_t>(kind_));
        hash().write(writer);
        members_.write_buckets(writer);
        return seal(std::move(writer));
    }

    // A keyed window needs its hash given, for the key isn't in the bytes.
    static DistinctWindow from_bytes(std::string_view bytes, const ItemHash& given = ItemHash()) {
        ByteReader reader = open_format(bytes, kMagic, kVersion);
        const bool is_first_version = bytes[kMagic.size()] == 1;
        auto ring = MemberRing::Ring::read_shape(reader);
        const unsigned p = reader.get<std::uint8_t>();
        if (p < HyperLogLog::kLeastPrecision || p > HyperLogLog::kMostPrecision)
            reader.fail("has a precision outside 4 to 18");
        const ItemKind kind = read_kind(reader);
        if (is_first_version) ItemHash().require_same(given);  // it had no other
        const ItemHash hash = is_first_version ? ItemHash() : ItemHash::read(reader, given);
        const HyperLogLog empty(p, hash);
        ring.read_buckets(reader, [&] {
            return is_first_version ? MemberBucket::read_first_version(reader, empty, kind)
                                    : MemberBucket::read(reader, empty);
        });
        reader.require_end();
        if (ring.is_empty() != (kind == ItemKind::kNone)) reader.fail("has a kind of member but no members");
        return DistinctWindow(MemberRing(std::move(ring), empty), kind);
    }

private:
    static constexpr Magic kMagic = {'E', 'H', 'D', 'W'};
    static constexpr std::uint8_t kVersion = 2;

    DistinctWindow(MemberRing members, ItemKind kind) : members_(std::move(members)), kind_(kind) {}

    const MemberRing::Ring& ring() const { return members_.ring(); }
    const HyperLogLog& empty() const { return members_.empty(); }

    std::int64_t first_of(const Interval& covered) const { return covered.start / resolution(); }
    std::int64_t last_of(const Interval& covered) const { return covered.end / resolution() - 1; }

    HyperLogLog collect(const Interval& covered) const {
        HyperLogLog result = empty();
        members_.add_to(first_of(covered), last_of(covered), result);
        return result;
    }

    // REQUIRES: checked arguments.
    bool count(std::uint64_t hash, ItemKind kind, std::int64_t at) {
        if (members_.add_to_newest(hash, at)) {
            recent_.add(ring().newest(), hash);
        } else {
            const std::int64_t number = ring().number_of(at);
            if (!members_.add(hash, number)) return false;
            if (members_.is_few()) forget_unions();
            blocks_.add(number, hash);
            blocks_.drop_before(ring().oldest_kept());
            recent_.add(number, hash);
            recent_.drop_before(ring().oldest_kept());
        }
        kind_ = kind;
        return true;
    }

    void forget_unions() {
        blocks_.clear();
        recent_.clear();
    }

    MemberRing members_;
    ItemKind kind_ = ItemKind::kNone;
    BlockUnions blocks_;
    RecentUnions recent_;
};

}  // namespace engagehub
