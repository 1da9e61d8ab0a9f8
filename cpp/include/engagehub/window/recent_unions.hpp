// SPDX-License-Identifier: MIT
// Purpose: the unions of the stretches of buckets that were asked for last, kept as members come: the same question
// again then merges nothing, and as long as no member is new to it, not even the estimate is made again.
// Thread safety: external.
// Invariants: a union that is kept holds the members of all buckets from its first to its last, none of which the ring
// has given up. So an answer never depends on what is kept.
// Complexity: O(kMost) at most, and one HyperLogLog::add for each union that holds the bucket.
// Failure: std::bad_alloc in keep() changes nothing, in add() leaves no unions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include <engagehub/sketch/hyperloglog.hpp>

namespace engagehub {

class RecentUnions {
public:
    // A board shows a few windows; each costs every event a step.
    static constexpr std::size_t kMost = 4;

    const HyperLogLog* find(std::int64_t first, std::int64_t last) {
        const auto found = std::find_if(unions_.begin(), unions_.end(), [&](const Union& each) {
            return each.first == first && each.last == last;
        });
        if (found == unions_.end()) return nullptr;
        std::rotate(unions_.begin(), found, found + 1);
        return &unions_.front().members;
    }

    // In the place of the one that wasn't asked for the longest.
    const HyperLogLog& keep(std::int64_t first, std::int64_t last, HyperLogLog members) {
        unions_.reserve(kMost);
        if (unions_.size() == kMost) unions_.pop_back();
        unions_.insert(unions_.begin(), Union{first, last, std::move(members)});
        return unions_.front().members;
    }

    // A member came in a bucket.
    void add(std::int64_t number, std::uint64_t hash) {
        try {
            for (Union& each : unions_) {
                if (each.first <= number && number <= each.last) each.members.add_hash(hash);
            }
        } catch (const std::bad_alloc&) {
            clear();  // they will be made again
        }
    }

    // The ring has given up the buckets before the number.
    void drop_before(std::int64_t number) {
        unions_.erase(
            std::remove_if(unions_.begin(), unions_.end(), [&](const Union& each) { return each.first < number; }),
            unions_.end());
    }

    void clear() { unions_ = std::vector<Union>(); }

    std::size_t heap_bytes() const {
        std::size_t size = unions_.capacity() * sizeof(Union);
        for (const Union& each : unions_) size += each.members.nbytes() - sizeof each.members;
        return size;
    }

private:
    struct Union {
        std::int64_t first;
        std::int64_t last;
        HyperLogLog members;
    };

    std::vector<Union> unions_;  // the one asked for last first
};

}  // namespace engagehub
