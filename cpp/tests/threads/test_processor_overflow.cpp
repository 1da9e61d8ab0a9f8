// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <engagehub/pipeline/event_processor.hpp>

#include "tests/support/door.hpp"
#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::Deadline;
using engagehub::deadline_after;
using engagehub::EventProcessor;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushCounts;
using engagehub::PushOutcome;
using engagehub::Refusal;
using engagehub_tests::await;
using engagehub_tests::Batch;
using engagehub_tests::check_sums;
using engagehub_tests::close;
using engagehub_tests::Door;
using engagehub_tests::flush;
using engagehub_tests::lazy;
using engagehub_tests::Members;
using engagehub_tests::numbers;
using engagehub_tests::Offers;
using engagehub_tests::push;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;
using engagehub_tests::refused;

namespace {

ProcessorConfig small(Overflow overflow, std::size_t capacity) {
    ProcessorConfig config = lazy(1);
    config.overflow = overflow;
    config.capacity = capacity;
    return config;
}

std::uint64_t refused_for(const ProcessorStats& stats, Refusal reason) {
    return stats.refused[static_cast<std::size_t>(reason)];
}

// A sink that is stuck with event 0.
struct Stuck {
    Stuck() {
        sink->before = [door = door](const Batch&) { door->pass(); };
    }
    void begin(EventProcessor& processor) const {
        REQUIRE(push(processor, 0) == PushOutcome::kDone);
        door->wait_for_arrival();
    }
    std::shared_ptr<Recorder> sink = std::make_shared<Recorder>();
    std::shared_ptr<Door> door = std::make_shared<Door>();
};

Members joined(Members first, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) first.push_back(i);
    return first;
}

}  // namespace

TEST_CASE("refuse counts what finds no room, and nothing that was accepted is lost") {
    const Stuck stuck;
    EventProcessor processor(small(Overflow::kRefuse, 8), stuck.sink);
    stuck.begin(processor);
    for (std::int64_t i = 1; i <= 8; ++i) CHECK(push(processor, i) == PushOutcome::kDone);
    for (int i = 0; i < 5; ++i) CHECK(push(processor, 99) == PushOutcome::kRefused);
    ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.accepted == 9);
    CHECK(refused_for(stats, Refusal::kFull) == 5);
    CHECK(refused(stats) == 5);
    CHECK(stats.queued == 8);
    CHECK(stats.sink.in_flight == 1);
    stuck.door->open();
    CHECK(flush(processor));
    CHECK(stuck.sink->members() == numbers(9));
    stats = processor.stats();
    check_sums(stats);
    CHECK(stats.sink.delivered == 9);
    CHECK(stats.queued == 0);
    processor.refuse(Refusal::kFuture, 3);
    CHECK(refused_for(processor.stats(), Refusal::kFuture) == 3);
}

TEST_CASE("of many offered at once the first ones are accepted, without waiting") {
    const Stuck stuck;
    EventProcessor processor(small(Overflow::kRefuse, 8), stuck.sink);
    stuck.begin(processor);
    Offers offers(processor);
    offers.add_members(1, 13);
    PushCounts counts;
    const auto never = [](Deadline, auto&&) -> std::int64_t {
        FAIL("must not wait");
        return 0;
    };
    CHECK(processor.push(offers, 0, counts, never) == PushOutcome::kRefused);
    CHECK(counts.accepted == 8);
    CHECK(counts.duplicate == 0);
    CHECK(processor.stats().refused[0] == 4);
    stuck.door->open();
    CHECK(close(processor));
    CHECK(stuck.sink->members() == numbers(9));
}

