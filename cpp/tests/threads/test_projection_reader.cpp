// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_processor.hpp>
#include <engagehub/pipeline/projection.hpp>

#include "tests/support/door.hpp"
#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::Backoff;
using engagehub::EventProcessor;
using engagehub::ItemView;
using engagehub::kLanes;
using engagehub::lane_of;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::Projection;
using engagehub::PushOutcome;
using engagehub_tests::await;
using engagehub_tests::Batch;
using engagehub_tests::check_sums;
using engagehub_tests::close;
using engagehub_tests::Door;
using engagehub_tests::event_by;
using engagehub_tests::flush;
using engagehub_tests::lazy;
using engagehub_tests::Members;
using engagehub_tests::numbers;
using engagehub_tests::Offers;
using engagehub_tests::push;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;

namespace {

using Projections = std::vector<std::shared_ptr<Projection>>;
using Clock = std::chrono::steady_clock;

std::int64_t community_of(std::int64_t member) { return member % 37; }

Members of_lane(const Members& members, std::size_t lane) {
    Members own;
    for (const std::int64_t member : members) {
        if (lane_of(ItemView::of(community_of(member))) == lane) own.push_back(member);
    }
    return own;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

TEST_CASE("every structure gets the events of each lane once, in the order of acceptance, for any number of workers") {
    for (const std::size_t workers : {std::size_t{1}, std::size_t{4}}) {
        CAPTURE(workers);
        auto first = std::make_shared<RecordedProjection>(true);
        auto second = std::make_shared<RecordedProjection>(true);
        auto all = std::make_shared<RecordedProjection>(false);
        auto sink = std::make_shared<Recorder>();
        ProcessorConfig config = lazy(100);
        config.workers = workers;
        config.capacity = 64;
        config.overflow = Overflow::kBlock;
        EventProcessor processor(config, sink, {first, all, second});
        std::vector<std::thread> producers;
        for (std::int64_t p = 0; p < 3; ++p) {
            producers.emplace_back([&processor, p] {
                for (std::int64_t i = 0; i < 2000; ++i) {
                    const std::int64_t member = p * 10'000 + i;
                    CHECK(push(processor, event_by(member, community_of(member))) == PushOutcome::kDone);
                }
            });
        }
        for (auto& producer : producers) producer.join();
        REQUIRE(flush(processor));
        CHECK(processor.stats().applied == 6000);

        const Members accepted = sink->members();
        CHECK(accepted.size() == 6000);
        CHECK(all->members() == accepted);
        CHECK(all->total() == 6000);
        CHECK(first->total() == 6000);
        CHECK(second->total() == 6000);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const Members expected = of_lane(accepted, lane);
            CHECK(first->members(lane) == expected);
            CHECK(second->members(lane) == expected);
        }
    }
}

TEST_CASE("one worker has all of a lane, and one all of a structure of all communities") {
    auto lanes = std::make_shared<RecordedProjection>(true);
    std::vector<std::shared_ptr<RecordedProjection>> global;
    Projections projections{lanes};
    for (int i = 0; i < 3; ++i) {
        global.push_back(std::make_shared<RecordedProjection>(false));
        projections.push_back(global.back());
    }
    ProcessorConfig config = lazy(100);
    config.workers = 3;
    EventProcessor processor(config, nullptr, projections);
    for (std::int64_t i = 0; i < 2000; ++i) CHECK(push(processor, event_by(i, community_of(i))) == PushOutcome::kDone);
    REQUIRE(flush(processor));

    const auto is_one = [](const std::vector<std::thread::id>& threads) {
        return std::count(threads.begin(), threads.end(), threads[0]) == static_cast<std::ptrdiff_t>(threads.size());
    };
    std::vector<std::thread::id> of_lanes;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        if (lanes->threads(lane).empty()) continue;
        CHECK(is_one(lanes->threads(lane)));
        of_lanes.push_back(lanes->threads(lane)[0]);
    }
    std::sort(of_lanes.begin(), of_lanes.end());
    CHECK(std::unique(of_lanes.begin(), of_lanes.end()) - of_lanes.begin() == 3);  // the lanes are shared out

    std::vector<std::thread::id> of_global;
    for (const auto& projection : global) {
        CHECK(projection->members() == numbers(2000));
        CHECK(is_one(projection->threads()));
        of_global.push_back(projection->threads()[0]);
    }
    std::sort(of_global.begin(), of_global.end());
    CHECK(std::unique(of_global.begin(), of_global.end()) - of_global.begin() == 3);  // and so are these
}

TEST_CASE("structures stay current while the sink is stuck, until the ring is full of what it should get") {
    auto all = std::make_shared<RecordedProjection>(false);
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(1);
    config.capacity = 16;
    config.workers = 2;
    EventProcessor processor(config, sink, {all});
    push(processor, 0);
    door->wait_for_arrival();
    for (std::int64_t i = 1; i <= 16; ++i) {
        REQUIRE(push(processor, i) == PushOutcome::kDone);
        await([&] { return processor.stats().applied == static_cast<std::uint64_t>(i) + 1; });
    }
    CHECK(push(processor, 17) == PushOutcome::kRefused);
    CHECK(all->members() == numbers(17));
    CHECK(sink->members().empty());
    CHECK_FALSE(flush(processor, 0.01));  // a barrier for both
    door->open();
    CHECK(flush(processor));
    CHECK(sink->members() == numbers(17));
}

TEST_CASE("flush is a barrier for a structure that is slow, too") {
    auto slow = std::make_shared<RecordedProjection>(false);
    auto door = std::make_shared<Door>();
    slow->before = [door](std::size_t) { door->pass(); };
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(1), sink, {slow});
    push(processor, 0);
    door->wait_for_arrival();
    push(processor, 1);
    await([&] { return processor.stats().sink.delivered == 2; });
    CHECK_FALSE(flush(processor, 0.01));
    CHECK(processor.stats().applied == 0);
    door->open();
    CHECK(flush(processor));
    CHECK(processor.stats().applied == 2);
    CHECK(slow->members() == numbers(2));
}

