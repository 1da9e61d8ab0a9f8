// SPDX-License-Identifier: MIT
// The methods of SkipList that are called once a member or a page.
#include "python.hpp"

#include <cstdint>
#include <string>

#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "fastcall.hpp"
#include "ranked_list.hpp"
#include "ranking_rows.hpp"

namespace {

using namespace ranking;
using engagehub::Scaled;

Span span_between(const RankedMap& map, const Limits& limits) {
    return Span::between(
        map.count_while([&](const Scaled& score) { return score.to_double() > limits.high; }),
        map.count_while([&](const Scaled& score) { return score.to_double() >= limits.low; }));
}

template <class Position>
PyObject* pop(RankedList& list, Position&& position) {
    OwnedRows rows;
    rows.reserve(1);
    list.guarded.with([&](RankedMap& map) {
        if (map.size() == 0) return;
        const Slot slot = map.at(position(map));
        rows.add(map.rank(slot), map.member(slot), map.score(slot).to_double(), 0);
        map.erase(slot);
    });
    if (rows.size() == 0) throw py::index_error("the list must have a row to pop, but it is empty");
    return RowTypes::ranked(rows, 0);
}

PyObject* set_score(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"set", 2, 2, {"member", "score"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self).guarded;
        const ItemView member = convert::item(bound[0], "member");
        const double score = require_score(bound[1], "score");
        list.with([&](RankedMap& map) { map.assign(member, Scaled::of_double(score)); });
        return PyFloat_FromDouble(score + 0.0);
    });
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"add", 2, 2, {"member", "amount"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self).guarded;
        const ItemView member = convert::item(bound[0], "member");
        const Scaled amount = Scaled::of_double(require_score(bound[1], "amount"));
        return PyFloat_FromDouble(list.with([&](RankedMap& map) { return map.add(member, amount).to_double(); }));
    });
}

PyObject* score(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"score", 1, 1, {"member"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        return PyFloat_FromDouble(with_member<RankedMap>(list, bound[0], [](RankedMap& map, Slot slot) {
            return map.score(slot).to_double();
        }));
    });
}

PyObject* rank(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"rank", 1, 1, {"member"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        return ranking::count(
            with_member<RankedMap>(list, bound[0], [](RankedMap& map, Slot slot) { return map.rank(slot); }));
    });
}

PyObject* remove(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"remove", 1, 1, {"member"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        return PyFloat_FromDouble(with_member<RankedMap>(list, bound[0], [](RankedMap& map, Slot slot) {
            const double score = map.score(slot).to_double();
            map.erase(slot);
            return score;
        }));
    });
}

PyObject* at(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"at", 1, 1, {"position"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        const std::int64_t position = convert::integer(bound[0], "position");
        std::size_t size = 0;
        const auto rows = list.rows([&](RankedMap& map) {
            size = map.size();
            const auto length = static_cast<std::int64_t>(size);
            if (position < -length || position >= length) return Span{0, 0};
            return Span{static_cast<std::size_t>(position < 0 ? position + length : position), 1};
        });
        if (rows.size() == 0) {
            throw py::index_error(
                size == 0 ? "position must be that of a row, but the list is empty"
                          : "position must be from -" + std::to_string(size) + " to " + std::to_string(size - 1) +
                        ", got " + std::to_string(position));
        }
        return RowTypes::ranked(rows, 0);
    });
}

PyObject* range_of(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"range", 2, 2, {"start", "stop"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        const std::size_t start = convert::natural(bound[0], "start");
        const std::size_t stop = convert::natural(bound[1], "stop");
        const Span span{start, stop > start ? stop - start : 0};
        return list_of(list.rows([&](RankedMap& /*map*/) { return span; }), RowTypes::ranked);
    });
}

PyObject* between(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"between", 0, 2, {"low", "high"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        const Limits limits(or_none(bound[0]), or_none(bound[1]));
        return list_of(list.rows([&](RankedMap& map) { return span_between(map, limits); }), RowTypes::ranked);
    });
}

PyObject* count_between(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"count", 0, 2, {"low", "high"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self).guarded;
        const Limits limits(or_none(bound[0]), or_none(bound[1]));
        return ranking::count(list.with([&](RankedMap& map) { return span_between(map, limits).count; }));
    });
}

PyObject* pop_highest(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<0> kSignature{"pop_highest", 0, 0, {}};
        fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        return pop(list, [](RankedMap& /*map*/) { return std::size_t{0}; });
    });
}

PyObject* pop_lowest(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<0> kSignature{"pop_lowest", 0, 0, {}};
        fastcall::bind(kSignature, given, count, keywords);
        auto& list = fastcall::self_of<RankedList>(self);
        return pop(list, [](RankedMap& map) { return map.size() - 1; });
    });
}

