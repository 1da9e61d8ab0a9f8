// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <engagehub/ranking/key_sort.hpp>

using engagehub::KeyedSlot;

TEST_CASE("slots are sorted by key, and by the caller's order where keys are equal") {
    std::mt19937_64 random(31);
    const auto before = [](std::uint32_t a, std::uint32_t b) { return a > b; };
    for (const std::size_t size : {0U, 1U, 2U, 127U, 128U, 129U, 5'000U}) {
        for (const std::uint64_t range : {1ULL, 3ULL, 1'000ULL, ~0ULL}) {
            CAPTURE(size);
            CAPTURE(range);
            std::vector<KeyedSlot> entries;
            for (std::uint32_t slot = 0; slot < size; ++slot) {
                const std::uint64_t high = range == ~0ULL ? random() : random() % range - range / 2;
                entries.push_back({{static_cast<std::int64_t>(high), random() % 3 - 1}, slot});
            }
            std::vector<KeyedSlot> expected = entries;
            std::sort(expected.begin(), expected.end(), [](const KeyedSlot& a, const KeyedSlot& b) {
                return a.key != b.key ? a.key < b.key : a.slot > b.slot;
            });
            engagehub::sort_by_key(entries, before);
            REQUIRE(entries.size() == expected.size());
            for (std::size_t i = 0; i < size; ++i) REQUIRE(entries[i].slot == expected[i].slot);
        }
    }
}
