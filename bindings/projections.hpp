// SPDX-License-Identifier: MIT
// Purpose: the boards, trends and windows that an event processor keeps current, by name: for its workers to apply
// events to, and for Python to ask.
// Thread safety: immutable but for what the structures hold, which cells guard. The projections hold nothing of
// Python's, so a worker may outlive all else here.
#pragma once

#include "python.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/board_rule.hpp>
#include <engagehub/pipeline/projected.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/trend_rule.hpp>
#include <engagehub/pipeline/window_rule.hpp>

#include "clock.hpp"
#include "convert.hpp"
#include "held.hpp"
#include "made_by_init.hpp"

class Projections : public MadeByInit {
public:
    template <class Rule>
    using Named = std::map<std::string, std::shared_ptr<engagehub::Projected<Rule, LiveCell>>, std::less<>>;

    Projections(
        Named<engagehub::BoardRule> boards, Named<engagehub::TrendRule> trends, Named<engagehub::WindowRule> windows,
        Clock clock)
        : boards_(std::move(boards)),
          trends_(std::move(trends)),
          windows_(std::move(windows)),
          clock_(std::move(clock)) {}

    int traverse(visitproc visit, void* arg) const { return clock_.traverse(visit, arg); }
    void clear() { clock_.clear(); }

    // Calls visit(section, name, projection) for each: the boards, the trends, the windows, each by name.
    template <class Visit>
    void each(const Visit& visit) const {
        for (const auto& [name, board] : boards_) visit("boards", name, board);
        for (const auto& [name, trend] : trends_) visit("trends", name, trend);
        for (const auto& [name, window] : windows_) visit("windows", name, window);
    }

    // For the workers.
    std::vector<std::shared_ptr<engagehub::Projection>> all() const {
        std::vector<std::shared_ptr<engagehub::Projection>> result;
        each([&](const char* /*section*/, const std::string& /*name*/, const auto& one) { result.push_back(one); });
        return result;
    }

    auto board(py::handle name, py::handle community) const { return live(boards_, "boards", name, community); }
    auto trend(py::handle name, py::handle community) const { return live(trends_, "trends", name, community); }
    auto window(py::handle name, py::handle community) const { return live(windows_, "windows", name, community); }

private:
    // The structure of a community, or that of all, as it is kept current from now on. THROWS: InvalidArgument where
    // there is no such one, InvalidType.
    template <class Rule>
    std::unique_ptr<Live<typename Rule::Structure>> live(
        const Named<Rule>& section, const char* of_what, py::handle name, py::handle community) const {
        if (!PyUnicode_Check(name.ptr()))
            throw engagehub::InvalidType("name must be str, got " + convert::type_name(name));
        const engagehub::ItemView place = convert::item(community, "community");
        const auto found = section.find(convert::text(name, "name"));
        if (found == section.end()) {
            throw engagehub::InvalidArgument(
                std::string("name must be one of the processor's ") + of_what + ", " + names_of(section) + ", got " +
                convert::shown(name));
        }
        auto& projected = *found->second;
        if (projected.is_per_community()) return made<Live<typename Rule::Structure>>(projected.find(place), clock_);
        if (place.kind != engagehub::ItemKind::kText || !place.text.empty()) {
            throw engagehub::InvalidArgument(
                "community must be left out for " + convert::shown(name) +
                ", which holds all communities together, got " + convert::shown(community));
        }
        return made<Live<typename Rule::Structure>>(projected.find(), clock_);
    }

    template <class Rule>
    static std::string names_of(const Named<Rule>& section) {
        std::string result;
        for (const auto& [name, projected] : section) result += (result.empty() ? "'" : ", '") + name + "'";
        return result.empty() ? "of which it has none" : result;
    }

    Named<engagehub::BoardRule> boards_;
    Named<engagehub::TrendRule> trends_;
    Named<engagehub::WindowRule> windows_;
    Clock clock_;
};
