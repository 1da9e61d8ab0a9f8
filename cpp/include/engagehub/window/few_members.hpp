// SPDX-License-Identifier: MIT
// Purpose: the distinct members of a whole window as long as they are few, each once with the buckets in which he came:
// a member who comes back in every bucket takes no more than one who came once.
// Thread safety: external; const methods may run side by side.
// Invariants: tokens ascend; each member came in a bucket.
// Complexity: add O(log size) for a member who is known, else O(size); the others O(size).
// Failure: std::bad_alloc changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <engagehub/sketch/token_set.hpp>

namespace engagehub {

class FewMembers {
public:
    using Token = TokenSet::Token;
    using Buckets = std::uint64_t;  // a bit for each
    static constexpr std::int64_t kMostBuckets = 64;
    static constexpr std::size_t kMost = 128;

    std::size_t size() const { return members_.size(); }

    // Whether the member is there now: no more than kMost are.
    bool add(Token token, Buckets buckets) {
        const auto place = std::lower_bound(
            members_.begin(), members_.end(), token,
            [](const Member& held, Token other) { return held.token < other; });
        if (place != members_.end() && place->token == token) {
            place->buckets |= buckets;
            return true;
        }
        if (members_.size() == kMost) return false;
        members_.insert(place, {buckets, token});
        return true;
    }

    // Calls visit(token) for each member who came in any of the buckets.
    template <class Visit>
    void each(Buckets buckets, Visit&& visit) const {
        for (const Member& member : members_) {
            if ((member.buckets & buckets) != 0) visit(member.token);
        }
    }

    void drop(Buckets buckets) {
        for (Member& member : members_) member.buckets &= ~buckets;
        members_.erase(
            std::remove_if(members_.begin(), members_.end(), [](const Member& member) { return member.buckets == 0; }),
            members_.end());
    }

    std::size_t heap_bytes() const { return members_.capacity() * sizeof(Member); }

private:
    struct Member {
        Buckets buckets;
        Token token;
    };

    std::vector<Member> members_;
};

}  // namespace engagehub
