// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "ranking_rows.hpp"
#include "register.hpp"

namespace {

using namespace ranking;
using engagehub::Leaderboard;
using engagehub::RankedMap;
using engagehub::Scaled;

struct PySkipList : MadeByInit {
    PySkipList(Ties ties, TieOrder order) : guarded(ties, order) {}
    Guarded<RankedMap> guarded;
};

std::vector<OwnedRow> skip_list_rows(const RankedMap& map, std::size_t first, std::size_t count) {
    std::vector<OwnedRow> rows;
    map.visit(first, count, [&](const RankedMap::Row& row) {
        rows.push_back(owned(row.rank, map.member(row.slot), row.key.to_double(), 0));
    });
    return rows;
}

double require_score(py::handle object, const char* argument) {
    const double score = convert::number(object, argument);
    Leaderboard::require_points(score, argument);
    return score;
}

}  // namespace

void register_skip_list(py::module_& module) {
    py::class_<PySkipList>(module, "SkipList", "See engagehub_core.SkipList.")
        .def(
            py::init([](const std::string& ties, const std::string& order) {
                return made<PySkipList>(ties_named(ties), order_named(order));
            }),
            py::arg("ties"), py::arg("order"))
        .def(
            "set",
            [](PySkipList& self, py::handle member, py::handle score) {
                const ItemView view = convert::item(member, "member");
                const double value = require_score(score, "score");
                self.guarded.with([&](RankedMap& map) { map.assign(view, Scaled::of_double(value)); });
                return value + 0.0;
            },
            py::arg("member"), py::arg("score"), R"(Give a member a score, whether or not it is present.

Parameters
----------
member : int or str
    Of the kind of the members before it.
score : int or float
    Finite, at most 1e290 either way.

Returns
-------
float
    The score.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused; nothing is changed.

Notes
-----
O(log n). An equal score keeps the member's place among its ties.

Examples
--------
>>> ranked = SkipList()
>>> ranked.set("ada", 10)
10.0
)")
        .def(
            "add",
            [](PySkipList& self, py::handle member, py::handle amount) {
                const ItemView view = convert::item(member, "member");
                const double value = require_score(amount, "amount");
                return self.guarded.with([&](RankedMap& map) {
                    Scaled key = Scaled::of_double(value);
                    if (const auto slot = map.find(view)) key = map.key(*slot) + key;
                    map.assign(view, key);
                    return key.to_double();
                });
            },
            py::arg("member"), py::arg("amount"), R"(Add to a member's score; a member that isn't present starts at 0.

Parameters
----------
member : int or str
    Of the kind of the members before it.
amount : int or float
    Finite, may be negative, at most 1e290 either way.

Returns
-------
float
    The new score.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused; nothing is changed.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.add("ada", 10), ranked.add("ada", -3)
(10.0, 7.0)
)")
        .def(
            "update",
            [](PySkipList& self, py::handle members, py::handle scores) {
                const convert::ItemBatch items(members, "members");
                const convert::NumberBatch values(scores, "scores", items.size());
                for (std::size_t i = 0; i < items.size(); ++i) Leaderboard::require_points(values[i], "scores");
                self.guarded.with_released([&](RankedMap& map) {
                    engagehub::ItemKind held = map.kind();
                    if (items.size() != 0) engagehub::require_kind(held, items.kind(), "members");
                    for (std::size_t i = 0; i < items.size(); ++i) map.assign(items[i], Scaled::of_double(values[i]));
                });
            },
            py::arg("members"), py::arg("scores"), R"(Set many scores at once; the GIL is released meanwhile.

Parameters
----------
members : sequence of int or str, or integer array
    All of one kind.
scores : number, sequence of numbers or array
    One for all, or as many as members.

Raises
------
InvalidType, InvalidArgument
    If anything in the batch is refused; nothing is changed.

Notes
-----
O(k log n) for k members. The batch is checked whole before its first change.

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob"], [10, 20])
>>> ranked.rank("bob")
1
)")
        .def(
            "score",
            [](PySkipList& self, py::handle member) {
                return with_member<RankedMap>(
                    self, member, [](RankedMap& map, RankedMap::Slot slot) { return map.key(slot).to_double(); });
            },
            py::arg("member"), R"(Return a member's score.

Parameters
----------
member : int or str
    A member that is present.

Returns
-------
float
    The score.

Raises
------
UnknownMember
    If the member isn't present; it is a KeyError too.

Notes
-----
O(1).

Examples
--------
>>> ranked = SkipList()
>>> _ = ranked.set("ada", 10)
>>> ranked.score("ada")
10.0
)")
        .def(
            "rank",
            [](PySkipList& self, py::handle member) {
                return with_member<RankedMap>(
                    self, member, [](RankedMap& map, RankedMap::Slot slot) { return map.rank(slot); });
            },
            py::arg("member"), R"(Return a member's 1-based rank under the tie policy; the highest score has rank 1.

Parameters
----------
member : int or str
    A member that is present.

Returns
-------
int
    The rank.

Raises
------
UnknownMember
    If the member isn't present.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob", "cy"], [10, 10, 5])
>>> ranked.rank("ada"), ranked.rank("bob"), ranked.rank("cy")
(1, 1, 3)
)")
        .def(
            "remove",
            [](PySkipList& self, py::handle member) {
                return with_member<RankedMap>(self, member, [](RankedMap& map, RankedMap::Slot slot) {
                    const double score = map.key(slot).to_double();
                    map.erase(slot);
                    return score;
                });
            },
            py::arg("member"), R"(Remove a member.

Parameters
----------
member : int or str
    A member that is present.

Returns
-------
float
    The score that it had.

Raises
------
UnknownMember
    If the member isn't present.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> _ = ranked.set("ada", 10)
>>> ranked.remove("ada"), len(ranked)
(10.0, 0)
)")
        .def(
            "count",
            [](PySkipList& self, py::handle low, py::handle high) {
                const double least = limit_or(low, -kInfinity, "low");
                const double most = limit_or(high, kInfinity, "high");
                return self.guarded.with([&](RankedMap& map) {
                    const std::size_t first =
                        map.count_while([&](const Scaled& key) { return key.to_double() > most; });
                    const std::size_t last =
                        map.count_while([&](const Scaled& key) { return key.to_double() >= least; });
                    return last > first ? last - first : 0;
                });
            },
            py::arg("low") = py::none(), py::arg("high") = py::none(), R"(Count the members with low <= score <= high.

Parameters
----------
low, high : int, float or None
    Inclusive limits; None is open.

Returns
-------
int
    How many.

Raises
------
InvalidType, InvalidArgument
    If a limit isn't a number or is NaN.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob", "cy"], [10, 7, 5])
>>> ranked.count(6), ranked.count(5, 7)
(2, 2)
)")
        .def(
            "_rows",
            [](PySkipList& self, py::handle first, py::handle count) {
                const std::size_t from = convert::natural(first, "start");
                const std::size_t many = convert::natural(count, "count");
                return to_list(
                    self.guarded.with([&](RankedMap& map) { return skip_list_rows(map, from, many); }), false);
            })
        .def(
            "_between",
            [](PySkipList& self, py::handle low, py::handle high) {
                const double least = limit_or(low, -kInfinity, "low");
                const double most = limit_or(high, kInfinity, "high");
                return to_list(
                    self.guarded.with([&](RankedMap& map) {
                        const std::size_t first =
                            map.count_while([&](const Scaled& key) { return key.to_double() > most; });
                        const std::size_t last =
                            map.count_while([&](const Scaled& key) { return key.to_double() >= least; });
                        return skip_list_rows(map, first, last > first ? last - first : 0);
                    }),
                    false);
            })
        .def(
            "_load",
            [](PySkipList& self, PySkipList& other) {
                const auto snapshot =
                    other.guarded.with([](RankedMap& map) { return std::make_unique<RankedMap>(map); });
                self.guarded.with_released([&](RankedMap& map) {
                    snapshot->visit(0, snapshot->size(), [&](const RankedMap::Row& row) {
                        map.assign(snapshot->member(row.slot), row.key);
                    });
                });
            })
        .def(
            "clear", [](PySkipList& self) { self.guarded.with([](RankedMap& map) { map.clear(); }); },
            R"(Remove all members; the kind of member is free again.

Notes
-----
O(n).

Examples
--------
>>> ranked = SkipList()
>>> _ = ranked.set("ada", 10)
>>> ranked.clear()
>>> len(ranked)
0
)")
        .def("__len__", [](PySkipList& self) { return self.guarded.with([](RankedMap& map) { return map.size(); }); })
        .def(
            "__contains__",
            [](PySkipList& self, py::handle member) {
                const ItemView view = convert::item(member, "member");
                return self.guarded.with([&](RankedMap& map) { return map.find(view).has_value(); });
            })
        .def("_check", [](PySkipList& self) { self.guarded.with([](RankedMap& map) { map.check(); }); })
        .def_property_readonly(
            "ties",
            [](PySkipList& self) { return self.guarded.with([](RankedMap& map) { return name_of(map.ties()); }); },
            "Which ranks equal scores get: \"competition\", \"dense\" or \"ordinal\".")
        .def_property_readonly(
            "order",
            [](PySkipList& self) { return self.guarded.with([](RankedMap& map) { return name_of(map.order()); }); },
            "How ties are listed: by \"arrival\" or by \"member\".");
}
