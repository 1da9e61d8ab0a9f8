// SPDX-License-Identifier: MIT
// Purpose: the object behind engagehub_core.Leaderboard: the native board, its lock and its clock.
// Thread safety: the board through the guard; the clock is Python code and is called before the lock is taken.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <memory>
#include <utility>

#include <engagehub/ranking/leaderboard.hpp>

#include "clock.hpp"
#include "guarded.hpp"
#include "held.hpp"
#include "ranking_rows.hpp"

namespace ranking {

using engagehub::Leaderboard;

struct Board : Held<Leaderboard> {
    template <class... Arguments>
    explicit Board(Clock its_clock, Arguments&&... arguments)
        : Held(std::make_shared<Guarded<Leaderboard>>(std::forward<Arguments>(arguments)...)),
          clock(std::move(its_clock)) {}
    explicit Board(const Live<Leaderboard>& live) : Held(live.structure), clock(live.clock) {}

    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    // The rows of a part of the listing, which find(board, instant) answers.
    template <class Find>
    OwnedRows rows(std::int64_t instant, Find&& find) {
        return rows_of<Leaderboard>(*this, find, [&](Leaderboard& board, const Span& span, OwnedRows& rows) {
            board.visit(span.first, span.count, instant, [&](const Leaderboard::Row& row) {
                rows.add(row.rank, row.member, row.score, row.last_at);
            });
        });
    }

    Clock clock;
};

// The methods that are called once an event or a page: see fastcall.hpp.
void add_board_calls(py::handle type);

}  // namespace ranking
