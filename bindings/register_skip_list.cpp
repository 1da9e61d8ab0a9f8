// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "fastcall.hpp"
#include "made_by_init.hpp"
#include "ranked_list.hpp"
#include "ranking_rows.hpp"
#include "register.hpp"

namespace {

using namespace ranking;

void update(RankedList& list, py::handle members, py::handle scores) {
    count_applied([&](std::size_t& done) {
        convert::require_order(members, "members", scores, "scores");
        const convert::ItemBatch items(members, "members");
        const convert::NumberBatch values(scores, "scores", items.size());
        values.require_each(engagehub::Leaderboard::require_points<convert::Argument>);
        list.guarded.with_released([&](RankedMap& map) {
            engagehub::ItemKind held = map.kind();
            if (items.size() != 0) engagehub::require_kind(held, items.kind(), "members");
            map.assign(items, values, items.size(), done);
        });
    });
}

py::list members_of(RankedList& list) {
    const auto rows = list.rows([](RankedMap& map) { return Span{0, map.size()}; });
    py::list members(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) members[i] = convert::to_python(rows.member(i));
    return members;
}

constexpr const char* kUpdateDoc = R"(Set many scores at once; the GIL is released meanwhile.

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
MemoryError
    If memory runs out: the list is valid, and the error's attribute ``applied`` says how many members, from the first
    on, were set.

Notes
-----
O(k log n) for k members, O(n + k) for a batch that is a good part of the list. The batch is checked whole before its
first change, and copied before the GIL is released: what other threads do to the arrays meanwhile changes nothing.

Examples
--------
>>> ranked = SkipList()
>>> ranked.update(["ada", "bob"], [10, 20])
>>> ranked.rank("bob")
1
)";

constexpr const char* kClearDoc = R"(Remove all members; the kind of member is free again.

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
)";

}  // namespace

void register_skip_list(py::module_& module) {
    py::class_<RankedList> type(module, "SkipList", "See engagehub_core.SkipList.");
    type.def(
        py::init([](RankedList& other) {
            const auto copy =
                other.guarded.with_released([](RankedMap& map) { return std::make_unique<RankedMap>(map); });
            return made<RankedList>(*copy);
        }),
        py::arg("other"));
    type.def(
        py::init(
            [](py::handle ties, py::handle order) { return made<RankedList>(ties_named(ties), order_named(order)); }),
        py::arg("ties"), py::arg("order"));
    add_skip_list_calls(type);
    type.def("update", fastcall::method(&update), py::arg("members"), py::arg("scores"), kUpdateDoc);
    type.def(
        "clear",
        fastcall::method(+[](RankedList& list) { list.guarded.with_released([](RankedMap& map) { map.clear(); }); }),
        kClearDoc);
    type.def("_ranks", fastcall::method(+[](RankedList& list, py::handle members, py::handle missing) {
                 return look_up<RankedMap>(list, members, missing_rank(missing), [](const RankedMap& map, Slot slot) {
                     return static_cast<std::int64_t>(map.rank(slot));
                 });
             }));
    type.def("_scores", fastcall::method(+[](RankedList& list, py::handle members, py::handle missing) {
                 return look_up<RankedMap>(list, members, missing_score(missing), [](const RankedMap& map, Slot slot) {
                     return map.score(slot).to_double();
                 });
             }));
    type.def("_members", fastcall::method(&members_of));
    type.def("__len__", fastcall::method(+[](RankedList& list) {
                 return list.guarded.with([](RankedMap& map) { return map.size(); });
             }));
    type.def("__contains__", fastcall::method(+[](RankedList& list, py::handle member) {
                 const ItemView view = convert::item(member, "member");
                 return list.guarded.with([&](RankedMap& map) { return map.find(view).has_value(); });
             }));
    type.def("_check", fastcall::method(+[](RankedList& list) {
                 list.guarded.with_released([](RankedMap& map) { map.check(); });
             }));
    type.def_property_readonly(
        "ties", [](RankedList& list) { return list.guarded.with([](RankedMap& map) { return name_of(map.ties()); }); },
        "Which ranks equal scores get: \"competition\", \"dense\" or \"ordinal\".");
    type.def_property_readonly(
        "order",
        [](RankedList& list) { return list.guarded.with([](RankedMap& map) { return name_of(map.order()); }); },
        "How ties are listed: by \"arrival\" or by \"member\".");
}
