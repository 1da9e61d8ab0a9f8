// SPDX-License-Identifier: MIT
// Purpose: how fast this machine computes at this moment: a fixed loop of integer work that stays in the first cache.
// Integers go through the finaliser of MurmurHash3 (Appleby, 2011) into 16,384 registers of one byte, each of which
// keeps the most trailing zeros that it has seen. Other figures are scaled by it. Thread safety: external.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace yardstick {

class HashLoop {
public:
    // Starts anew with the integers from first on.
    void run(std::uint64_t first, std::size_t count) {
        registers_.fill(0);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t hash = mixed(first + i);
            const std::size_t index = hash >> 50U;
            const auto zeros = static_cast<std::uint8_t>(__builtin_ctzll(hash | (std::uint64_t{1} << 49U)) + 1);
            if (zeros > registers_[index]) registers_[index] = zeros;
        }
    }

    std::uint64_t sum() const {
        std::uint64_t total = 0;
        for (const std::uint8_t each : registers_) total += each;
        return total;
    }

private:
    static std::uint64_t mixed(std::uint64_t value) {
        value = (value ^ (value >> 33U)) * 0xff51afd7ed558ccdULL;
        value = (value ^ (value >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
        return value ^ (value >> 33U);
    }

    std::array<std::uint8_t, 16'384> registers_{};
};

}  // namespace yardstick