TEST_CASE("one attempt neither waits nor counts what it can't place") {
    const Stuck stuck;
    EventProcessor processor(small(Overflow::kBlock, 8), stuck.sink);
    stuck.begin(processor);
    Offers offers(processor);
    offers.add_members(1, 13);
    PushCounts counts;
    CHECK(processor.try_push(offers, 0, counts) == PushOutcome::kRefused);
    CHECK(counts.accepted == 8);
    CHECK(refused(processor.stats()) == 0);
    stuck.door->open();
    CHECK(close(processor));
    Offers more(processor);
    more.add_members(0, 1);
    CHECK(processor.try_push(more, 0, counts) == PushOutcome::kClosed);
    CHECK(counts.accepted == 0);
}

TEST_CASE("block waits for room, gives up after its time and counts that") {
    const Stuck stuck;
    ProcessorConfig config = small(Overflow::kBlock, 2);
    config.block_timeout = 0.02;
    EventProcessor processor(config, stuck.sink);
    stuck.begin(processor);
    CHECK(push(processor, 1) == PushOutcome::kDone);
    CHECK(push(processor, 2) == PushOutcome::kDone);
    const auto start = std::chrono::steady_clock::now();
    CHECK(push(processor, 99) == PushOutcome::kRefused);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(20));
    CHECK(refused_for(processor.stats(), Refusal::kTimeout) == 1);
    CHECK(refused(processor.stats()) == 1);
    stuck.door->open();
    for (std::int64_t i = 3; i < 500; ++i) {
        while (push(processor, i) != PushOutcome::kDone) {
        }
    }
    CHECK(close(processor));
    CHECK(stuck.sink->members() == numbers(500));
    check_sums(processor.stats());
}

TEST_CASE("what a caller throws while it waits leaves push, and everything is accounted") {
    for (const bool is_with_workers : {false, true}) {
        const Stuck stuck;
        auto held = std::make_shared<RecordedProjection>(false);
        ProcessorConfig config = small(is_with_workers ? Overflow::kDropOldest : Overflow::kBlock, 8);
        if (is_with_workers) held->before = [&](std::size_t) { stuck.door->pass(); };
        EventProcessor processor(config, stuck.sink, {held});
        stuck.begin(processor);
        if (!is_with_workers) await([&] { return processor.stats().applied == 1; });
        Offers offers(processor);
        offers.add_members(1, 13);
        PushCounts counts;
        const auto impatient = [](Deadline, auto&&) -> std::int64_t { throw std::runtime_error("interrupted"); };
        CHECK_THROWS_WITH(processor.push(offers, 0, counts, impatient), "interrupted");
        const std::size_t room = is_with_workers ? 7 : 8;  // a held worker has a place more
        CHECK(counts.accepted == room);
        CHECK(refused(processor.stats()) == 12 - room);
        stuck.door->open();
        CHECK(close(processor));
        CHECK(stuck.sink->members() == numbers(static_cast<std::int64_t>(room) + 1));
        check_sums(processor.stats());
    }
}

TEST_CASE("a producer that sleeps for want of room is woken by the reader") {
    for (int round = 0; round < 5; ++round) {
        const Stuck stuck;
        EventProcessor processor(small(Overflow::kBlock, 2), stuck.sink, {std::make_shared<RecordedProjection>(false)});
        stuck.begin(processor);
        std::atomic<bool> has_begun{false};
        std::thread producer([&] {
            for (std::int64_t i = 1; i < 20; ++i) {
                if (i == 3) has_begun = true;
                CHECK(push(processor, i) == PushOutcome::kDone);
            }
        });
        await([&] { return has_begun.load(); });
        // Longer than the producer spins: it is asleep by now, or about to be.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        stuck.door->open();
        producer.join();
        CHECK(flush(processor));
        CHECK(stuck.sink->members() == numbers(20));
    }
}

