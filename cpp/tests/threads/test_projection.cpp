// SPDX-License-Identifier: MIT
// Workers that apply events while other threads ask.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <engagehub/pipeline/board_rule.hpp>
#include <engagehub/pipeline/locked.hpp>
#include <engagehub/pipeline/projected.hpp>
#include <engagehub/pipeline/trend_rule.hpp>

#include "tests/support/events.hpp"

using engagehub::BoardRule;
using engagehub::EventField;
using engagehub::HalfLife;
using engagehub::ItemView;
using engagehub::lane_of;
using engagehub::Leaderboard;
using engagehub::Locked;
using engagehub::Projected;
using engagehub::Projection;
using engagehub::QueuedEvent;
using engagehub::TopK;
using engagehub::TrendRule;
using engagehub_tests::add_random_events;
using engagehub_tests::Events;

namespace {

// Each worker goes over all events and applies those of its lanes, as many at once as follow each other.
void work(
    Projection& projection, const std::vector<const QueuedEvent*>& events, std::size_t worker, std::size_t workers) {
    std::vector<const QueuedEvent*> own;
    for (const QueuedEvent* event : events) {
        if (lane_of(event->community()) % workers != worker) continue;
        own.push_back(event);
        if (own.size() < 100) continue;
        projection.apply(own.data(), own.size());
        own.clear();
    }
    projection.apply(own.data(), own.size());
}

}  // namespace

TEST_CASE("workers and questions at once leave the structures that one worker leaves") {
    Events events;
    add_random_events(events, 20'000, 7);
    const auto pointers = events.pointers();
    const BoardRule board{Leaderboard(HalfLife::of_micros(3'600'000'000)), {}};
    Projected<BoardRule, Locked> expected(board, 100);
    work(expected, pointers, 0, 1);

    constexpr std::size_t kWorkers = 3;
    Projected<BoardRule, Locked> kept(board, 100);
    Projected<TrendRule, Locked> trend({TopK(), EventField::kChannel, {}});
    std::vector<std::thread> threads;
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
        threads.emplace_back([&, worker] {
            work(kept, pointers, worker, kWorkers);
            if (worker == 0) trend.apply(pointers.data(), pointers.size());
        });
    }
    std::atomic<bool> is_over{false};
    std::thread asker([&] {
        do {
            for (std::int64_t community = 0; community < 9; ++community) {
                const auto live = kept.find(ItemView::of(community));
                CHECK(live->asked([](Leaderboard& native) { return native.size(); }) <= 300);
            }
            CHECK(trend.find()->asked([](TopK& native) { return native.size(); }) <= 42);
            CHECK(kept.account().communities <= 13);
        } while (!is_over.load());
    });
    for (auto& thread : threads) thread.join();
    is_over = true;
    asker.join();

    CHECK(kept.account().skipped == expected.account().skipped);
    CHECK(kept.account().communities == expected.account().communities);
    for (const QueuedEvent* event : pointers) {
        const auto bytes = [&](auto& projected) {
            return projected.find(event->community())->locked([](Leaderboard& native) { return native.to_bytes(); });
        };
        if (event->at() % 97 == 0) CHECK(bytes(kept) == bytes(expected));
    }
}
