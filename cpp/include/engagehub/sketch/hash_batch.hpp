// SPDX-License-Identifier: MIT
// Purpose: the hashes of a batch of items, a piece at a time: the choice of the hash and of the kind of item is made
// once for the piece, and what works on the hashes needs to know neither.
// Thread safety: pure functions. Complexity: O(items). Failure: none.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <engagehub/sketch/item_hash.hpp>

namespace engagehub {

namespace detail {

// Whether a batch offers with_values(body), which calls body with a pointer to all its integers or all its texts.
struct AnyPointer {
    void operator()(const void* /*values*/) const {}
};
template <class Items, class = void>
struct HasValues : std::false_type {};
template <class Items>
struct HasValues<Items, std::void_t<decltype(std::declval<const Items&>().with_values(AnyPointer()))>>
    : std::true_type {};

// Whether a batch offers hashes(), a pointer to the hashes of its items where it has them already, else null.
template <class Items, class = void>
struct HasHashes : std::false_type {};
template <class Items>
struct HasHashes<Items, std::void_t<decltype(std::declval<const Items&>().hashes())>> : std::true_type {};

}  // namespace detail

// In a piece at the most.
inline constexpr std::size_t kMostHashes = 256;

// Calls work(hashes, first, count) for the hashes of items[first] to items[first + count - 1], piece by piece in order.
template <class Items, class Work>
void each_hash_piece(const ItemHash& hash, const Items& items, std::size_t size, Work&& work) {
    std::array<std::uint64_t, kMostHashes> hashes;
    for (std::size_t first = 0; first < size; first += hashes.size()) {
        const std::size_t count = std::min(hashes.size(), size - first);
        if constexpr (detail::HasHashes<Items>::value) {
            if (items.hashes() != nullptr) {
                work(items.hashes() + first, first, count);
                continue;
            }
        }
        hash.dispatch([&](auto hash_of) {
            if constexpr (detail::HasValues<Items>::value) {
                items.with_values([&](const auto* values) {
                    for (std::size_t i = 0; i < count; ++i) hashes[i] = hash_of(values[first + i]);
                });
            } else {
                for (std::size_t i = 0; i < count; ++i) hashes[i] = hash_of(items[first + i]);
            }
        });
        work(static_cast<const std::uint64_t*>(hashes.data()), first, count);
    }
}

}  // namespace engagehub