// clang-format off
PyMethodDef set_definition = fastcall::definition("set", set_score, R"doc(set($self, /, member, score)
--

Give a member a score, whether or not it is present.

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
)doc");

PyMethodDef add_definition = fastcall::definition("add", add, R"doc(add($self, /, member, amount)
--

Add to a member's score; a member that isn't present starts at 0.

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
)doc");

PyMethodDef score_definition = fastcall::definition("score", score, R"doc(score($self, /, member)
--

Return a member's score.

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
InvalidType, InvalidArgument
    If the member is of another type.

Notes
-----
O(1).

Examples
--------
>>> ranked = SkipList()
>>> _ = ranked.set("ada", 10)
>>> ranked.score("ada")
10.0
)doc");

PyMethodDef rank_definition = fastcall::definition("rank", rank, R"doc(rank($self, /, member)
--

Return a member's 1-based rank under the tie policy; the highest score has rank 1.

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
InvalidType, InvalidArgument
    If the member is of another type.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob", "cy"], [10, 10, 5])
>>> ranked.rank("ada"), ranked.rank("bob"), ranked.rank("cy")
(1, 1, 3)
)doc");

PyMethodDef remove_definition = fastcall::definition("remove", remove, R"doc(remove($self, /, member)
--

Remove a member.

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
InvalidType, InvalidArgument
    If the member is of another type.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> _ = ranked.set("ada", 10)
>>> ranked.remove("ada"), len(ranked)
(10.0, 0)
)doc");

PyMethodDef at_definition = fastcall::definition("at", at, R"doc(at($self, /, position)
--

Return the row at a 0-based position; negative ones count from the end.

Parameters
----------
position : int
    From -len to len - 1.

Returns
-------
Ranked
    Rank, member and score.

Raises
------
IndexError
    If there is no such position.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob"], [30, 10])
>>> ranked.at(-1)
Ranked(rank=2, member='bob', score=10.0)
)doc");

PyMethodDef range_definition = fastcall::definition("range", range_of, R"doc(range($self, /, start, stop)
--

Return the rows at the 0-based positions from start up to, not including, stop.

Parameters
----------
start, stop : int
    At least 0; positions past the end give no rows.

Returns
-------
list of Ranked
    Highest first.

Raises
------
InvalidType, InvalidArgument
    If a position isn't an int or is negative.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob", "cy"], [30, 10, 20])
>>> [row.member for row in ranked.range(1, 3)]
['cy', 'bob']
)doc");

PyMethodDef between_definition = fastcall::definition("between", between, R"doc(between($self, /, low=None, high=None)
--

Return the rows with low <= score <= high.

Parameters
----------
low, high : int, float or None, default None
    Inclusive limits; None is open.

Returns
-------
list of Ranked
    Highest first.

Raises
------
InvalidType, InvalidArgument
    If a limit isn't a number or is NaN.

Notes
-----
O(log n + k) for k rows.

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob", "cy"], [30, 10, 20])
>>> [row.member for row in ranked.between(15)]
['ada', 'cy']
)doc");

PyMethodDef count_definition = fastcall::definition("count", count_between, R"doc(count($self, /, low=None, high=None)
--

Count the members with low <= score <= high.

Parameters
----------
low, high : int, float or None, default None
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
)doc");

PyMethodDef pop_highest_definition = fastcall::definition("pop_highest", pop_highest, R"doc(pop_highest($self, /)
--

Remove the highest row and return it.

Returns
-------
Ranked
    Rank, member and score that it had.

Raises
------
IndexError
    If the list is empty.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob"], [30, 10])
>>> ranked.pop_highest()
Ranked(rank=1, member='ada', score=30.0)
)doc");

PyMethodDef pop_lowest_definition = fastcall::definition("pop_lowest", pop_lowest, R"doc(pop_lowest($self, /)
--

Remove the lowest row and return it.

Returns
-------
Ranked
    Rank, member and score that it had.

Raises
------
IndexError
    If the list is empty.

Notes
-----
O(log n).

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob"], [30, 10])
>>> ranked.pop_lowest()
Ranked(rank=2, member='bob', score=10.0)
)doc");

// clang-format on

}  // namespace

namespace ranking {

void add_skip_list_calls(py::handle type) {
    for (PyMethodDef* definition :
         {&set_definition, &add_definition, &score_definition, &rank_definition, &remove_definition, &at_definition,
          &range_definition, &between_definition, &count_definition, &pop_highest_definition, &pop_lowest_definition})
        fastcall::add(type, *definition);
}

}  // namespace ranking
