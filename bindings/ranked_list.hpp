// SPDX-License-Identifier: MIT
// Purpose: the object behind engagehub_core.SkipList: the native map and its lock.
// Thread safety: through the guard.
#pragma once

#include "python.hpp"

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "ranking_rows.hpp"

namespace ranking {

using engagehub::RankedMap;

struct RankedList : MadeByInit {
    RankedList(Ties ties, TieOrder order) : guarded(ties, order) {}
    explicit RankedList(const RankedMap& other) : guarded(other) {}

    // The rows of a part of the listing, which find(map) answers.
    template <class Find>
    OwnedRows rows(Find&& find) {
        return rows_of<RankedMap>(*this, find, [](RankedMap& map, const Span& span, OwnedRows& rows) {
            map.visit(span.first, span.count, [&](const RankedMap::Row& row) {
                rows.add(row.rank, map.member(row.slot), map.score(row.slot).to_double(), 0);
            });
        });
    }

    Guarded<RankedMap> guarded;
};

inline double require_score(py::handle object, const char* argument) {
    const double score = convert::number(object, argument);
    engagehub::Leaderboard::require_points(score, argument);
    return score;
}

// The methods that are called once a member or a page: see fastcall.hpp.
void add_skip_list_calls(py::handle type);

}  // namespace ranking
