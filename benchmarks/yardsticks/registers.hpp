// SPDX-License-Identifier: MIT
// Purpose: two yardsticks, no part of the library: what a distinct count costs at least. An item's hash names one of
// 16,384 bytes and a rank; the byte keeps the largest rank (HyperLogLog: Flajolet, Fusy, Gandouet, Meunier, 2007), or
// that and whether the two ranks below it were seen (UltraLogLog: Ertl, VLDB 2024). The bits are split as Redis splits
// them: the low 14 are the index, the rank is one more than the zeros that follow. No sparse form, no kinds, no locks.
// Thread safety: external. Complexity: O(1) a hash. Failure: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace yardstick {

inline constexpr std::size_t kRegisters = 16'384;

inline std::size_t index_of(std::uint64_t hash) { return hash % kRegisters; }
// 1 to 51.
inline unsigned rank_of(std::uint64_t hash) {
    return static_cast<unsigned>(__builtin_ctzll((hash >> 14U) | (std::uint64_t{1} << 50U))) + 1;
}

class HyperLogLogRegisters {
public:
    void clear() { bytes_.fill(0); }

    void add(std::uint64_t hash) {
        std::uint8_t& held = bytes_[index_of(hash)];
        const auto rank = static_cast<std::uint8_t>(rank_of(hash));
        if (rank > held) held = rank;
    }

    const std::array<std::uint8_t, kRegisters>& bytes() const { return bytes_; }

private:
    std::array<std::uint8_t, kRegisters> bytes_{};
};

// A byte is 0 where nothing came, else four times (the largest rank + 1), plus 2 if the rank below it was seen, plus 1
// if the one below that was. Unpacked it is a word with a bit for each rank that is known to have been seen.
class UltraLogLogRegisters {
public:
    void clear() { bytes_.fill(0); }

    void add(std::uint64_t hash) {
        std::uint8_t& held = bytes_[index_of(hash)];
        const unsigned bit = rank_of(hash) + 1;
        if (bit + 2 < held / 4U) return;  // too low to be known of
        // The bit of an empty byte is shifted out.
        const std::uint64_t seen = (4U | std::uint64_t{held} % 4U) << ((held / 4U - 2U) % 64U);
        const std::uint64_t now = seen | std::uint64_t{1} << bit;
        const auto largest = 63U - static_cast<unsigned>(__builtin_clzll(now));
        held = static_cast<std::uint8_t>(4U * largest + (now >> (largest - 2U)) % 4U);
    }

    const std::array<std::uint8_t, kRegisters>& bytes() const { return bytes_; }

private:
    std::array<std::uint8_t, kRegisters> bytes_{};
};

}  // namespace yardstick
