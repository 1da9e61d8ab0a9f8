// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/leaderboard_format.hpp>

#include "board.hpp"
#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "made_by_init.hpp"
#include "ranking_rows.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using namespace ranking;
using engagehub::Corrupted;
using engagehub::HalfLife;
using engagehub::Scaled;

using Skew = std::optional<std::int64_t>;

std::unique_ptr<Board> board_of_options(
    std::int64_t half_life, py::handle ties, py::handle order, const std::optional<py::object>& most, py::object clock,
    Skew max_skew) {
    std::size_t max_members = Leaderboard::kUnbounded;
    if (most) max_members = convert::natural(*most, "max_members");
    return made<Board>(
        Clock(std::move(clock), max_skew), HalfLife::of_micros(half_life), ties_named(ties), order_named(order),
        max_members);
}

std::unique_ptr<Leaderboard> copy_of(Board& board) {
    return board.guarded.with_released([](Leaderboard& native) { return std::make_unique<Leaderboard>(native); });
}

std::unique_ptr<Board> board_of_other(Board& other) {
    const auto copy = copy_of(other);
    return made<Board>(other.clock, *copy);
}

std::unique_ptr<Board> board_of_bytes(py::handle data, py::object clock, Skew max_skew) {
    const convert::BytesView bytes(data, "data");
    const auto snapshot = engagehub::leaderboard_format::read<Leaderboard::Snapshot>(bytes.get());
    return made<Board>(Clock(std::move(clock), max_skew), snapshot);
}

py::object count_or_none(std::size_t count) {
    if (count == Leaderboard::kUnbounded) return py::none();
    return py::int_(count);
}

py::object micros_or_none(std::int64_t micros) {
    if (micros == Leaderboard::kNever) return py::none();
    return py::int_(micros);
}

// All of a board as Python values: half-life, ties, order, max_members, evicted, newest and the rows as listed, each
// (member, score, mantissa, exponent, last_at); times are in microseconds, the score is as of the newest change.
py::tuple snapshot_of(Board& board) {
    Leaderboard::Snapshot snapshot;
    OwnedRows rows;
    std::vector<Scaled> sums;
    board.guarded.with_released([&](Leaderboard& native) {
        snapshot = native.snapshot();
        rows.reserve(snapshot.rows.size());
        sums.reserve(snapshot.rows.size());
        for (const auto& row : snapshot.rows) {
            rows.add(0, row.member, native.shown(row.score), row.last_at);
            sums.push_back(row.score);
        }
        snapshot.rows.clear();  // they borrow from the board
    });
    py::list listed(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        listed[i] = py::make_tuple(
            convert::to_python(rows.member(i)), rows.score(i), sums[i].mantissa, sums[i].exponent, rows.last_at(i));
    }
    return py::make_tuple(
        snapshot.half_life.micros(), name_of(snapshot.ties), name_of(snapshot.order),
        count_or_none(snapshot.max_members), snapshot.evicted, micros_or_none(snapshot.newest), listed);
}

// From what snapshot_of() answers, but for the scores.
// THROWS: Corrupted, with the number of the row, where the rows can't be those of a board.
std::unique_ptr<Board> board_of_snapshot(
    std::int64_t half_life, py::handle ties, py::handle order, const std::optional<py::object>& most,
    std::uint64_t evicted, std::optional<std::int64_t> newest, const py::list& rows, py::object clock, Skew max_skew) {
    Leaderboard::Snapshot snapshot;
    snapshot.half_life = HalfLife::of_micros(half_life);
    snapshot.ties = ties_named(ties);
    snapshot.order = order_named(order);
    if (most) snapshot.max_members = convert::natural(*most, "max_members");
    snapshot.evicted = evicted;
    snapshot.newest = newest.value_or(Leaderboard::kNever);
    for (const py::handle row : rows) {
        const auto [member, mantissa, exponent, last_at] =
            row.cast<std::tuple<py::object, double, std::int64_t, std::int64_t>>();
        const Scaled score{mantissa, exponent};
        const std::size_t number = snapshot.rows.size();
        if (!score.is_normalised())
            throw Corrupted("rows must have possible sums, row " + std::to_string(number), number);
        try {
            snapshot.rows.push_back({convert::item(member, "member"), score, last_at});
        } catch (const InvalidArgument& error) {
            throw Corrupted(error.what(), number);
        }
    }
    return made<Board>(Clock(std::move(clock), max_skew), snapshot);
}

