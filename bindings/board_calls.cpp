// SPDX-License-Identifier: MIT
// The methods of Leaderboard that are called once an event, a member or a page.
#include "python.hpp"

#include <cstdint>

#include "board.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "ranking_rows.hpp"

namespace {

using namespace ranking;

// Decay never changes the order, so every instant has the same answer; but it must be one.
void require_instant(PyObject* given) {
    if (given != nullptr && given != Py_None) convert::instant(given);
}

std::size_t natural_or(PyObject* given, std::size_t otherwise, const char* argument) {
    return given == nullptr ? otherwise : convert::natural(given, argument);
}

// The members that show low <= score <= high.
Span span_between(const Leaderboard& board, const Limits& limits, std::int64_t at) {
    return Span::between(board.count_above(limits.high, false, at), board.count_above(limits.low, true, at));
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"add", 2, 3, {"member", "points", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const ItemView member = convert::item(bound[0], "member");
        const double points = convert::number(bound[1], "points");
        const std::int64_t at = board.clock.change_instant(or_none(bound[2]));
        return PyFloat_FromDouble(
            board.changeable().with([&](Leaderboard& native) { return native.add(member, points, at); }));
    });
}

PyObject* set_score(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"set", 2, 3, {"member", "score", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const ItemView member = convert::item(bound[0], "member");
        const double score = convert::number(bound[1], "score");
        const std::int64_t at = board.clock.change_instant(or_none(bound[2]));
        return PyFloat_FromDouble(
            board.changeable().with([&](Leaderboard& native) { return native.set(member, score, at); }));
    });
}

PyObject* score(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"score", 1, 2, {"member", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const std::int64_t at = board.clock.instant(or_none(bound[1]));
        return PyFloat_FromDouble(with_member<Leaderboard>(board, bound[0], [&](Leaderboard& native, Slot slot) {
            return native.score(slot, at);
        }));
    });
}

PyObject* rank(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"rank", 1, 2, {"member", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        require_instant(bound[1]);
        return ranking::count(with_member<Leaderboard>(board, bound[0], [](Leaderboard& native, Slot slot) {
            return native.rank(slot);
        }));
    });
}

PyObject* percentile(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"percentile", 1, 2, {"member", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        require_instant(bound[1]);
        return PyFloat_FromDouble(with_member<Leaderboard>(board, bound[0], [](Leaderboard& native, Slot slot) {
            return native.percentile(slot);
        }));
    });
}

PyObject* remove(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"remove", 1, 2, {"member", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        board.changeable();
        const std::int64_t at = board.clock.instant(or_none(bound[1]));
        return PyFloat_FromDouble(with_member<Leaderboard>(board, bound[0], [&](Leaderboard& native, Slot slot) {
            return native.remove(slot, at);
        }));
    });
}

PyObject* top(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"top", 0, 2, {"n", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const Span span{0, natural_or(bound[0], 10, "n")};
        const std::int64_t at = board.clock.instant(or_none(bound[1]));
        return list_of(board.rows(at, [&](Leaderboard& /*native*/) { return span; }), RowTypes::entry);
    });
}

PyObject* page(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"page", 1, 3, {"offset", "limit", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const Span span{convert::natural(bound[0], "offset"), natural_or(bound[1], 10, "limit")};
        const std::int64_t at = board.clock.instant(or_none(bound[2]));
        return list_of(board.rows(at, [&](Leaderboard& /*native*/) { return span; }), RowTypes::entry);
    });
}

PyObject* around(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"around", 1, 3, {"member", "n", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const ItemView member = convert::item(bound[0], "member");
        const std::size_t beside = natural_or(bound[1], 5, "n");
        const std::int64_t at = board.clock.instant(or_none(bound[2]));
        bool is_there = false;
        const auto rows = board.rows(at, [&](Leaderboard& native) {
            const auto slot = native.find(member);
            is_there = slot.has_value();
            return is_there ? Span::around(native.position(*slot), beside, native.size()) : Span{0, 0};
        });
        if (!is_there) raise_unknown(convert::shown(bound[0]));
        return list_of(rows, RowTypes::entry);
    });
}

PyObject* between(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"between", 0, 3, {"low", "high", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const Limits limits(or_none(bound[0]), or_none(bound[1]));
        const std::int64_t at = board.clock.instant(or_none(bound[2]));
        return list_of(
            board.rows(at, [&](Leaderboard& native) { return span_between(native, limits, at); }), RowTypes::entry);
    });
}

PyObject* count_between(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"count", 0, 3, {"low", "high", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& board = fastcall::self_of<Board>(self);
        const Limits limits(or_none(bound[0]), or_none(bound[1]));
        const std::int64_t at = board.clock.instant(or_none(bound[2]));
        return ranking::count(
            board.guarded.with([&](Leaderboard& native) { return span_between(native, limits, at).count; }));
    });
}

// clang-format off
PyMethodDef add_definition = fastcall::definition("add", add, R"doc(add($self, /, member, points, at=None)
--

Add points that a member earned at an instant.

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
)doc");

