// SPDX-License-Identifier: MIT
// Purpose: the members of a window, bucket by bucket: a ring of their sketches. In a ring of at most 64 buckets they
// are in one table instead as long as they are few: the same hundred in every bucket would fill as many sketches.
// Thread safety: external; const methods may run side by side.
// Invariants: while there is a table, the ring's buckets are empty and only say which there are; they are filled as
// soon as it has no room, and emptied again when buckets are given up and at most a hundred members are left. Which of
// the two it is shows in no answer, comparison or byte.
// Complexity: as the ring and HyperLogLog::add; while there is a table, O(its members) for an event of another bucket
// than the newest; while there is none, O(tokens held) when buckets are given up.
// Failure: std::bad_alloc changes nothing, except in merge().
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>
#include <utility>

#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/token_set.hpp>
#include <engagehub/window/bucket_ring.hpp>
#include <engagehub/window/few_members.hpp>
#include <engagehub/window/member_bucket.hpp>

namespace engagehub {

class MemberRing {
public:
    using Ring = BucketRing<MemberBucket>;

    // What a sketch begins as is the empty one.
    MemberRing(Ring ring, HyperLogLog empty) : ring_(std::move(ring)), empty_(std::move(empty)) { gather_few(); }

    const HyperLogLog& empty() const { return empty_; }
    // Its shape and numbers, and unless the members are few, the buckets.
    const Ring& ring() const { return ring_; }
    bool is_few() const { return few_.has_value(); }

    // Whether the instant lies in the newest bucket: then the member is added to it.
    bool add_to_newest(std::uint64_t hash, std::int64_t at) {
        MemberBucket* open = ring_.newest_at(at);
        if (open == nullptr) return false;
        if (few_) {
            if (few_->add(TokenSet::token_of(hash), bit_of(ring_.newest()))) return true;
            spread();
            open = ring_.newest_at(at);
        }
        open->add(hash, empty_);
        return true;
    }

    // Whether the member was counted; if not, the event is late.
    bool add(std::uint64_t hash, std::int64_t number) {
        if (few_ && !ring_.is_late(number)) {
            FewMembers members = *few_;
            members.drop(bits_of(std::numeric_limits<std::int64_t>::min(), number - ring_.buckets()));
            if (members.add(TokenSet::token_of(hash), bit_of(number))) {
                ring_.change(number, [](MemberBucket&) {});
                few_ = std::move(members);
                return true;
            }
            spread();
        }
        const std::int64_t oldest = ring_.is_empty() ? number : ring_.begin()->first;
        if (!ring_.change(number, [&](MemberBucket& bucket) { bucket.add(hash, empty_); })) return false;
        if (ring_.begin()->first != oldest) gather_few();
        return true;
    }

    // Adds the members of the buckets first to last to a sketch.
    void add_to(std::int64_t first, std::int64_t last, HyperLogLog& sketch) const {
        if (few_) {
            few_->each(bits_of(first, last), [&](TokenSet::Token token) { sketch.add_token(token); });
            return;
        }
        for (auto held = ring_.from(first); held != ring_.end() && held->first <= last; ++held)
            held->second.add_to(sketch);
    }

    // The union, whose sketches begin as the empty one: of the lower precision of both. REQUIRES: the same shape and
    // hash. Not all or nothing: merge into a copy.
    void merge(const MemberRing& other, HyperLogLog empty) {
        empty_ = std::move(empty);
        spread();
        for (auto& held : ring_) held.second.downsize(empty_.p());
        other.with_buckets([&](const Ring& theirs) {
            ring_.merge(theirs, [&](MemberBucket& ours, const MemberBucket& more) { ours.merge(more, empty_); });
        });
        gather_few();
    }

    void clear() {
        ring_.clear();
        few_.reset();
        gather_few();
    }

    std::size_t heap_bytes() const {
        std::size_t size = ring_.heap_bytes() + (few_ ? few_->heap_bytes() : 0);
        for (const auto& held : ring_) size += held.second.heap_bytes();
        return size;
    }

    friend bool operator==(const MemberRing& a, const MemberRing& b) {
        if (a.empty_ != b.empty_) return false;
        bool is_same = false;
        a.with_buckets(
            [&](const Ring& ours) { b.with_buckets([&](const Ring& theirs) { is_same = ours == theirs; }); });
        return is_same;
    }

    void write_buckets(ByteWriter& writer) const {
        with_buckets([&](const Ring& ring) {
            ring.write_buckets(writer, [&](const MemberBucket& bucket) { bucket.write(writer); });
        });
    }

private:
    // What the table takes back: less than it holds, so that a member more or less doesn't turn it over and over.
    static constexpr std::size_t kFewAgain = 100;

    // None of two buckets that are held at once. REQUIRES: at most 64 buckets.
    static FewMembers::Buckets bit_of(std::int64_t number) {
        return FewMembers::Buckets{1} << (static_cast<std::uint64_t>(number) % FewMembers::kMostBuckets);
    }

    // Of the buckets first to last that are held.
    FewMembers::Buckets bits_of(std::int64_t first, std::int64_t last) const {
        FewMembers::Buckets bits = 0;
        for (auto held = ring_.from(first); held != ring_.end() && held->first <= last; ++held)
            bits |= bit_of(held->first);
        return bits;
    }

    // REQUIRES: a table.
    Ring filled() const {
        Ring result = ring_;
        for (auto& [number, bucket] : result) {
            few_->each(bit_of(number), [&, &into = bucket](TokenSet::Token token) { into.add_token(token, empty_); });
        }
        return result;
    }

    // Calls use(ring) with all buckets filled.
    template <class Use>
    void with_buckets(Use&& use) const {
        if (few_) {
            use(filled());
        } else {
            use(ring_);
        }
    }

    void spread() {
        if (!few_) return;
        ring_ = filled();
        few_.reset();
    }

    // Puts the members into a table if they are few enough.
    void gather_few() {
        if (few_ || ring_.buckets() > FewMembers::kMostBuckets) return;
        try {
            FewMembers members;
            for (const auto& [number, bucket] : ring_) {
                if (!bucket.is_of_tokens()) return;
                bool are_few = true;
                bucket.each_token([&, bit = bit_of(number)](TokenSet::Token token) {
                    are_few = are_few && members.add(token, bit) && members.size() <= kFewAgain;
                });
                if (!are_few) return;
            }
            few_ = std::move(members);
        } catch (const std::bad_alloc&) {
            return;  // they stay where they are
        }
        for (auto& held : ring_) held.second = MemberBucket();
    }

    Ring ring_;
    HyperLogLog empty_;
    std::optional<FewMembers> few_;
};

}  // namespace engagehub
