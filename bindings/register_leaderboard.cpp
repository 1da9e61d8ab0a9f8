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

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "ranking_rows.hpp"
#include "register.hpp"

namespace {

using namespace ranking;
using engagehub::HalfLife;
using engagehub::Leaderboard;

struct PyLeaderboard : MadeByInit {
    PyLeaderboard(HalfLife half_life, Ties ties, TieOrder order, Clock given)
        : guarded(half_life, ties, order), clock(std::move(given)) {}
    Guarded<Leaderboard> guarded;
    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    Clock clock;
};

std::vector<OwnedRow> leaderboard_rows(
    const Leaderboard& board, std::size_t first, std::size_t count, std::int64_t at) {
    std::vector<OwnedRow> rows;
    for (const auto& row : board.rows(first, count, at))
        rows.push_back(owned(row.rank, row.member, row.score, row.last_at));
    return rows;
}

// The positions [first, last) of the members that show low <= score <= high.
std::pair<std::size_t, std::size_t> positions_between(
    const Leaderboard& board, double low, double high, std::int64_t at) {
    const std::size_t first = board.count_above(high, false, at);
    return {first, std::max(first, board.count_above(low, true, at))};
}

}  // namespace

void register_leaderboard(py::module_& module) {
    py::class_<PyLeaderboard>(
        module, "Leaderboard", "See engagehub_core.Leaderboard.", collectable::setup<PyLeaderboard>())
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
                return with_member<Leaderboard>(self, member, [&](Leaderboard& board, Leaderboard::Slot slot) {
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
            [](PyLeaderboard& self, py::handle member, py::handle at) {
                if (!at.is_none()) convert::instant(at);  // any instant has the same answer
                return with_member<Leaderboard>(
                    self, member, [](Leaderboard& board, Leaderboard::Slot slot) { return board.rank(slot); });
            },
            py::arg("member"), py::arg("at") = py::none(),
            R"(Return a member's 1-based rank under the tie policy; the highest score has rank 1.

Parameters
----------
member : int or str
    A member on the board.
at : int, float, datetime or None, default None
    The instant to answer for; decay never changes the order, so every instant has the same answer.

Returns
-------
int
    The rank.

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
            [](PyLeaderboard& self, py::handle member, py::handle at) {
                if (!at.is_none()) convert::instant(at);  // any instant has the same answer
                return with_member<Leaderboard>(
                    self, member, [](Leaderboard& board, Leaderboard::Slot slot) { return board.percentile(slot); });
            },
            py::arg("member"), py::arg("at") = py::none(),
            R"(Return the share of the board's members that stand strictly below, in percent.

Parameters
----------
member : int or str
    A member on the board.
at : int, float, datetime or None, default None
    The instant to answer for; decay never changes the order, so every instant has the same answer.

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
                return with_member<Leaderboard>(self, member, [&](Leaderboard& board, Leaderboard::Slot slot) {
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
            [](PyLeaderboard& self, const py::args& others) {
                std::vector<std::unique_ptr<Leaderboard>> boards;
                for (const py::handle other : others) {
                    if (!py::isinstance<PyLeaderboard>(other)) {
                        throw engagehub::InvalidType("others must be Leaderboard, got " + convert::type_name(other));
                    }
                    boards.push_back(py::cast<PyLeaderboard&>(other).guarded.with_released([](Leaderboard& board) {
                        return std::make_unique<Leaderboard>(board);
                    }));
                }
                self.guarded.with_released([&](Leaderboard& board) {
                    // All or nothing: what doesn't fit is found on the side.
                    if (boards.size() > 1) {
                        for (std::size_t i = 1; i < boards.size(); ++i) boards[0]->merge(*boards[i]);
                    }
                    if (!boards.empty()) board.merge(*boards[0]);
                });
            },
            R"(Add other boards' scores to this one, member by member.

Parameters
----------
*others : Leaderboard
    Boards with the same half-life and kind of member; they aren't changed.

Raises
------
InvalidType
    If one isn't a Leaderboard; nothing is changed.
Incompatible
    If the half-lives or the kinds of member differ; nothing is changed.
InvalidArgument
    If a sum would pass the largest double; nothing is changed.

Notes
-----
O(m log n) for the m members of the others.

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
                const std::size_t from = convert::natural(first, "offset");
                const std::size_t many = convert::natural(count, "limit");
                const std::int64_t instant = self.clock.instant(at);
                return to_list(
                    self.guarded.with([&](Leaderboard& board) { return leaderboard_rows(board, from, many, instant); }),
                    true);
            })
        .def(
            "_around",
            [](PyLeaderboard& self, py::handle member, py::handle neighbours, py::handle at) {
                const std::size_t beside = convert::natural(neighbours, "n");
                const std::int64_t instant = self.clock.instant(at);
                return to_list(
                    with_member<Leaderboard>(
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
        .def_property_readonly(
            "max_skew", [](PyLeaderboard& self) { return self.clock.max_skew_seconds(); },
            "Seconds that a stamp may be ahead of the clock; None trusts every stamp.")
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
