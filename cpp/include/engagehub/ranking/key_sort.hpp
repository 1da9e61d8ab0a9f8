// SPDX-License-Identifier: MIT
// Purpose: sorts slots by their keys: a radix sort, least significant byte first, on the high words, and then each run
// of equal high words by comparison. Thread safety: pure. Complexity: O(n) on keys whose high words differ, O(n log n)
// at the worst. Failure: std::bad_alloc, and nothing is changed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <engagehub/ranking/rank_key.hpp>

namespace engagehub {

struct KeyedSlot {
    RankKey key;
    std::uint32_t slot;
};

// before(a, b): how two slots with equal keys are ordered.
template <class Before>
void sort_by_key(std::vector<KeyedSlot>& entries, const Before& before) {
    const auto precedes = [&](const KeyedSlot& a, const KeyedSlot& b) {
        return a.key != b.key ? a.key < b.key : a.slot != b.slot && before(a.slot, b.slot);
    };
    constexpr std::size_t kFew = 128;
    if (entries.size() < kFew) {
        std::sort(entries.begin(), entries.end(), precedes);
        return;
    }
    constexpr std::size_t kDigits = 8;
    const auto digit = [](const KeyedSlot& entry, std::size_t place) {
        const std::uint64_t unsigned_high = static_cast<std::uint64_t>(entry.key.high) ^ 0x8000000000000000ULL;
        return static_cast<std::size_t>(unsigned_high >> (8 * place)) & 0xffU;
    };
    std::array<std::array<std::size_t, 256>, kDigits> counts{};
    for (const KeyedSlot& entry : entries) {
        for (std::size_t place = 0; place < kDigits; ++place) ++counts[place][digit(entry, place)];
    }
    std::vector<KeyedSlot> other(entries.size());
    for (std::size_t place = 0; place < kDigits; ++place) {
        auto& count = counts[place];
        if (count[digit(entries[0], place)] == entries.size()) continue;  // a digit that all share
        std::size_t next = 0;
        for (std::size_t& each : count) {
            const std::size_t many = each;
            each = next;
            next += many;
        }
        for (const KeyedSlot& entry : entries) other[count[digit(entry, place)]++] = entry;
        entries.swap(other);
    }
    for (auto run = entries.begin(); run != entries.end();) {
        const auto end =
            std::find_if(run, entries.end(), [&](const KeyedSlot& entry) { return entry.key.high != run->key.high; });
        if (end - run > 1) std::sort(run, end, precedes);
        run = end;
    }
}

}  // namespace engagehub
