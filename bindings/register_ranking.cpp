// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/ranked_map.hpp>

#include "clock.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "register.hpp"

namespace {

using engagehub::HalfLife;
using engagehub::InvalidArgument;
using engagehub::ItemView;
using engagehub::Leaderboard;
using engagehub::RankedMap;
using engagehub::Scaled;
using engagehub::TieOrder;
using engagehub::Ties;

Ties ties_named(const std::string& name) {
    if (name == "competition") return Ties::kCompetition;
    if (name == "dense") return Ties::kDense;
    if (name == "ordinal") return Ties::kOrdinal;
    throw InvalidArgument("ties must be 'competition', 'dense' or 'ordinal', got '" + name + "'");
}

const char* name_of(Ties ties) {
    return ties == Ties::kCompetition ? "competition" : ties == Ties::kDense ? "dense" : "ordinal";
}

TieOrder order_named(const std::string& name) {
    if (name == "arrival") return TieOrder::kArrival;
    if (name == "member") return TieOrder::kMember;
    throw InvalidArgument("order must be 'arrival' or 'member', got '" + name + "'");
}

const char* name_of(TieOrder order) { return order == TieOrder::kArrival ? "arrival" : "member"; }

[[noreturn]] void raise_unknown(py::handle member) {
    const py::object type = py::module_::import("engagehub_core.errors").attr("UnknownMember");
    PyErr_SetString(type.ptr(), ("member must be present, got " + convert::shown(member)).c_str());
    throw py::error_already_set();
}

// A size or a position in a call: not negative.
std::size_t natural(py::handle object, const char* argument) {
    const std::int64_t value = convert::integer(object, argument);
    if (value < 0) throw InvalidArgument(std::string(argument) + " must be at least 0, got " + std::to_string(value));
    return static_cast<std::size_t>(value);
}

// A limit of a range of scores: None is open, infinities are allowed.
double limit_or(py::handle object, double open, const char* argument) {
    if (object.is_none()) return open;
    if (PyFloat_Check(object.ptr()) && std::isinf(PyFloat_AS_DOUBLE(object.ptr())))
        return PyFloat_AS_DOUBLE(object.ptr());
    return convert::number(object, argument);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ---- SkipList

struct PySkipList : MadeByInit {
    PySkipList(Ties ties, TieOrder order) : guarded(ties, order) {}
    Guarded<RankedMap> guarded;
};

// What a row needs, copied out under the lock; Python objects are made after it.
struct OwnedRow {
    std::size_t rank;
    engagehub::ItemKind kind;
    std::int64_t number;
    std::string text;
    double score;
    std::int64_t last_at;
};

OwnedRow owned(std::size_t rank, const ItemView& member, double score, std::int64_t last_at) {
    return {rank, member.kind, member.number, std::string(member.text), score, last_at};
}

py::object member_of(const OwnedRow& row) {
    return convert::to_python(ItemView{row.kind, row.number, std::string_view(row.text)});
}

py::list to_list(const std::vector<OwnedRow>& rows, bool with_last) {
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

std::vector<OwnedRow> skip_list_rows(const RankedMap& map, std::size_t first, std::size_t count) {
    std::vector<OwnedRow> rows;
    map.visit(first, count, [&](const RankedMap::Row& row) {
        rows.push_back(owned(row.rank, map.member(row.slot), row.key.to_double(), 0));
    });
    return rows;
}

// Runs work(map, slot) under the lock for a member that must be there.
template <class Work>
auto with_member(PySkipList& self, py::handle member, Work&& work) {
    const ItemView view = convert::item(member, "member");
    using Result = decltype(work(std::declval<RankedMap&>(), RankedMap::Slot{}));
    const auto result = self.guarded.with([&](RankedMap& map) -> std::optional<Result> {
        const auto slot = map.find(view);
        if (!slot) return std::nullopt;
        return work(map, *slot);
    });
    if (!result) raise_unknown(member);
    return *result;
}

double require_score(py::handle object, const char* argument) {
    const double score = convert::number(object, argument);
    Leaderboard::require_points(score, argument);
    return score;
}

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
                return with_member(
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
                return with_member(self, member, [](RankedMap& map, RankedMap::Slot slot) { return map.rank(slot); });
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
                return with_member(self, member, [](RankedMap& map, RankedMap::Slot slot) {
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
                const std::size_t from = natural(first, "start");
                const std::size_t many = natural(count, "count");
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

// ---- Leaderboard

struct PyLeaderboard : MadeByInit {
    PyLeaderboard(HalfLife half_life, Ties ties, TieOrder order, Clock given)
        : guarded(half_life, ties, order), clock(std::move(given)) {}
    Guarded<Leaderboard> guarded;
    Clock clock;
};

std::vector<OwnedRow> leaderboard_rows(
    const Leaderboard& board, std::size_t first, std::size_t count, std::int64_t at) {
    std::vector<OwnedRow> rows;
    for (const auto& row : board.rows(first, count, at))
        rows.push_back(owned(row.rank, row.member, row.score, row.last_at));
    return rows;
}

template <class Work>
auto with_member(PyLeaderboard& self, py::handle member, Work&& work) {
    const ItemView view = convert::item(member, "member");
    using Result = decltype(work(std::declval<Leaderboard&>(), Leaderboard::Slot{}));
    const auto result = self.guarded.with([&](Leaderboard& board) -> std::optional<Result> {
        const auto slot = board.find(view);
        if (!slot) return std::nullopt;
        return work(board, *slot);
    });
    if (!result) raise_unknown(member);
    return *result;
}

// The positions [first, last) of the members that show low <= score <= high.
std::pair<std::size_t, std::size_t> positions_between(
    const Leaderboard& board, double low, double high, std::int64_t at) {
    const std::size_t first = board.count_above(high, false, at);
    return {first, std::max(first, board.count_above(low, true, at))};
}

void register_leaderboard(py::module_& module) {
    py::class_<PyLeaderboard>(module, "Leaderboard", "See engagehub_core.Leaderboard.", collects_clock<PyLeaderboard>())
        .def(
            py::init([](std::int64_t half_life, const std::string& ties, const std::string& order, py::object clock,
                        std::optional<std::int64_t> max_skew) {
                return made<PyLeaderboard>(
                    HalfLife::of_micros(half_life), ties_named(ties), order_named(order),
                    Clock(std::move(clock), max_skew));
            }),
            py::arg("half_life"), py::arg("ties"), py::arg("order"), py::arg("clock"), py::arg("max_skew"))
        .def(
            "add",
            [](PyLeaderboard& self, py::handle member, py::handle points, py::handle at) {
                const ItemView view = convert::item(member, "member");
                const double value = convert::number(points, "points");
                const std::int64_t instant = self.clock.change_instant(at);
                return self.guarded.with([&](Leaderboard& board) { return board.add(view, value, instant); });
            },
            py::arg("member"), py::arg("points"), py::arg("at") = py::none(),
            R"(Add points that a member earned at an instant.

Parameters
----------
member : int or str
    Of the kind of the members before it; a new one starts at 0.
points : int or float
    Finite, may be negative, at most 1e290 either way.
at : int, float, datetime or None, default None
    Unix seconds or an aware datetime; None is now. A late instant decays these points, never the total.

Returns
-------
float
    The score as of the later of ``at`` and the member's newest change.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused, or ``at`` is beyond clock() + max_skew; nothing is changed.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard(half_life="7d")
>>> board.add("ada", 10, at=1_000_000)
10.0
>>> board.add("ada", 1, at=1_000_000 + 7 * 86_400)
6.0
)")
        .def(
            "set",
            [](PyLeaderboard& self, py::handle member, py::handle score, py::handle at) {
                const ItemView view = convert::item(member, "member");
                const double value = convert::number(score, "score");
                const std::int64_t instant = self.clock.change_instant(at);
                return self.guarded.with([&](Leaderboard& board) { return board.set(view, value, instant); });
            },
            py::arg("member"), py::arg("score"), py::arg("at") = py::none(), R"(Give a member this score at an instant.

Parameters
----------
member : int or str
    Of the kind of the members before it.
score : int or float
    Finite, at most 1e290 either way.
at : int, float, datetime or None, default None
    Unix seconds or an aware datetime, not before the member's newest change; None is now.

Returns
-------
float
    The score as of ``at``.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused, or ``at`` is late or beyond clock() + max_skew; nothing is changed.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> board.set("ada", 10, at=0)
10.0
)")
        .def(
            "update",
            [](PyLeaderboard& self, py::handle members, py::handle points, py::handle at) {
                const convert::ItemBatch items(members, "members");
                const convert::NumberBatch values(points, "points", items.size());
                const auto instants = self.clock.change_instants(at, items.size());
                for (std::size_t i = 0; i < items.size(); ++i) Leaderboard::require_points(values[i], "points");
                self.guarded.with_released([&](Leaderboard& board) {
                    engagehub::ItemKind held = board.kind();
                    if (items.size() != 0) engagehub::require_kind(held, items.kind(), "members");
                    for (std::size_t i = 0; i < items.size(); ++i) board.add(items[i], values[i], instants[i]);
                });
            },
            py::arg("members"), py::arg("points"), py::arg("at") = py::none(),
            R"(Add points to many members, as add does one by one; the GIL is released meanwhile.

Parameters
----------
members : sequence of int or str, or integer array
    All of one kind; a member may occur often.
points : number, sequence of numbers or array
    One for all, or as many as members.
at : instant, sequence of instants, array of Unix seconds or None, default None
    One for all, or as many as members; None is now.

Raises
------
InvalidType, InvalidArgument
    If anything in the batch is refused; nothing is changed.

Notes
-----
O(k log n) for k changes. The batch is checked whole before its first change.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "ada"], [1, 5, 1], at=0)
>>> board.score("ada"), board.rank("bob")
(2.0, 1)
)")
        .def(
            "score",
            [](PyLeaderboard& self, py::handle member, py::handle at) {
                const std::int64_t instant = self.clock.instant(at);
                return with_member(self, member, [&](Leaderboard& board, Leaderboard::Slot slot) {
                    return board.score(slot, instant);
                });
            },
            py::arg("member"), py::arg("at") = py::none(), R"(Return a member's score.

Parameters
----------
member : int or str
    A member on the board.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

Returns
-------
float
    The decayed score; 0.0 where it is too small for a double.

Raises
------
UnknownMember
    If the member isn't on the board; it is a KeyError too.

Notes
-----
O(1).

Examples
--------
>>> board = Leaderboard(half_life="1h")
>>> _ = board.add("ada", 8, at=0)
>>> board.score("ada", at=3 * 3600)
1.0
)")
        .def(
            "rank",
            [](PyLeaderboard& self, py::handle member) {
                return with_member(
                    self, member, [](Leaderboard& board, Leaderboard::Slot slot) { return board.rank(slot); });
            },
            py::arg("member"), R"(Return a member's 1-based rank under the tie policy; the highest score has rank 1.

Parameters
----------
member : int or str
    A member on the board.

Returns
-------
int
    The rank. It is the same at every instant, for decay never changes the order.

Raises
------
UnknownMember
    If the member isn't on the board.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob"], [1, 5], at=0)
>>> board.rank("ada")
2
)")
        .def(
            "percentile",
            [](PyLeaderboard& self, py::handle member) {
                return with_member(
                    self, member, [](Leaderboard& board, Leaderboard::Slot slot) { return board.percentile(slot); });
            },
            py::arg("member"), R"(Return the share of the board's members that stand strictly below, in percent.

Parameters
----------
member : int or str
    A member on the board.

Returns
-------
float
    0 to 100.

Raises
------
UnknownMember
    If the member isn't on the board.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "cy", "dee"], [1, 5, 9, 5], at=0)
>>> board.percentile("bob"), board.percentile("cy")
(25.0, 75.0)
)")
        .def(
            "count",
            [](PyLeaderboard& self, py::handle low, py::handle high, py::handle at) {
                const double least = limit_or(low, -kInfinity, "low");
                const double most = limit_or(high, kInfinity, "high");
                const std::int64_t instant = self.clock.instant(at);
                return self.guarded.with([&](Leaderboard& board) {
                    const auto [first, last] = positions_between(board, least, most, instant);
                    return last - first;
                });
            },
            py::arg("low") = py::none(), py::arg("high") = py::none(), py::arg("at") = py::none(),
            R"(Count the members with low <= score <= high.

Parameters
----------
low, high : int, float or None, default None
    Inclusive limits; None is open.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

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
>>> board = Leaderboard()
>>> board.update(["ada", "bob"], [1, 5], at=0)
>>> board.count(2), board.count()
(1, 2)
)")
        .def(
            "remove",
            [](PyLeaderboard& self, py::handle member, py::handle at) {
                const std::int64_t instant = self.clock.instant(at);
                return with_member(self, member, [&](Leaderboard& board, Leaderboard::Slot slot) {
                    return board.remove(slot, instant);
                });
            },
            py::arg("member"), py::arg("at") = py::none(), R"(Take a member off the board.

Parameters
----------
member : int or str
    A member on the board.
at : int, float, datetime or None, default None
    The instant of the score returned; None is now.

Returns
-------
float
    The score that it had.

Raises
------
UnknownMember
    If the member isn't on the board.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> _ = board.add("ada", 3, at=0)
>>> board.remove("ada"), len(board)
(3.0, 0)
)")
        .def(
            "merge",
            [](PyLeaderboard& self, PyLeaderboard& other) {
                const auto snapshot =
                    other.guarded.with([](Leaderboard& board) { return std::make_unique<Leaderboard>(board); });
                self.guarded.with_released([&](Leaderboard& board) { board.merge(*snapshot); });
            },
            py::arg("other"), R"(Add another board's scores to this one, member by member.

Parameters
----------
other : Leaderboard
    A board with the same half-life and kind of member; it isn't changed.

Raises
------
Incompatible
    If the half-lives differ; nothing is changed.
InvalidType
    If the kinds of member differ; nothing is changed.

Notes
-----
O(m log n) for the m members of the other.

Examples
--------
>>> one, two = Leaderboard(), Leaderboard()
>>> _ = one.add("ada", 3, at=0), two.add("ada", 4, at=0)
>>> one.merge(two)
>>> one.score("ada")
7.0
)")
        .def(
            "clear", [](PyLeaderboard& self) { self.guarded.with([](Leaderboard& board) { board.clear(); }); },
            R"(Take all members off the board; the kind of member is free again.

Notes
-----
O(n).

Examples
--------
>>> board = Leaderboard()
>>> _ = board.add("ada", 3, at=0)
>>> board.clear()
>>> len(board)
0
)")
        .def(
            "_rows",
            [](PyLeaderboard& self, py::handle first, py::handle count, py::handle at) {
                const std::size_t from = natural(first, "offset");
                const std::size_t many = natural(count, "limit");
                const std::int64_t instant = self.clock.instant(at);
                return to_list(
                    self.guarded.with([&](Leaderboard& board) { return leaderboard_rows(board, from, many, instant); }),
                    true);
            })
        .def(
            "_around",
            [](PyLeaderboard& self, py::handle member, py::handle neighbours, py::handle at) {
                const std::size_t beside = natural(neighbours, "n");
                const std::int64_t instant = self.clock.instant(at);
                return to_list(
                    with_member(
                        self, member,
                        [&](Leaderboard& board, Leaderboard::Slot slot) {
                            const std::size_t position = board.position(slot);
                            const std::size_t first = position > beside ? position - beside : 0;
                            const std::size_t after = std::min(beside, board.size() - position - 1);
                            return leaderboard_rows(board, first, position - first + 1 + after, instant);
                        }),
                    true);
            })
        .def(
            "_between",
            [](PyLeaderboard& self, py::handle low, py::handle high, py::handle at) {
                const double least = limit_or(low, -kInfinity, "low");
                const double most = limit_or(high, kInfinity, "high");
                const std::int64_t instant = self.clock.instant(at);
                return to_list(
                    self.guarded.with([&](Leaderboard& board) {
                        const auto [first, last] = positions_between(board, least, most, instant);
                        return leaderboard_rows(board, first, last - first, instant);
                    }),
                    true);
            })
        .def(
            "__len__",
            [](PyLeaderboard& self) { return self.guarded.with([](Leaderboard& board) { return board.size(); }); })
        .def(
            "__contains__",
            [](PyLeaderboard& self, py::handle member) {
                const ItemView view = convert::item(member, "member");
                return self.guarded.with([&](Leaderboard& board) { return board.find(view).has_value(); });
            })
        .def("_check", [](PyLeaderboard& self) { self.guarded.with([](Leaderboard& board) { board.check(); }); })
        .def_property_readonly(
            "_half_life",
            [](PyLeaderboard& self) {
                return self.guarded.with([](Leaderboard& board) { return board.half_life().micros(); });
            })
        .def_property_readonly("_max_skew", [](PyLeaderboard& self) { return self.clock.max_skew(); })
        .def_property_readonly(
            "clock", [](PyLeaderboard& self) { return self.clock.callable(); },
            "What answers «now»: the constructor's argument.")
        .def_property_readonly(
            "ties",
            [](PyLeaderboard& self) {
                return self.guarded.with([](Leaderboard& board) { return name_of(board.ties()); });
            },
            "Which ranks equal scores get: \"competition\", \"dense\" or \"ordinal\".")
        .def_property_readonly(
            "order",
            [](PyLeaderboard& self) {
                return self.guarded.with([](Leaderboard& board) { return name_of(board.order()); });
            },
            "How ties are listed: by \"arrival\" or by \"member\".")
        .def_property_readonly(
            "newest_at",
            [](PyLeaderboard& self) -> py::object {
                const auto newest = self.guarded.with([](Leaderboard& board) { return board.newest(); });
                if (newest == std::numeric_limits<std::int64_t>::min()) return py::none();
                return py::float_(convert::seconds(newest));
            },
            "The newest instant of any change, in Unix seconds, or None.");
}

}  // namespace

void register_ranking(py::module_& module) {
    register_skip_list(module);
    register_leaderboard(module);
}
