// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/pipeline/board_rule.hpp>
#include <engagehub/pipeline/locked.hpp>
#include <engagehub/pipeline/projected.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/trend_rule.hpp>
#include <engagehub/pipeline/window_rule.hpp>

#include "tests/support/events.hpp"
#include "tests/support/failing_new.hpp"

using engagehub::BoardRule;
using engagehub::DistinctWindow;
using engagehub::EventField;
using engagehub::field_of;
using engagehub::HalfLife;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::KindTable;
using engagehub::kLanes;
using engagehub::lane_of;
using engagehub::Leaderboard;
using engagehub::Locked;
using engagehub::Projected;
using engagehub::Projection;
using engagehub::QueuedEvent;
using engagehub::TopK;
using engagehub::TrendRule;
using engagehub::WindowRule;
using engagehub_tests::add_random_events;
using engagehub_tests::event_of;
using engagehub_tests::Events;

namespace {

constexpr std::int64_t kHour = 3'600'000'000;

template <class Rule>
using Kept = Projected<Rule, Locked>;

using Community = std::pair<std::int64_t, std::string>;

Community name_of(const ItemView& community) { return {community.number, std::string(community.text)}; }
ItemView view_of(const Community& community) {
    return community.second.empty() ? ItemView::of(community.first) : ItemView::of(std::string_view(community.second));
}

template <class Structure>
std::string bytes_of(const std::shared_ptr<Locked<Structure>>& handle) {
    return handle->locked([](Structure& structure) { return structure.to_bytes(); });
}

BoardRule board_rule() {
    return {Leaderboard(HalfLife::of_micros(7 * 24 * kHour)), KindTable({{"message", 1.5}, {"join", 10.0}})};
}

TrendRule trend_rule() { return {TopK(5, HalfLife::of_micros(kHour), {32, 2}), EventField::kChannel, {}}; }

WindowRule window_rule() { return {DistinctWindow(24 * kHour, kHour, 6), EventField::kMember, {}}; }

// What the rules say, in so many words. They answer whether the event was to change something, and whether it did.
enum class Outcome { kLeftOut, kDone, kSkipped };

Outcome apply_one(const BoardRule& /*rule*/, Leaderboard& board, const QueuedEvent& event) {
    const auto kind = event.kind().text;
    if (kind != "message" && kind != "join") return Outcome::kLeftOut;
    const double gained = (kind == "message" ? 1.5 : 10.0) * event.value();
    if (std::abs(gained) > 1e290) return Outcome::kSkipped;
    if (board.size() != 0 && board.kind() != event.member().kind) return Outcome::kSkipped;
    board.add(event.member(), gained, event.at());
    return Outcome::kDone;
}

Outcome apply_one(const TrendRule& rule, TopK& trend, const QueuedEvent& event) {
    const ItemView item = field_of(event, rule.item);
    if (item.kind == ItemKind::kNone) return Outcome::kLeftOut;
    if (trend.size() != 0 && trend.kind() != item.kind) return Outcome::kSkipped;
    trend.add(item, 1.0, event.at());
    return Outcome::kDone;
}

Outcome apply_one(const WindowRule& rule, DistinctWindow& window, const QueuedEvent& event) {
    const ItemView item = field_of(event, rule.item);
    if (window.kind() != ItemKind::kNone && window.kind() != item.kind) return Outcome::kSkipped;
    return window.add(item, event.at()) ? Outcome::kDone : Outcome::kSkipped;
}

template <class Rule>
struct Model {
    std::map<Community, std::unique_ptr<typename Rule::Structure>> structures;
    std::uint64_t skipped = 0;

