// SPDX-License-Identifier: MIT
// How a processor ends, in order and otherwise.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_processor.hpp>
#include <engagehub/pipeline/event_stream.hpp>
#include <engagehub/pipeline/queued_event.hpp>

#include "tests/support/door.hpp"
#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::deadline_after;
using engagehub::EventDraft;
using engagehub::EventProcessor;
using engagehub::EventStream;
using engagehub::ItemView;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushCounts;
using engagehub::PushOutcome;
using engagehub::QueuedEvent;
using engagehub::TransientError;
using engagehub_tests::await;
using engagehub_tests::Batch;
using engagehub_tests::check_sums;
using engagehub_tests::close;
using engagehub_tests::Door;
using engagehub_tests::event_by;
using engagehub_tests::flush;
using engagehub_tests::lazy;
using engagehub_tests::numbers;
using engagehub_tests::Offers;
using engagehub_tests::push;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;
using engagehub_tests::refused;

TEST_CASE("a closed processor takes nothing, and a blocked producer is told") {
    for (const auto overflow : {Overflow::kBlock, Overflow::kDropOldest}) {
        const bool drops = overflow == Overflow::kDropOldest;
        auto sink = std::make_shared<Recorder>();
        auto held = std::make_shared<RecordedProjection>(false);
        auto door = std::make_shared<Door>();
        // Drop_oldest waits for nobody but a worker.
        if (drops) held->before = [door](std::size_t) { door->pass(); };
        if (!drops) sink->before = [door](const Batch&) { door->pass(); };
        ProcessorConfig config = lazy(1);
        config.capacity = 2;
        config.overflow = overflow;
        EventProcessor processor(config, sink, {held});
        push(processor, 0);
        door->wait_for_arrival();
        if (!drops) await([&] { return processor.stats().applied == 1; });
        const std::int64_t room = drops ? 2 : 3;
        for (std::int64_t i = 1; i < room; ++i) CHECK(push(processor, i) == PushOutcome::kDone);
        if (drops) await([&] { return processor.stats().sink.delivered == 2; });
        std::thread blocked([&] { CHECK(push(processor, 99) == PushOutcome::kClosed); });
        processor.stop();
        CHECK(processor.is_closed());
        blocked.join();
        door->open();
        CHECK(close(processor));
        CHECK(close(processor, 0));
        CHECK(push(processor, 99) == PushOutcome::kClosed);
        CHECK(sink->members() == numbers(room));
        CHECK(held->members() == numbers(room));
        CHECK(refused(processor.stats()) == 0);
        CHECK(flush(processor));
    }
}

TEST_CASE("close among racing producers delivers exactly what was accepted") {
    for (int round = 0; round < 30; ++round) {
        auto sink = std::make_shared<Recorder>();
        auto all = std::make_shared<RecordedProjection>(false);
        EventProcessor processor(lazy(16), sink, {all});
        std::atomic<std::uint64_t> accepted{0};
        std::vector<std::thread> producers;
        for (int p = 0; p < 2; ++p) {
            producers.emplace_back([&] {
                for (;;) {
                    const auto outcome = push(processor, 1);
                    if (outcome == PushOutcome::kClosed) return;
                    if (outcome == PushOutcome::kDone) ++accepted;
                }
            });
        }
        await([&] { return processor.stats().accepted >= 40; });
        CHECK(close(processor));
        for (auto& producer : producers) producer.join();
        CHECK(processor.stats().accepted == accepted);
        CHECK(sink->members().size() == accepted);
        CHECK(all->members() == sink->members());
    }
}

TEST_CASE("a sink may push into its processor, also when it is full, and knows that it is inside") {
    for (const auto overflow : {Overflow::kBlock, Overflow::kDropOldest}) {
        auto sink = std::make_shared<Recorder>();
        ProcessorConfig config = lazy(1);
        config.capacity = 2;
        config.overflow = overflow;
        EventProcessor* inside = nullptr;
        std::atomic<int> refusals{0};
        std::atomic<bool> knows{true};
        sink->before = [&](const Batch& batch) {
            knows = knows && inside->is_own_thread();
            if ((*batch)[0].member.number != 0) return;
            for (std::int64_t i = 1; i <= 3; ++i) {
                if (push(*inside, i) == PushOutcome::kRefused) ++refusals;
            }
        };
        auto all = std::make_shared<RecordedProjection>(false);
        EventProcessor processor(config, sink, {all});
        inside = &processor;
        CHECK_FALSE(processor.is_own_thread());
        push(processor, 0);
        CHECK(flush(processor));
        CHECK(flush(processor));
        CHECK(knows);
        if (overflow == Overflow::kBlock) {
            CHECK(refused(processor.stats()) == static_cast<std::uint64_t>(refusals));
            CHECK(refusals >= 1);
        } else {
            CHECK(refusals == 0);
            CHECK(sink->members() == std::vector<std::int64_t>{0, 2, 3});
            CHECK(all->members() == numbers(4));
        }
        check_sums(processor.stats());
    }
}