void update(Board& board, py::handle members, py::handle points, py::handle at) {
    auto& guarded = board.changeable();
    count_applied([&](std::size_t& done) {
        convert::require_order(members, "members", points, "points");
        convert::require_order(members, "members", at, "at");
        const convert::ItemBatch items(members, "members");
        const convert::NumberBatch values(points, "points", items.size());
        const auto instants = board.clock.change_instants(at, items.size());
        values.require_each(Leaderboard::require_points<convert::Argument>);
        guarded.with_released([&](Leaderboard& native) {
            engagehub::ItemKind held = native.kind();
            if (items.size() != 0) engagehub::require_kind(held, items.kind(), "members");
            native.update(items, values, instants, items.size(), done);
        });
    });
}

// All or nothing.
void merge(Board& self, const py::args& others) {
    auto& guarded = self.changeable();
    std::vector<std::unique_ptr<Leaderboard>> boards;
    for (const py::handle other : others) {
        if (!py::isinstance<Board>(other))
            throw engagehub::InvalidType("others must be Leaderboard, got " + convert::type_name(other));
        boards.push_back(copy_of(py::cast<Board&>(other)));
    }
    std::vector<const Leaderboard*> borrowed;
    borrowed.reserve(boards.size());
    for (const auto& board : boards) borrowed.push_back(board.get());
    guarded.with_released([&](Leaderboard& native) { native.merge(borrowed); });
}

template <class Read>
auto property(Read read) {
    return [read](Board& board) { return board.guarded.with([&](Leaderboard& native) { return read(native); }); };
}

constexpr const char* kUpdateDoc = R"(Add points to many members, as add does one by one; the GIL is released meanwhile.

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
MemoryError
    If memory runs out: the board is valid, and the error's attribute ``applied`` says how many changes, from the first
    on, were made.

Notes
-----
O(k log n) for k changes, O(n + k) for a batch that is a good part of the board. The batch is checked whole before its
first change, and copied before the GIL is released: what other threads do to the arrays meanwhile changes nothing.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "ada"], [1, 5, 1], at=0)
>>> board.score("ada"), board.rank("bob")
(2.0, 1)
)";

constexpr const char* kMergeDoc = R"(Add other boards' scores to this one, member by member.

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
O(n + m) for the m members of the others. A bounded board is filled with the highest sums.

Examples
--------
>>> one, two = Leaderboard(), Leaderboard()
>>> _ = one.add("ada", 3, at=0), two.add("ada", 4, at=0)
>>> one.merge(two)
>>> one.score("ada")
7.0
)";

constexpr const char* kClearDoc = R"(Take all members off the board; the kind of member is free again.

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
)";

}  // namespace

