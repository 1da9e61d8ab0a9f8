// SPDX-License-Identifier: MIT
// Purpose: a Leaderboard::Snapshot as bytes and back: docs/formats/leaderboard.md.
// Thread safety: pure functions. Complexity: O(bytes).
// Failure: read() throws Corrupted or Incompatible, as open_format() does.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/codec/utf8.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/ranking/rank_key.hpp>

namespace engagehub::leaderboard_format {

inline constexpr Magic kMagic = {'E', 'H', 'L', 'B'};
inline constexpr std::uint8_t kVersion = 1;

template <class Snapshot>
std::string write(const Snapshot& snapshot) {
    ByteWriter writer = begin_format(kMagic, kVersion);
    const ItemKind kind = snapshot.rows.empty() ? ItemKind::kNone : snapshot.rows[0].member.kind;
    writer.reserve(64 + snapshot.rows.size() * 40);
    writer.put_signed(snapshot.half_life.micros());
    writer.put(static_cast<std::uint8_t>(snapshot.ties));
    writer.put(static_cast<std::uint8_t>(snapshot.order));
    writer.put(static_cast<std::uint8_t>(kind));
    writer.put(static_cast<std::uint64_t>(snapshot.max_members));
    writer.put(snapshot.evicted);
    writer.put_signed(snapshot.newest);
    writer.put(static_cast<std::uint64_t>(snapshot.rows.size()));
    for (const auto& row : snapshot.rows) {
        writer.put_double(row.score.mantissa);
        writer.put_signed(row.score.exponent);
        writer.put_signed(row.last_at);
        if (kind == ItemKind::kText) {
            writer.put_text(row.member.text);
        } else {
            writer.put_signed(row.member.number);
        }
    }
    return seal(std::move(writer));
}

// The members borrow the bytes.
template <class Snapshot>
Snapshot read(std::string_view bytes) {
    ByteReader reader = open_format(bytes, kMagic, kVersion);
    Snapshot snapshot;
    const std::int64_t half_life = reader.get_signed();
    if (half_life != 0 && half_life < RankKeyCodec::kLeastHalfLife) reader.fail("has an impossible half-life");
    snapshot.half_life = HalfLife::of_micros(half_life);
    const auto choice = [&](std::uint8_t largest) {
        const auto value = reader.get<std::uint8_t>();
        if (value > largest) reader.fail("has an unknown policy or kind");
        return value;
    };
    snapshot.ties = static_cast<decltype(snapshot.ties)>(choice(2));
    snapshot.order = static_cast<decltype(snapshot.order)>(choice(1));
    const auto kind = static_cast<ItemKind>(choice(2));
    const auto max_members = reader.get<std::uint64_t>();
    constexpr std::uint64_t kMost = std::numeric_limits<std::size_t>::max();
    snapshot.max_members = static_cast<std::size_t>(max_members < kMost ? max_members : kMost);
    snapshot.evicted = reader.get<std::uint64_t>();
    snapshot.newest = reader.get_signed();
    const auto count = reader.get<std::uint64_t>();
    if (count > reader.remaining() / 28) reader.fail("has fewer rows than it says");
    if ((kind == ItemKind::kNone) != (count == 0)) reader.fail("has a kind of member without members, or none");
    snapshot.rows.resize(static_cast<std::size_t>(count));
    for (auto& row : snapshot.rows) {
        row.score.mantissa = reader.get_double();
        row.score.exponent = reader.get_signed();
        if (!row.score.is_normalised()) reader.fail("has an impossible score");
        row.last_at = reader.get_signed();
        if (kind == ItemKind::kText) {
            row.member = ItemView::of(reader.get_text());
            if (!is_utf8(row.member.text)) reader.fail("has a text that isn't UTF-8");
        } else {
            row.member = ItemView::of(reader.get_signed());
        }
    }
    reader.require_end();
    return snapshot;
}

}  // namespace engagehub::leaderboard_format
