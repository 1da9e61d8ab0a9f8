// SPDX-License-Identifier: MIT
// Purpose: how events keep a Leaderboard current: a member gains the points of the event's kind times its value, at the
// event's instant.
// Thread safety: immutable. Failure: apply() doesn't; it notes what it skipped.
#pragma once

#include <cmath>
#include <cstddef>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_choice.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/ranking/leaderboard.hpp>

namespace engagehub {

// NOLINTNEXTLINE(bugprone-exception-escape): a board has no move of its own, so the rule's copies
struct BoardRule {
    using Structure = Leaderboard;

    Leaderboard empty;  // what each board begins as
    KindTable points;   // of each kind; other kinds are left out

    bool takes(const QueuedEvent& event) const noexcept {
        return points.is_every() || KindTable::Reader(points).find(event.kind().text) != nullptr;
    }

    void apply(Leaderboard& board, const QueuedEvent* const* events, std::size_t count, Skips& skips) const noexcept {
        KindTable::Reader reader(points);
        skips.each(events, count, [&](const QueuedEvent& event) -> const char* {
            const double* const each = points.is_every() ? &kOne : reader.find(event.kind().text);
            if (each == nullptr) return nullptr;
            const ItemView member = event.member();
            if (board.kind() != ItemKind::kNone && board.kind() != member.kind)
                return "members of a board must be all int or all str, got both";
            const double gained = *each * event.value();
            if (!(std::abs(gained) <= Leaderboard::kLargestPoints))
                return "points * value must be at most 1e290 either way, got more";
            board.add(member, gained, event.at());
            return nullptr;
        });
    }

private:
    static constexpr double kOne = 1.0;
};

}  // namespace engagehub