    Model(const Rule& rule, const Events& events, bool per_community) {
        for (std::size_t i = 0; i < events.size(); ++i) {
            const Community community = per_community ? name_of(events[i].community()) : Community();
            auto found = structures.find(community);
            const bool is_new = found == structures.end();
            if (is_new)
                found = structures.emplace(community, std::make_unique<typename Rule::Structure>(rule.empty)).first;
            const Outcome outcome = apply_one(rule, *found->second, events[i]);
            if (outcome == Outcome::kSkipped) ++skipped;
            if (is_new && outcome == Outcome::kLeftOut) structures.erase(found);
        }
    }
};

// Hands each of so many workers the events of its lanes, in pieces; whose turn it is, is left to chance.
void apply_by_workers(Projection& projection, const Events& events, std::size_t workers, unsigned seed) {
    std::vector<std::vector<const QueuedEvent*>> queues(workers);
    for (const QueuedEvent* event : events.pointers()) queues[lane_of(event->community()) % workers].push_back(event);
    std::vector<std::size_t> done(workers, 0);
    std::mt19937 random(seed);
    for (std::size_t left = events.size(); left != 0;) {
        const std::size_t worker = random() % workers;
        const std::size_t count = std::min<std::size_t>(random() % 400, queues[worker].size() - done[worker]);
        projection.apply(queues[worker].data() + done[worker], count);
        done[worker] += count;
        left -= count;
    }
}

template <class Rule>
void check_per_community(const Rule& rule, unsigned seed) {
    Events events;
    add_random_events(events, 4'000, seed);
    const Model<Rule> model(rule, events, true);
    REQUIRE(model.skipped != 0);
    for (std::size_t workers = 1; workers <= 4; ++workers) {
        CAPTURE(workers);
        Kept<Rule> kept(rule, 1'000);
        apply_by_workers(kept, events, workers, seed);
        const Projection::Account account = kept.account();
        CHECK(account.skipped == model.skipped);
        CHECK(account.first_reason != "");
        CHECK(account.communities == model.structures.size());
        for (const auto& [community, structure] : model.structures)
            CHECK(bytes_of<typename Rule::Structure>(kept.find(view_of(community))) == structure->to_bytes());
    }
}

template <class Rule>
void check_global(const Rule& rule, unsigned seed) {
    Events events;
    add_random_events(events, 4'000, seed);
    const Model<Rule> model(rule, events, false);
    Kept<Rule> kept(rule);
    apply_by_workers(kept, events, 1, seed);
    CHECK(kept.account().skipped == model.skipped);
    CHECK(kept.account().communities == 0);
    CHECK(bytes_of<typename Rule::Structure>(kept.find()) == model.structures.begin()->second->to_bytes());
}

// A community of each of so many lanes.
std::vector<std::int64_t> communities_of_lane(std::size_t lane, std::size_t count) {
    std::vector<std::int64_t> result;
    for (std::int64_t community = 0; result.size() < count; ++community) {
        if (lane_of(ItemView::of(community)) == lane) result.push_back(community);
    }
    return result;
}

}  // namespace

TEST_CASE("the structures of communities equal those that take event by event, for any number of workers") {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        check_per_community(board_rule(), seed);
        check_per_community(trend_rule(), seed);
        check_per_community(window_rule(), seed);
    }
}

TEST_CASE("a structure of all communities equals one that takes event by event") {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        check_global(board_rule(), seed);
        check_global(trend_rule(), seed);
        check_global(window_rule(), seed);
    }
}

TEST_CASE("a projection counts the field that it is told to") {
    Events events;
    events.add(event_of("message", 1, 2, 3, 0));
    const auto pointers = events.pointers();
    for (const auto& [field, item] :
         {std::pair{EventField::kMember, ItemView::of(std::int64_t{1})},
          std::pair{EventField::kChannel, ItemView::of(std::int64_t{2})},
          std::pair{EventField::kCommunity, ItemView::of(std::int64_t{3})},
          std::pair{EventField::kKind, ItemView::of(std::string_view("message"))}}) {
        TrendRule trend = trend_rule();
        trend.item = field;
        Kept<TrendRule> kept(trend);
        kept.apply(pointers.data(), 1);
        kept.find()->locked([&, wanted = item](TopK& native) { CHECK(native.top(1).at(0).item == wanted); });
        WindowRule window = window_rule();
        window.item = field;
        Kept<WindowRule> kept_window(window);
        kept_window.apply(pointers.data(), 1);
        kept_window.find()->locked([&, wanted = item](DistinctWindow& native) { CHECK(native.kind() == wanted.kind); });
    }
}

TEST_CASE("a board without points takes each event's value, and one with points leaves other kinds out") {
    Events events;
    auto event = event_of("message", 1, 2, 3, 0);
    event.value = 2.5;
    events.add(event);
    events.add(event_of("join", 1, 2, 3, 0));
    const auto pointers = events.pointers();
    const auto score_of = [&](KindTable points) {
        Kept<BoardRule> kept({Leaderboard(), std::move(points)});
        kept.apply(pointers.data(), pointers.size());
        CHECK(kept.account().skipped == 0);
        return kept.find()->locked([](Leaderboard& board) { return board.score(*board.find(ItemView::of(1)), 0); });
    };
    CHECK(score_of({}) == 3.5);
    CHECK(score_of(KindTable({{"message", 2.0}})) == 5.0);
    CHECK(score_of(KindTable({{"leave", 7.0}, {"join", 3.0}, {"message", 2.0}})) == 8.0);
}

TEST_CASE("trends and windows take some kinds only, if told so") {
    Events events;
    events.add(event_of("message", 1, 2, 3, 0));
    events.add(event_of("join", 4, 5, 6, 0));
    const auto pointers = events.pointers();
    TrendRule trend = trend_rule();
    trend.kinds = KindTable({{"join", 1.0}});
    Kept<TrendRule> trends(trend, 100);
    trends.apply(pointers.data(), 2);
    CHECK(trends.account().communities == 1);
    trends.find(ItemView::of(6))->locked([](TopK& native) { CHECK(native.top(9).at(0).item == ItemView::of(5)); });
    WindowRule window = window_rule();
    window.kinds = KindTable({{"join", 1.0}});
    Kept<WindowRule> windows(window);
    windows.apply(pointers.data(), 2);
    windows.find()->locked(
        [](DistinctWindow& native) { CHECK(native.answer(kHour, 0).estimate == doctest::Approx(1)); });
}

TEST_CASE("a lane has room for its share of the communities and some more, whoever asks meanwhile") {
    Kept<BoardRule> kept({Leaderboard(), {}}, 512);
    const std::size_t room = 2 + 1 + 16;
    const auto communities = communities_of_lane(7, room + 2);
    Events events;
    // What was asked for takes no room.
    std::vector<Kept<BoardRule>::Handle> asked;
    for (const std::int64_t community : communities) asked.push_back(kept.find(ItemView::of(community)));
    for (const std::int64_t community : communities) events.add(event_of("message", 1, 2, community, 0));
    events.add(event_of("message", 1, 2, communities.back(), 0));
    events.add(event_of("message", 1, 2, communities.front(), 0));
    const auto pointers = events.pointers();
    kept.apply(pointers.data(), pointers.size());
    CHECK(kept.account().communities == room);
    CHECK(kept.account().skipped == 3);
    CHECK(kept.account().first_reason == "communities must be at most max_communities, got more");
    const auto size_of = [](const auto& handle) {
        return handle->locked([](Leaderboard& board) { return board.size(); });
    };
    for (std::size_t i = 0; i < communities.size(); ++i) {
        CAPTURE(i);
        CHECK(size_of(asked[i]) == (i < room ? 1 : 0));
        CHECK(kept.find(ItemView::of(communities[i])) == asked[i]);
    }
}

TEST_CASE("what was asked for and let go of is forgotten") {
    Kept<BoardRule> kept({Leaderboard(), {}}, 1);
    const auto held = kept.find(ItemView::of(-1));
    std::weak_ptr<Locked<Leaderboard>> last;
    for (const std::int64_t community : communities_of_lane(lane_of(ItemView::of(-1)), 100)) {
        last = kept.find(ItemView::of(community));
        CHECK(last.expired());
    }
    CHECK(kept.find(ItemView::of(-1)) == held);
    CHECK(kept.account().communities == 0);
    // Asked for again after it was let go of.
    const auto again = kept.find(ItemView::of(-2));
    const auto* const address = again.get();
    CHECK(kept.find(ItemView::of(-2)).get() == address);
}

TEST_CASE("int and str communities, and texts that share a beginning, are kept apart") {
    Kept<BoardRule> kept({Leaderboard(), {}}, 100);
    const auto number = kept.find(ItemView::of(1));
    const auto text = kept.find(ItemView::of(std::string_view("1")));
    const auto longer = kept.find(ItemView::of(std::string_view("10")));
    CHECK(std::set{number, text, longer}.size() == 3);
}

TEST_CASE("communities are spread over all lanes") {
    std::vector<int> counts(kLanes, 0);
    for (std::int64_t community = 0; community < 25'600; ++community) ++counts.at(lane_of(ItemView::of(community)));
    CHECK(*std::min_element(counts.begin(), counts.end()) > 50);
    CHECK(*std::max_element(counts.begin(), counts.end()) < 160);
    // The same on every platform, for the order of events depends on it.
    CHECK(lane_of(ItemView::of(std::string_view(""))) == 216);
    CHECK(lane_of(ItemView::of(1)) == 144);
    CHECK(lane_of(ItemView::of(std::string_view("school"))) == 199);
}

TEST_CASE("events that find no memory are counted, and the others are applied") {
    Events events;
    for (std::int64_t i = 0; i < 40; ++i) events.add(event_of("message", i, i, i % 3, i * kHour));
    const auto pointers = events.pointers();
    for (std::uint64_t allowed = 0; allowed < 60; ++allowed) {
        CAPTURE(allowed);
        Kept<BoardRule> kept({Leaderboard(), {}}, 100);
        for (std::size_t i = 0; i < pointers.size(); ++i) {
            // One allocation in the middle of one call fails; all before and after succeed.
            if (i == 20) engagehub_tests::allocations.until_failure = allowed;
            kept.apply(&pointers[i], 1);
        }
        engagehub_tests::allocations.until_failure = UINT64_MAX;
        std::size_t members = 0;
        for (std::int64_t community = 0; community < 3; ++community) {
            members += kept.find(ItemView::of(community))->locked([](Leaderboard& board) {
                board.check();
                return board.size();
            });
        }
        const auto account = kept.account();
        CHECK(members + account.skipped == 40);
        if (allowed == 0) {
            CHECK(account.skipped != 0);
            CHECK(account.first_reason == "there must be memory for the change, got none");
        }
    }
}
