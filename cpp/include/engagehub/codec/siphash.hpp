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

// The state between words. A text is its whole words and then one word of what is left, below the length in its
// highest byte; finish() gives the hash, or finish_wide() twice as many bits of a state that was made wide.
template <int kCompressions, int kFinalizations>
class SipState {
public:
    struct Wide {
        std::uint64_t low;
        std::uint64_t high;
    };

    static SipState narrow(const SipKey& key) { return SipState(key, 0); }
    static SipState wide(const SipKey& key) { return SipState(key, 0xeeU); }

    void absorb(std::uint64_t word) {
        v3_ ^= word;
        rounds(kCompressions);
        v0_ ^= word;
    }

    std::uint64_t finish() {
        v2_ ^= 0xffU;
        rounds(kFinalizations);
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

    Wide finish_wide() {
        v2_ ^= 0xeeU;
        rounds(kFinalizations);
        const std::uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
        v1_ ^= 0xddU;
        rounds(kFinalizations);
        return {low, v0_ ^ v1_ ^ v2_ ^ v3_};
    }

private:
    SipState(const SipKey& key, std::uint64_t width)
        : v0_(key.low ^ 0x736f6d6570736575ULL),
          v1_(key.high ^ 0x646f72616e646f6dULL ^ width),
          v2_(key.low ^ 0x6c7967656e657261ULL),
          v3_(key.high ^ 0x7465646279746573ULL) {}

    void rounds(int count) {
        for (int i = 0; i < count; ++i) {
            v0_ += v1_;
            v1_ = rotated_left(v1_, 13) ^ v0_;
            v0_ = rotated_left(v0_, 32);
            v2_ += v3_;
            v3_ = rotated_left(v3_, 16) ^ v2_;
            v0_ += v3_;
            v3_ = rotated_left(v3_, 21) ^ v0_;
            v2_ += v1_;
            v1_ = rotated_left(v1_, 17) ^ v2_;
            v2_ = rotated_left(v2_, 32);
        }
    }

    std::uint64_t v0_;
    std::uint64_t v1_;
    std::uint64_t v2_;
    std::uint64_t v3_;
};

template <int kCompressions, int kFinalizations>
std::uint64_t siphash(const SipKey& key, const void* data, std::size_t length) {
    auto state = SipState<kCompressions, kFinalizations>::narrow(key);
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t last = static_cast<std::uint64_t>(length) << 56U;
    const bool has_eight = length >= 8;
    for (; length >= 8; bytes += 8, length -= 8) state.absorb(load_le64(bytes));
    if (length != 0) last |= load_tail(bytes, length, has_eight);
    state.absorb(last);
    return state.finish();
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
