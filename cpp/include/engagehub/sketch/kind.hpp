// SPDX-License-Identifier: MIT
// Purpose: the kind of item that a sketch holds, where it is merged, queried and read back.
// Thread safety: pure functions. Complexity: O(1), kind_after O(items) unless the batch knows its kind.
// Failure: as each says; nothing is changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>

namespace engagehub {

// The estimate of something that was counted, and bounds on the truth.
struct Answer {
    double estimate;
    double low;
    double high;
};

inline bool operator==(const Answer& a, const Answer& b) {
    return a.estimate == b.estimate && a.low == b.low && a.high == b.high;
}

// The kind of two sketches together. THROWS: Incompatible if they hold different kinds.
inline ItemKind merged_kind(ItemKind a, ItemKind b) {
    if (a != b && a != ItemKind::kNone && b != ItemKind::kNone) {
        throw Incompatible(
            std::string("sketches of the same kind of item are required, got ") + name_of(a) + " and " + name_of(b));
    }
    return a == ItemKind::kNone ? b : a;
}

// For queries: the item may be anything while the sketch is empty. THROWS: InvalidType.
inline void require_same_kind(ItemKind held, const ItemView& item, const char* argument) {
    require_kind(held, item.kind, argument);
}

namespace detail {

// Whether a batch knows that all its items are of one kind.
template <class Items, class = void>
struct HasKind : std::false_type {};
template <class Items>
struct HasKind<Items, std::void_t<decltype(std::declval<const Items&>().kind())>> : std::true_type {};

}  // namespace detail

// The kind that a sketch holds after a batch. THROWS: InvalidType.
template <class Items>
ItemKind kind_after(ItemKind held, const Items& items, std::size_t size, const char* argument) {
    if constexpr (detail::HasKind<Items>::value) {
        if (size != 0) require_kind(held, items.kind(), argument);
    } else {
        for (std::size_t i = 0; i < size; ++i) require_kind(held, items[i].kind, argument);
    }
    return held;
}

// THROWS: Corrupted.
inline ItemKind read_kind(ByteReader& reader) {
    const auto byte = reader.get<std::uint8_t>();
    if (byte > static_cast<std::uint8_t>(ItemKind::kText)) reader.fail("has an unknown kind of item");
    return static_cast<ItemKind>(byte);
}

}  // namespace engagehub
