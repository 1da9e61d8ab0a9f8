// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <engagehub/pipeline/event_choice.hpp>
#include <engagehub/pipeline/queued_event.hpp>

#include "board.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "projections.hpp"
#include "register.hpp"
#include "sketch_state.hpp"
#include "trend.hpp"
#include "window_state.hpp"

namespace {

using engagehub::BoardRule;
using engagehub::EventField;
using engagehub::KindTable;
using engagehub::TrendRule;
using engagehub::WindowRule;

using MaybeCount = std::optional<std::size_t>;
using Rows = std::vector<KindTable::Row>;
using PyDistinctWindow = window_state::Window<engagehub::DistinctWindow>;

EventField field_named(const std::string& name) {
    if (name == "member") return EventField::kMember;
    if (name == "channel") return EventField::kChannel;
    if (name == "kind") return EventField::kKind;
    if (name == "community") return EventField::kCommunity;
    throw engagehub::InvalidArgument(
        "item must be 'member', 'channel', 'kind' or 'community', got " + convert::shown(py::str(name)));
}

engagehub::Leaderboard native_of(ranking::Board& board) {
    return board.guarded.with([](engagehub::Leaderboard& native) { return engagehub::Leaderboard(native); });
}

// From (name, structure, item, kinds or points, limit of communities or None) of each; a board has no item.
template <class Rule, class Bound>
Projections::Named<Rule> named(const py::list& specs) {
    Projections::Named<Rule> result;
    for (const py::handle spec : specs) {
        auto [name, empty, item, kinds, limit] =
            spec.cast<std::tuple<std::string, Bound&, std::optional<std::string>, Rows, MaybeCount>>();
        using Projected = typename Projections::Named<Rule>::mapped_type::element_type;
        if constexpr (std::is_same_v<Rule, BoardRule>) {
            result.emplace(
                name, std::make_shared<Projected>(Rule{native_of(empty), KindTable(std::move(kinds))}, limit));
        } else {
            Rule rule{sketch_state::copy_of(empty), field_named(item.value()), KindTable(std::move(kinds))};
            result.emplace(name, std::make_shared<Projected>(std::move(rule), limit));
        }
    }
    return result;
}

std::unique_ptr<Projections> projections_of(
    const py::list& boards, const py::list& trends, const py::list& windows, py::object clock,
    std::optional<std::int64_t> max_skew) {
    return made<Projections>(
        named<BoardRule, ranking::Board>(boards), named<TrendRule, Trend>(trends),
        named<WindowRule, PyDistinctWindow>(windows), Clock(std::move(clock), max_skew));
}

// (section, name, skipped, first reason or None, communities or None) of each.
py::list accounts_of(const Projections& self) {
    py::list result;
    self.each([&](const char* section, const std::string& name, const auto& projected) {
        const auto account = projected->account();
        py::object reason = py::none();
        py::object communities = py::none();
        if (account.skipped != 0) reason = py::str(account.first_reason);
        if (projected->is_per_community()) communities = py::int_(account.communities);
        result.append(py::make_tuple(section, name, account.skipped, reason, communities));
    });
    return result;
}

// Applies events of a list of (kind, member, channel or None, community, at, value) as a worker does that has all
// lanes.
void apply(const Projections& self, const py::list& rows) {
    std::deque<engagehub::QueuedEvent> events;
    const py::tuple held(rows);  // so that the texts stay whatever others do with the list
    for (const py::handle row : held) {
        const auto [kind, member, channel, community, at, value] =
            row.cast<std::tuple<py::object, py::object, py::object, py::object, py::object, double>>();
        engagehub::EventView view;
        view.kind = convert::item(kind, "kind");
        view.member = convert::item(member, "member");
        if (!channel.is_none()) view.channel = convert::item(channel, "channel");
        view.community = convert::item(community, "community");
        view.at = convert::instant(at);
        view.value = value;
        engagehub::EventDraft draft(view, 1);
        draft.write(events.emplace_back());
    }
    std::vector<const engagehub::QueuedEvent*> pointers;
    pointers.reserve(events.size());
    for (const auto& event : events) pointers.push_back(&event);
    const auto projections = self.all();
    {
        const Released released;
        for (const auto& projection : projections) projection->apply(pointers.data(), pointers.size());
    }
    for (const auto& event : events) event.let_go();
}

template <class Structure>
void register_live(py::module_& module, const char* name) {
    py::class_<Live<Structure>>(
        module, name, "What a live structure is made of.", collectable::setup<Live<Structure>>());
}

}  // namespace

void register_projections(py::module_& module) {
    register_live<engagehub::Leaderboard>(module, "LiveBoard");
    register_live<engagehub::TopK>(module, "LiveTrend");
    register_live<engagehub::DistinctWindow>(module, "LiveWindow");
    py::class_<Projections> type(
        module, "Projections", "See engagehub_core.projections.", collectable::setup<Projections>());
    type.def(
            py::init(&projections_of), py::arg("boards"), py::arg("trends"), py::arg("windows"), py::arg("clock"),
            py::arg("max_skew"))
        .def("_board", fastcall::method(&Projections::board))
        .def("_trend", fastcall::method(&Projections::trend))
        .def("_window", fastcall::method(&Projections::window))
        .def("_accounts", fastcall::method(&accounts_of))
        .def("_apply", fastcall::method(&apply));
}
