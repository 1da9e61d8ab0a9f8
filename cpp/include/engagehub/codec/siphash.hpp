// SPDX-License-Identifier: MIT
// Purpose: SipHash-c-d (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012), a hash with a secret key, for
// tables whose keys strangers choose: without the key nobody can choose keys that collide. Thread safety: pure
// functions. Complexity: O(length). Failure: process_key() throws what std::random_device throws, at its first call
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include <engagehub/codec/load.hpp>

namespace engagehub {

struct SipKey {
    std::uint64_t low;
    std::uint64_t high;
};

template <int kCompressions, int kFinalizations>
std::uint64_t siphash(const SipKey& key, const void* data, std::size_t length) {
    std::uint64_t v0 = key.low ^ 0x736f6d6570736575ULL;
    std::uint64_t v1 = key.high ^ 0x646f72616e646f6dULL;
    std::uint64_t v2 = key.low ^ 0x6c7967656e657261ULL;
    std::uint64_t v3 = key.high ^ 0x7465646279746573ULL;
    const auto rounds = [&](int count) {
        for (int i = 0; i < count; ++i) {
            v0 += v1;
            v1 = rotated_left(v1, 13) ^ v0;
            v0 = rotated_left(v0, 32);
            v2 += v3;
            v3 = rotated_left(v3, 16) ^ v2;
            v0 += v3;
            v3 = rotated_left(v3, 21) ^ v0;
            v2 += v1;
            v1 = rotated_left(v1, 17) ^ v2;
            v2 = rotated_left(v2, 32);
        }
    };
    const auto absorb = [&](std::uint64_t word) {
        v3 ^= word;
        rounds(kCompressions);
        v0 ^= word;
    };
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t last = static_cast<std::uint64_t>(length) << 56U;
    const bool has_eight = length >= 8;
    for (; length >= 8; bytes += 8, length -= 8) absorb(load_le64(bytes));
    if (length != 0) last |= load_tail(bytes, length, has_eight);
    absorb(last);
    v2 ^= 0xffU;
    rounds(kFinalizations);
    return v0 ^ v1 ^ v2 ^ v3;
}

// Drawn once a process: for what must not be predictable and never leaves the process.
inline const SipKey& process_key() {
    static const SipKey key = [] {
        std::random_device random;
        const auto word = [&random] { return (static_cast<std::uint64_t>(random()) << 32U) ^ random(); };
        const std::uint64_t low = word();
        return SipKey{low, word()};
    }();
    return key;
}

}  // namespace engagehub