TEST_CASE("applied is what the slowest worker has done") {
    const std::int64_t held = 0;
    std::int64_t other = 1;
    const auto worker_of = [](std::int64_t community) { return lane_of(ItemView::of(community)) % 2; };
    while (worker_of(other) == worker_of(held)) ++other;
    auto door = std::make_shared<Door>();
    auto lanes = std::make_shared<RecordedProjection>(true);
    std::atomic<std::size_t> seen{0};
    std::atomic<bool> is_held{true};
    lanes->before = [&](std::size_t count) {
        if (is_held.exchange(false)) door->pass();
        seen += count;
    };
    ProcessorConfig config = lazy(10);
    config.workers = 2;
    EventProcessor processor(config, nullptr, {lanes});
    push(processor, event_by(0, held));
    door->wait_for_arrival();
    for (std::int64_t i = 1; i <= 50; ++i) push(processor, event_by(i, other));
    await([&] { return seen == 50; });
    CHECK(processor.stats().applied == 0);
    CHECK(processor.stats().queued == 51);
    check_sums(processor.stats());
    door->open();
    CHECK(flush(processor));
    CHECK(processor.stats().applied == 51);
    CHECK(processor.stats().queued == 0);
}

TEST_CASE("lag grows while a worker is held, and is nothing at rest") {
    const auto born = Clock::now();
    auto all = std::make_shared<RecordedProjection>(false);
    auto door = std::make_shared<Door>();
    all->before = [door](std::size_t) { door->pass(); };
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(1), sink, {all});
    push(processor, 0);
    door->wait_for_arrival();
    const auto held = Clock::now();
    for (int i = 0; i < 20; ++i) {
        const double least = seconds_since(held);
        const double lag = processor.stats().lag;
        CHECK(lag >= least);
        CHECK(lag <= seconds_since(born));
        std::this_thread::yield();
    }
    await([&] { return processor.stats().lag >= 0.01; });
    await([&] { return processor.stats().sink_lag == 0; });  // which has delivered it
    door->open();
    CHECK(flush(processor));
    await([&] { return processor.stats().lag == 0; });
}

TEST_CASE("the sink's lag is its own") {
    auto all = std::make_shared<RecordedProjection>(false);
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(10), sink, {all});
    push(processor, 0);  // waits for more, for an hour
    await([&] { return processor.stats().sink_lag >= 0.01; });
    await([&] { return processor.stats().lag == 0; });
    CHECK(flush(processor));
    await([&] { return processor.stats().sink_lag == 0; });
}

TEST_CASE("flush meets a worker that naps or is about to") {
    auto all = std::make_shared<RecordedProjection>(false);
    ProcessorConfig config = lazy(1);
    config.workers = 2;
    EventProcessor processor(config, nullptr, {all, std::make_shared<RecordedProjection>(true)});
    std::mt19937_64 random(11);
    for (std::int64_t round = 1; round <= 2000; ++round) {
        push(processor, event_by(round, round));
        for (auto spins = random() % 1000; spins > 0; --spins) Backoff().pause();
        REQUIRE(flush(processor));
        REQUIRE(processor.stats().applied == static_cast<std::uint64_t>(round));
    }
}

TEST_CASE("a push meets a worker that goes to sleep for good") {
    auto all = std::make_shared<RecordedProjection>(false);
    EventProcessor processor(lazy(1), nullptr, {all});
    std::mt19937_64 random(12);
    for (std::uint64_t round = 1; round <= 50; ++round) {
        push(processor, 0);
        await([&] { return processor.stats().applied == round; });
        // Its last nap ends about now.
        const auto until = Clock::now() + std::chrono::microseconds(9'000 + random() % 5'000);
        while (Clock::now() < until) std::this_thread::yield();
    }
}

TEST_CASE("texts that need memory of their own reach every reader whole") {
    struct Reader : Projection {
        std::atomic<std::size_t> whole{0};
        bool is_per_community() const noexcept override { return true; }
        void apply(const engagehub::QueuedEvent* const* events, std::size_t count) noexcept override {
            for (std::size_t i = 0; i < count; ++i) {
                const auto expected = static_cast<std::size_t>(events[i]->member().number);
                if (events[i]->data().text == std::string(expected, 'x')) ++whole;
            }
        }
        Account account() const override { return {}; }
    };
    auto first = std::make_shared<Reader>();
    auto second = std::make_shared<Reader>();
    auto sink = std::make_shared<Recorder>();
    std::atomic<std::size_t> written{0};
    sink->before = [&](const Batch& batch) {
        for (std::size_t i = 0; i < batch->size(); ++i) {
            const auto expected = static_cast<std::size_t>((*batch)[i].member.number);
            if ((*batch)[i].data.text == std::string(expected, 'x')) ++written;
        }
    };
    ProcessorConfig config = lazy(50);
    config.capacity = 16;
    config.workers = 3;
    config.overflow = Overflow::kBlock;
    EventProcessor processor(config, sink, {first, second});
    const std::string text(2000, 'x');
    for (std::int64_t i = 0; i < 2000; ++i) {
        auto view = event_by(i, community_of(i));
        view.data = ItemView::of(std::string_view(text).substr(0, static_cast<std::size_t>(i)));
        REQUIRE(push(processor, view) == PushOutcome::kDone);
    }
    CHECK(close(processor));
    CHECK(first->whole == 2000);
    CHECK(second->whole == 2000);
    CHECK(written == 2000);
}
