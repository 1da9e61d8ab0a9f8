// SPDX-License-Identifier: MIT
// Purpose: the identity of an event, 128 bits for its id and its community: SipHash-1-3 with the output of 128 bits,
// the same on every platform. What is hashed is the words of the community, the words of the id, and seven bytes that
// say the kind and the length of both, so that no two pairs are the same bytes: 1 and "1" differ, and so do ("ab", "c")
// and ("a", "bc"). A text is its UTF-8 with zeros up to a whole word, an integer one little-endian word.
// Of n identities that are remembered, the next event has one by mistake with a probability of n / 2^128: 3e-32 for
// 10^7, and 3e-23 that it happens at all in 10^9 events.
// Thread safety: values. Complexity: O(length). Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>

#include <engagehub/base/item.hpp>
#include <engagehub/codec/load.hpp>
#include <engagehub/codec/siphash.hpp>

namespace engagehub {

struct Identity {
    std::uint64_t low;
    std::uint64_t high;

    friend bool operator==(const Identity& a, const Identity& b) { return a.low == b.low && a.high == b.high; }
    friend bool operator!=(const Identity& a, const Identity& b) { return !(a == b); }
};

// The letters "engagehub events": a key that everybody knows, for identities that must be the same in every process.
// Where strangers choose the ids, and identities stay within the process, process_key() keeps them from choosing ids
// whose identities fall together.
inline constexpr SipKey kIdentityKey{0x7568656761676e65ULL, 0x73746e6576652062ULL};

namespace detail {

using IdentityState = SipState<1, 3>;

inline std::size_t length_of(const ItemView& item) {
    return item.kind == ItemKind::kInteger ? sizeof item.number : item.text.size();
}

inline void absorb_words(IdentityState& state, const ItemView& item) {
    if (item.kind == ItemKind::kInteger) {
        state.absorb(static_cast<std::uint64_t>(item.number));
        return;
    }
    std::size_t length = item.text.size();
    const auto* bytes = reinterpret_cast<const unsigned char*>(item.text.data());
    const bool has_eight = length >= 8;
    for (; length >= 8; bytes += 8, length -= 8) state.absorb(load_le64(bytes));
    if (length != 0) state.absorb(load_tail(bytes, length, has_eight));
}

}  // namespace detail

// REQUIRES: texts are shorter than 64 MiB, as those of events are.
inline Identity identity_of(const ItemView& community, const ItemView& id, const SipKey& key = kIdentityKey) {
    auto state = detail::IdentityState::wide(key);
    detail::absorb_words(state, community);
    detail::absorb_words(state, id);
    const std::uint64_t community_length = detail::length_of(community);
    const std::uint64_t id_length = detail::length_of(id);
    const std::uint64_t bytes = (community_length + 7) / 8 * 8 + (id_length + 7) / 8 * 8 + 7;
    state.absorb(
        static_cast<std::uint64_t>(community.kind) | static_cast<std::uint64_t>(id.kind) << 2U |
        community_length << 4U | id_length << 30U | bytes << 56U);
    const auto hash = state.finish_wide();
    return {hash.low, hash.high};
}

}  // namespace engagehub