PyMethodDef set_definition = fastcall::definition("set", set_score, R"doc(set($self, /, member, score, at=None)
--

Give a member this score at an instant.

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
)doc");

PyMethodDef score_definition = fastcall::definition("score", score, R"doc(score($self, /, member, at=None)
--

Return a member's score.

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
InvalidType, InvalidArgument
    If the member is of another type, or at is no instant.

Notes
-----
O(1).

Examples
--------
>>> board = Leaderboard(half_life="1h")
>>> _ = board.add("ada", 8, at=0)
>>> board.score("ada", at=3 * 3600)
1.0
)doc");

PyMethodDef rank_definition = fastcall::definition("rank", rank, R"doc(rank($self, /, member, at=None)
--

Return a member's 1-based rank under the tie policy; the highest score has rank 1.

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
InvalidType, InvalidArgument
    If the member is of another type, or at is no instant.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob"], [1, 5], at=0)
>>> board.rank("ada")
2
)doc");

PyMethodDef percentile_definition = fastcall::definition("percentile", percentile, R"doc(percentile($self, /, member, at=None)
--

Return the share of the board's members that stand strictly below, in percent.

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
InvalidType, InvalidArgument
    If the member is of another type, or at is no instant.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "cy", "dee"], [1, 5, 9, 5], at=0)
>>> board.percentile("bob"), board.percentile("cy")
(25.0, 75.0)
)doc");

PyMethodDef remove_definition = fastcall::definition("remove", remove, R"doc(remove($self, /, member, at=None)
--

Take a member off the board.

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
InvalidType, InvalidArgument
    If the member is of another type, or at is no instant.

Notes
-----
O(log n).

Examples
--------
>>> board = Leaderboard()
>>> _ = board.add("ada", 3, at=0)
>>> board.remove("ada"), len(board)
(3.0, 0)
)doc");

PyMethodDef top_definition = fastcall::definition("top", top, R"doc(top($self, /, n=10, at=None)
--

Return the first rows of the board.

Parameters
----------
n : int, default 10
    How many at the most.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

Returns
-------
list of Entry
    Highest first.

Raises
------
InvalidType, InvalidArgument
    If n isn't an int or is negative, or at is no instant.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob"], [1, 5], at=0)
>>> [entry.member for entry in board.top(1)]
['bob']
)doc");

PyMethodDef page_definition = fastcall::definition("page", page, R"doc(page($self, /, offset, limit=10, at=None)
--

Return the rows from a 0-based position on.

Parameters
----------
offset : int
    How many rows to skip; past the end there are none.
limit : int, default 10
    How many at the most.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

Returns
-------
list of Entry
    Highest first, with the same ranks as in :meth:`top`.

Raises
------
InvalidType, InvalidArgument
    If offset or limit isn't an int or is negative, or at is no instant.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "cy"], [1, 5, 3], at=0)
>>> [(entry.rank, entry.member) for entry in board.page(1, 2)]
[(2, 'cy'), (3, 'ada')]
)doc");

PyMethodDef around_definition = fastcall::definition("around", around, R"doc(around($self, /, member, n=5, at=None)
--

Return a member's row with up to n rows on either side.

Parameters
----------
member : int or str
    A member on the board.
n : int, default 5
    How many neighbours above and below at the most.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

Returns
-------
list of Entry
    Highest first; fewer on the side where the board ends.

Raises
------
UnknownMember
    If the member isn't on the board.
InvalidType, InvalidArgument
    If n isn't an int or is negative, or at is no instant.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "cy", "dee"], [1, 5, 3, 2], at=0)
>>> [entry.member for entry in board.around("cy", 1)]
['bob', 'cy', 'dee']
)doc");

PyMethodDef between_definition = fastcall::definition("between", between, R"doc(between($self, /, low=None, high=None, at=None)
--

Return the rows with low <= score <= high.

Parameters
----------
low, high : int, float or None, default None
    Inclusive limits; None is open.
at : int, float, datetime or None, default None
    The instant to answer for, but never before the board's newest change; None is now.

Returns
-------
list of Entry
    Highest first.

Raises
------
InvalidType, InvalidArgument
    If a limit isn't a number or is NaN, or at is no instant.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> board = Leaderboard()
>>> board.update(["ada", "bob", "cy"], [1, 5, 3], at=0)
>>> [entry.member for entry in board.between(2, 5)]
['bob', 'cy']
)doc");

PyMethodDef count_definition = fastcall::definition("count", count_between, R"doc(count($self, /, low=None, high=None, at=None)
--

Count the members with low <= score <= high.

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
)doc");

// clang-format on

}  // namespace

namespace ranking {

void add_board_calls(py::handle type) {
    for (PyMethodDef* definition :
         {&add_definition, &set_definition, &score_definition, &rank_definition, &percentile_definition,
          &remove_definition, &top_definition, &page_definition, &around_definition, &between_definition,
          &count_definition})
        fastcall::add(type, *definition);
}

}  // namespace ranking