TEST_CASE("drop_oldest keeps the newest in their order, counts the others, and structures see all") {
    const Stuck stuck;
    auto all = std::make_shared<RecordedProjection>(false);
    EventProcessor processor(small(Overflow::kDropOldest, 8), stuck.sink, {all});
    stuck.begin(processor);
    for (std::int64_t i = 1; i <= 100; ++i) {
        REQUIRE(push(processor, i) == PushOutcome::kDone);
        const ProcessorStats stats = processor.stats();
        check_sums(stats);
        REQUIRE(stats.evicted == static_cast<std::uint64_t>(std::max<std::int64_t>(i - 8, 0)));
        REQUIRE(stats.queued == static_cast<std::uint64_t>(std::min<std::int64_t>(i, 8)));
    }
    CHECK(refused(processor.stats()) == 0);
    stuck.door->open();
    CHECK(flush(processor));
    CHECK(stuck.sink->members() == joined({0}, 93, 101));
    CHECK(stuck.sink->ids().back() == "run-100");  // the place in the run, whatever was dropped before
    CHECK(all->members() == numbers(101));
    check_sums(processor.stats());
    CHECK(processor.stats().sink.delivered == 9);
    CHECK(processor.stats().evicted == 92);
}

TEST_CASE("drop_oldest takes many at once, also more than there are places") {
    const Stuck stuck;
    EventProcessor processor(small(Overflow::kDropOldest, 8), stuck.sink);
    stuck.begin(processor);
    PushCounts counts;
    Offers some(processor);
    some.add_members(1, 7);
    CHECK(processor.push(some, 0, counts) == PushOutcome::kDone);
    Offers more(processor);
    more.add_members(7, 12);
    CHECK(processor.push(more, 0, counts) == PushOutcome::kDone);
    CHECK(counts.accepted == 5);
    CHECK(processor.stats().evicted == 3);
    Offers many(processor);
    many.add_members(12, 50);
    CHECK(processor.push(many, 0, counts) == PushOutcome::kDone);
    CHECK(counts.accepted == 38);
    CHECK(processor.stats().queued == 8);
    stuck.door->open();
    CHECK(flush(processor));
    CHECK(stuck.sink->members() == joined({0}, 42, 50));
    check_sums(processor.stats());
}

TEST_CASE("producers that drop the oldest at the same time drop no more than they need") {
    const Stuck stuck;
    EventProcessor processor(small(Overflow::kDropOldest, 64), stuck.sink);
    stuck.begin(processor);
    std::vector<std::thread> producers;
    for (int p = 0; p < 4; ++p) {
        producers.emplace_back([&processor] {
            for (int i = 0; i < 500; ++i) {
                Offers offers(processor);
                offers.add_members(0, 1 + i % 7);
                PushCounts counts;
                CHECK(processor.push(offers, 0, counts) == PushOutcome::kDone);
            }
        });
    }
    for (auto& producer : producers) producer.join();
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.queued == 64);
    stuck.door->open();
}

TEST_CASE("drop_oldest waits for a worker that is behind, and drops nothing for it") {
    for (const bool is_sink_as_far : {false, true}) {
        CAPTURE(is_sink_as_far);
        const Stuck stuck;
        auto all = std::make_shared<RecordedProjection>(false);
        auto door = std::make_shared<Door>();
        std::atomic<bool> is_held{false};
        all->before = [&](std::size_t) {
            if (is_held) door->pass();
        };
        if (!is_sink_as_far) stuck.door->open();
        EventProcessor processor(small(Overflow::kDropOldest, 8), stuck.sink, {all});
        stuck.begin(processor);
        await([&] { return processor.stats().applied == 1; });
        is_held = true;
        REQUIRE(push(processor, 1) == PushOutcome::kDone);
        door->wait_for_arrival();
        for (std::int64_t i = 2; i <= 8; ++i) REQUIRE(push(processor, i) == PushOutcome::kDone);
        if (!is_sink_as_far) await([&] { return processor.stats().sink.delivered == 9; });

        int waits = 0;
        Offers one_more(processor);
        one_more.add_members(9, 10);
        PushCounts counts;
        const auto wait = [&](Deadline, auto&& block) {
            ++waits;
            CHECK(processor.stats().evicted == 0);
            // The last change that the producer could be woken by comes before it sleeps.
            door->open();
            await([&] { return processor.stats().applied == 9; });
            CHECK(block(deadline_after(60)));
            return std::int64_t{0};
        };
        CHECK(processor.push(one_more, 0, counts, wait) == PushOutcome::kDone);
        CHECK(waits == 1);
        CHECK(processor.stats().evicted == (is_sink_as_far ? 1 : 0));
        stuck.door->open();
        CHECK(flush(processor));
        CHECK(all->members() == numbers(10));
        CHECK(stuck.sink->members() == (is_sink_as_far ? joined({0}, 2, 10) : numbers(10)));
        check_sums(processor.stats());
    }
}

