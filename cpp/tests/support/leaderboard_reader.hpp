// SPDX-License-Identifier: MIT
// Purpose: one body for the fuzz target and the unit test of the reader of leaderboards. Any bytes are either refused
// by one of the library's exceptions, or read as a board that is valid, is written back as the very same bytes, and can
// be asked and changed. Failure: throws std::logic_error where the reader breaks that; anything else is a crash or a
// sanitizer's report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <engagehub/codec/bytes.hpp>
#include <engagehub/ranking/leaderboard.hpp>

#include "tests/support/require.hpp"

namespace engagehub_tests {

// Whether the bytes were read.
inline bool read_leaderboard(std::string_view bytes) {
    using namespace engagehub;
    try {
        Leaderboard board = Leaderboard::from_bytes(bytes);
        board.check();
        require(board.to_bytes() == bytes, "what was read is written as other bytes");
        const std::int64_t now = board.as_of(0);
        const auto rows = board.rows(0, board.size(), now);
        require(rows.size() == board.size(), "all members are listed");
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto slot = board.find(rows[i].member);
            require(slot.has_value() && board.position(*slot) == i, "a member is where it is listed");
            require(board.rank(*slot) == rows[i].rank, "a member has the rank that is listed");
            require(i == 0 || rows[i - 1].score >= rows[i].score, "scores are listed in descending order");
        }
        const auto item = board.kind() == ItemKind::kText ? ItemView::of(std::string_view("ada")) : ItemView::of(7);
        board.add(item, 1.0, now);
        board.check();
        if (board.size() != 0) board.remove(*board.find(board.rows(0, 1, now)[0].member), now);
        board.check();
        return true;
    } catch (const Corrupted& error) {
        require(error.offset <= bytes.size(), "an offset lies outside the data");
    } catch (const Incompatible&) {
    }
    return false;
}

// The bytes as they are, and with the checksum that they would need, so that a mutation gets past it.
inline void read_any_leaderboard(const std::uint8_t* data, std::size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    read_leaderboard(bytes);
    if (bytes.size() < engagehub::kFrameHeader + 4) return;
    bytes.resize(bytes.size() - 4);
    engagehub::ByteWriter writer;
    writer.put_raw(bytes);
    read_leaderboard(engagehub::seal(std::move(writer)));
}

}  // namespace engagehub_tests