void register_leaderboard(py::module_& module) {
    module.def("set_row_types", &RowTypes::set, py::arg("ranked"), py::arg("entry"), "Say what rows become.");
    py::class_<Board> type(module, "Leaderboard", "See engagehub_core.Leaderboard.", collectable::setup<Board>());
    type.def(py::init(&board_of_other), py::arg("other"));
    type.def(py::init([](const Live<Leaderboard>& live) { return made<Board>(live); }), py::arg("live"));
    type.def(py::init(&board_of_bytes), py::arg("data"), py::arg("clock"), py::arg("max_skew"));
    type.def(
        py::init(&board_of_options), py::arg("half_life"), py::arg("ties"), py::arg("order"), py::arg("max_members"),
        py::arg("clock"), py::arg("max_skew"));
    type.def(
        py::init(&board_of_snapshot), py::arg("half_life"), py::arg("ties"), py::arg("order"), py::arg("max_members"),
        py::arg("evicted"), py::arg("newest"), py::arg("rows"), py::arg("clock"), py::arg("max_skew"));
    add_board_calls(type);
    type.def(
        "update", fastcall::method(&update), py::arg("members"), py::arg("points"), py::arg("at") = py::none(),
        kUpdateDoc);
    type.def("merge", fastcall::method(&merge), kMergeDoc);
    type.def(
        "clear", fastcall::method(+[](Board& board) {
            board.changeable().with_released([](Leaderboard& native) { native.clear(); });
        }),
        kClearDoc);
    type.def("_ranks", fastcall::method(+[](Board& board, py::handle members, py::handle missing) {
                 return look_up<Leaderboard>(
                     board, members, missing_rank(missing),
                     [](const Leaderboard& native, Slot slot) { return static_cast<std::int64_t>(native.rank(slot)); });
             }));
    type.def("_scores", fastcall::method(+[](Board& board, py::handle members, py::handle at, py::handle missing) {
                 const std::int64_t instant = board.clock.instant(at);
                 return look_up<Leaderboard>(
                     board, members, missing_score(missing),
                     [&](const Leaderboard& native, Slot slot) { return native.score(slot, instant); });
             }));
    type.def(
        "_prune", fastcall::method(+[](Board& board, py::handle below, py::handle at) {
            const double limit = convert::number(below, "below");
            const std::int64_t instant = board.clock.instant(at);
            return board.changeable().with_released([&](Leaderboard& native) { return native.prune(limit, instant); });
        }));
    type.def("_rebuild", fastcall::method(+[](Board& board, std::int64_t half_life) {
                 board.changeable().with_released(
                     [&](Leaderboard& native) { native.rebuild(HalfLife::of_micros(half_life)); });
             }));
    type.def("_as_of", fastcall::method(+[](Board& board, py::handle at) {
                 const std::int64_t instant = board.clock.instant(at);
                 return board.guarded.with([&](Leaderboard& native) { return native.as_of(instant); });
             }));
    type.def("_to_bytes", fastcall::method(&sketch_state::to_bytes<Board>));
    type.def("_snapshot", fastcall::method(&snapshot_of));
    type.def("__len__", fastcall::method(+[](Board& board) {
                 return board.guarded.with([](Leaderboard& native) { return native.size(); });
             }));
    type.def("__contains__", fastcall::method(+[](Board& board, py::handle member) {
                 const ItemView view = convert::item(member, "member");
                 return board.guarded.with([&](Leaderboard& native) { return native.find(view).has_value(); });
             }));
    type.def("_check", fastcall::method(+[](Board& board) {
                 board.guarded.with_released([](Leaderboard& native) { native.check(); });
             }));
    type.def_property_readonly("_half_life", property([](Leaderboard& native) { return native.half_life().micros(); }));
    type.def_property_readonly("_newest", [](Board& board) {
        return micros_or_none(board.guarded.with([](Leaderboard& native) { return native.newest(); }));
    });
    type.def_property_readonly(
        "max_members",
        [](Board& board) {
            return count_or_none(board.guarded.with([](Leaderboard& native) { return native.max_members(); }));
        },
        "How many members there is room for; None is without a bound.");
    type.def_property_readonly(
        "evicted", property([](Leaderboard& native) { return native.evicted(); }),
        "How many times a member has left because the board was full.");
    type.def_property_readonly(
        "max_skew", [](Board& board) { return board.clock.max_skew_seconds(); },
        "Seconds that a stamp may be ahead of the clock; None trusts every stamp.");
    type.def_property_readonly(
        "clock", [](Board& board) { return board.clock.callable(); },
        "What answers «now»: the constructor's argument.");
    type.def_property_readonly(
        "ties", property([](Leaderboard& native) { return name_of(native.ties()); }),
        "Which ranks equal scores get: \"competition\", \"dense\" or \"ordinal\".");
    type.def_property_readonly(
        "order", property([](Leaderboard& native) { return name_of(native.order()); }),
        "How ties are listed: by \"arrival\" or by \"member\".");
}