TEST_CASE("a sink that hangs can be left behind: what remains is known, and it may come back later") {
    auto sink = std::make_shared<Recorder>();
    auto all = std::make_shared<RecordedProjection>(false);
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    {
        EventProcessor processor(lazy(2), sink, {all});
        for (const auto i : numbers(9)) push(processor, i);
        door->wait_for_arrival();
        CHECK_FALSE(close(processor, 0.01));
        processor.abandon();
        ProcessorStats stats = processor.stats();
        check_sums(stats);
        CHECK(stats.accepted == 9);
        CHECK(stats.sink.in_flight == 2);
        CHECK(stats.queued == 7);
        CHECK(push(processor, 1) == PushOutcome::kClosed);
        door->open();
        CHECK(processor.wait_ended(deadline_after(60)));
        stats = processor.stats();
        check_sums(stats);
        CHECK(stats.sink.in_flight == 0);
        CHECK(stats.sink.delivered == 2);
        CHECK(stats.queued == 7);
        CHECK(stats.applied == 9);
        CHECK(all->members() == numbers(9));
        CHECK_FALSE(flush(processor));  // nobody will ever take them: no endless wait
    }
    CHECK(sink->members() == numbers(2));
    CHECK(sink->ended == 1);
}

TEST_CASE("close is bounded though the sink is down, and says what remains") {
    auto sink = std::make_shared<Recorder>();
    sink->before = [](const Batch&) { throw TransientError("no connection"); };
    auto all = std::make_shared<RecordedProjection>(false);
    ProcessorConfig config = lazy(2);
    config.delivery.retry_first = config.delivery.retry_max = 86'400;
    EventProcessor processor(config, sink, {all});
    for (const auto i : numbers(9)) push(processor, i);
    CHECK_FALSE(close(processor, 0.01));
    processor.abandon();
    CHECK(processor.wait_ended(deadline_after(60)));
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.queued == 9);
    CHECK(stats.sink.returned == 2);
    CHECK(stats.sink.delivered == 0);
    CHECK(stats.sink.in_flight == 0);
    CHECK(stats.applied == 9);
    CHECK(sink->ended == 1);
}

TEST_CASE("stop ends the wait for a retry, for one more try") {
    auto sink = std::make_shared<Recorder>();
    std::atomic<bool> is_down{true};
    sink->before = [&](const Batch&) {
        if (is_down.exchange(false)) throw TransientError("no connection");
    };
    ProcessorConfig config = lazy(2);
    config.delivery.retry_first = config.delivery.retry_max = 86'400;
    EventProcessor processor(config, sink);
    for (const auto i : numbers(9)) push(processor, i);
    await([&] { return processor.stats().sink.next_try.has_value(); });
    CHECK(close(processor));
    CHECK(sink->members() == numbers(9));
}

TEST_CASE("the destructor drains") {
    auto sink = std::make_shared<Recorder>();
    auto all = std::make_shared<RecordedProjection>(false);
    {
        EventProcessor processor(lazy(1000), sink, {all});
        for (const auto i : numbers(77)) push(processor, i);
    }
    CHECK(sink->members() == numbers(77));
    CHECK(all->members() == numbers(77));
    CHECK(sink->ended == 1);
}

TEST_CASE("a sink may drop the last reference to its processor: the rest is delivered without it") {
    auto sink = std::make_shared<Recorder>();
    auto all = std::make_shared<RecordedProjection>(false);
    auto held = std::make_shared<std::unique_ptr<EventProcessor>>();
    auto door = std::make_shared<Door>();
    sink->before = [held, door](const Batch&) {
        door->pass();
        held->reset();
    };
    ProcessorConfig config = lazy(1);
    config.workers = 2;
    *held = std::make_unique<EventProcessor>(config, sink, std::vector<std::shared_ptr<engagehub::Projection>>{all});
    for (const auto i : numbers(20)) push(**held, i);
    door->open();
    await([&] { return sink->ended == 1; });
    CHECK(sink->members() == numbers(20));
    await([&] { return all->applied == 20; });
    CHECK(all->members() == numbers(20));
}

// The leak sanitizer looks whether the memory of the texts is given back.
TEST_CASE("texts of events that nobody reads any more are let go of") {
    const std::string text(1000, 'x');
    auto view = event_by(0);
    view.data = ItemView::of(std::string_view(text));

    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    auto all = std::make_shared<RecordedProjection>(false);
    ProcessorConfig config = lazy(2);
    config.capacity = 8;
    config.overflow = Overflow::kDropOldest;
    {
        EventProcessor processor(config, sink, {all});
        for (int i = 0; i < 50; ++i) CHECK(push(processor, view) == PushOutcome::kDone);  // most are evicted
        door->wait_for_arrival();
        await([&] { return processor.stats().applied == 50; });
        CHECK(processor.stats().evicted > 0);
        processor.abandon();
        CHECK(push(processor, view) == PushOutcome::kClosed);
        door->open();
        CHECK(processor.wait_ended(deadline_after(60)));
        CHECK(processor.stats().queued > 0);
    }

    EventStream stream(4, 3);
    const auto write = [&](std::size_t, QueuedEvent& slot) noexcept { EventDraft(view, 3).write(slot); };
    const auto read = [&](std::size_t reader, std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t position = from; position < to; ++position) stream.ring[position].let_go();
        stream.give_back(reader, to);
    };
    CHECK(stream.push(4, write).count == 4);
    for (std::size_t reader = 0; reader < 3; ++reader) read(reader, 0, 2);
    CHECK(stream.push(2, write).count == 2);
    read(0, 2, 6);
    read(1, 2, 4);
}
