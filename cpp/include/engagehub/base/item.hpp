// SPDX-License-Identifier: MIT
// Purpose: what can be counted or ranked: a signed 64-bit integer or a text. Bytes share the domain of text (a text is
// its UTF-8). One object holds one kind, fixed by the first item that it accepts.
// Thread safety: values. Complexity: O(1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>

namespace engagehub {

enum class ItemKind : std::uint8_t { kNone = 0, kInteger = 1, kText = 2 };

inline const char* name_of(ItemKind kind) {
    return kind == ItemKind::kInteger ? "int" : kind == ItemKind::kText ? "str" : "nothing";
}

// A borrowed item: the text must outlive it.
struct ItemView {
    ItemKind kind = ItemKind::kNone;
    std::int64_t number = 0;
    std::string_view text;

    static ItemView of(std::int64_t value) { return {ItemKind::kInteger, value, {}}; }
    static ItemView of(std::string_view value) { return {ItemKind::kText, 0, value}; }

    friend bool operator==(const ItemView& a, const ItemView& b) {
        return a.kind == b.kind && a.number == b.number && a.text == b.text;
    }
};

// Fixes the kind at the first item; refuses the other kind afterwards.
// THROWS: InvalidType, and changes nothing.
inline void change_kind(ItemKind& held, ItemKind given, const char* argument) {
    if (held != ItemKind::kNone) {
        throw InvalidType(
            std::string(argument) + " must be " + name_of(held) + " as all before it, got " + name_of(given));
    }
    held = given;
}
inline void require_kind(ItemKind& held, ItemKind given, const char* argument) {
    if (held != given) change_kind(held, given, argument);
}

}  // namespace engagehub