TEST_CASE("drop_oldest without a sink waits for the structures, which get all") {
    auto all = std::make_shared<RecordedProjection>(false);
    auto door = std::make_shared<Door>();
    all->before = [&](std::size_t) { door->pass(); };
    EventProcessor processor(small(Overflow::kDropOldest, 8), nullptr, {all});
    std::atomic<std::int64_t> pushed{0};
    std::thread producer([&] {
        for (std::int64_t i = 0; i < 1000; ++i) {
            CHECK(push(processor, i) == PushOutcome::kDone);
            ++pushed;
        }
    });
    await([&] { return pushed == 8; });
    CHECK(processor.stats().queued == 8);
    check_sums(processor.stats());
    door->open();
    producer.join();
    CHECK(flush(processor));
    CHECK(all->members() == numbers(1000));
    CHECK(processor.stats().evicted == 0);
    CHECK(processor.stats().sink.delivered == 1000);
    check_sums(processor.stats());
}

TEST_CASE("drop_oldest under load: every snapshot adds up, flush is a barrier, order holds, structures see all") {
    auto sink = std::make_shared<Recorder>();
    sink->before = [](const Batch&) {
        for (int i = 0; i < 20; ++i) std::this_thread::yield();
    };
    auto all = std::make_shared<RecordedProjection>(false);
    ProcessorConfig config = small(Overflow::kDropOldest, 64);
    config.batch_size = 10;
    config.workers = 2;
    EventProcessor processor(config, sink, {all, std::make_shared<RecordedProjection>(true)});
    std::atomic<bool> is_over{false};
    std::thread observer([&] {
        while (!is_over) check_sums(processor.stats());
    });
    std::thread flusher([&] {
        while (!is_over) {
            const std::uint64_t before = processor.stats().accepted;
            CHECK(flush(processor));
            const ProcessorStats after = processor.stats();
            CHECK(after.applied >= before);
            CHECK(after.sink.delivered + after.evicted >= before);
        }
    });
    std::vector<std::thread> producers;
    for (std::int64_t p = 0; p < 4; ++p) {
        producers.emplace_back([&processor, p] {
            for (std::int64_t i = 0; i < 3000; ++i) CHECK(push(processor, p * 10'000 + i) == PushOutcome::kDone);
        });
    }
    for (auto& producer : producers) producer.join();
    is_over = true;
    observer.join();
    flusher.join();
    CHECK(close(processor));
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.accepted == 12'000);
    CHECK(refused(stats) == 0);
    CHECK(stats.queued == 0);
    CHECK(stats.evicted > 0);
    CHECK(stats.sink.delivered + stats.evicted == 12'000);
    const Members delivered = sink->members();
    CHECK(delivered.size() == stats.sink.delivered);
    const Members& applied = all->members();
    CHECK(applied.size() == 12'000);
    auto at = applied.begin();
    for (const std::int64_t member : delivered) {
        at = std::find(at, applied.end(), member);
        REQUIRE(at != applied.end());  // the sink saw a part, in the same order
        ++at;
    }
    for (std::int64_t p = 0; p < 4; ++p) {
        Members own;
        for (const std::int64_t member : applied) {
            if (member / 10'000 == p) own.push_back(member % 10'000);
        }
        CHECK(own == numbers(3000));
    }
}
