// SPDX-License-Identifier: MIT
// Purpose: what the bindings of the skip list and of the leaderboard share: policies by name, limits, rows.
// Thread safety: call attached; with_member() takes the object's lock.
#pragma once

#include "python.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "errors.hpp"

namespace ranking {

using engagehub::InvalidArgument;
using engagehub::ItemView;
using engagehub::TieOrder;
using engagehub::Ties;

inline Ties ties_named(const std::string& name) {
    if (name == "competition") return Ties::kCompetition;
    if (name == "dense") return Ties::kDense;
    if (name == "ordinal") return Ties::kOrdinal;
    throw InvalidArgument("ties must be 'competition', 'dense' or 'ordinal', got '" + name + "'");
}

inline const char* name_of(Ties ties) {
    return ties == Ties::kCompetition ? "competition" : ties == Ties::kDense ? "dense" : "ordinal";
}

inline TieOrder order_named(const std::string& name) {
    if (name == "arrival") return TieOrder::kArrival;
    if (name == "member") return TieOrder::kMember;
    throw InvalidArgument("order must be 'arrival' or 'member', got '" + name + "'");
}

inline const char* name_of(TieOrder order) { return order == TieOrder::kArrival ? "arrival" : "member"; }

[[noreturn]] inline void raise_unknown(py::handle member) {
    errors::raise("UnknownMember", "member must be present, got " + convert::shown(member));
}

// A limit of a range of scores: None is open, infinities are allowed.
inline double limit_or(py::handle object, double open, const char* argument) {
    if (object.is_none()) return open;
    if (PyFloat_Check(object.ptr()) && std::isinf(PyFloat_AS_DOUBLE(object.ptr())))
        return PyFloat_AS_DOUBLE(object.ptr());
    return convert::number(object, argument);
}

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a row needs, copied out under the lock; Python objects are made after it.
struct OwnedRow {
    std::size_t rank;
    engagehub::ItemKind kind;
    std::int64_t number;
    std::string text;
    double score;
    std::int64_t last_at;
};

inline OwnedRow owned(std::size_t rank, const ItemView& member, double score, std::int64_t last_at) {
    return {rank, member.kind, member.number, std::string(member.text), score, last_at};
}

inline py::object member_of(const OwnedRow& row) {
    return convert::to_python(ItemView{row.kind, row.number, std::string_view(row.text)});
}

inline py::list to_list(const std::vector<OwnedRow>& rows, bool with_last) {
    py::list result(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows[i];
        if (with_last) {
            result[i] = py::make_tuple(row.rank, member_of(row), row.score, convert::seconds(row.last_at));
        } else {
            result[i] = py::make_tuple(row.rank, member_of(row), row.score);
        }
    }
    return result;
}

// Runs work(structure, slot) under the lock for a member that must be there.
template <class Structure, class Bound, class Work>
auto with_member(Bound& self, py::handle member, Work&& work) {
    const engagehub::ItemView view = convert::item(member, "member");
    using Slot = engagehub::RankedMap::Slot;
    using Result = decltype(work(std::declval<Structure&>(), Slot{}));
    const auto result = self.guarded.with([&](Structure& structure) -> std::optional<Result> {
        const auto slot = structure.find(view);
        if (!slot) return std::nullopt;
        return work(structure, *slot);
    });
    if (!result) raise_unknown(member);
    return *result;
}

}  // namespace ranking
