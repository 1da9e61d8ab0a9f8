// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#endif

#include <engagehub/base/errors.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_processor.hpp>

#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::Backoff;
using engagehub::deadline_after;
using engagehub::EventProcessor;
using engagehub::InvalidArgument;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushCounts;
using engagehub::PushOutcome;
using engagehub::TransientError;
using engagehub_tests::await;
using engagehub_tests::Batch;
using engagehub_tests::check_sums;
using engagehub_tests::close;
using engagehub_tests::event_by;
using engagehub_tests::flush;
using engagehub_tests::lazy;
using engagehub_tests::Members;
using engagehub_tests::numbers;
using engagehub_tests::Offers;
using engagehub_tests::push;
using engagehub_tests::push_with_id;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;
using engagehub_tests::refused;

TEST_CASE("settings out of range are refused") {
    const auto with = [](auto change) {
        ProcessorConfig config;
        change(config);
        EventProcessor processor(config, nullptr);
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(
        with([](auto& c) { c.capacity = 1; }), "capacity must be between 2 and 67108864, got 1", InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.capacity = EventProcessor::kMaxCapacity + 1; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.workers = 0; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.workers = 65; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.batch_size = 0; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.batch_size = EventProcessor::kMaxBatchSize + 1; }), InvalidArgument);
    CHECK_THROWS_WITH_AS(
        with([](auto& c) { c.flush_interval = 0; }),
        "flush_interval must be more than 0 and at most 86400 seconds, got 0", InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.flush_interval = 86'401; }), InvalidArgument);
    CHECK_THROWS_AS(with([nan](auto& c) { c.flush_interval = nan; }), InvalidArgument);
    CHECK_THROWS_WITH_AS(
        with([](auto& c) { c.block_timeout = -1; }), "block_timeout must be at least 0 seconds, got -1",
        InvalidArgument);
    CHECK_THROWS_AS(with([nan](auto& c) { c.block_timeout = nan; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.dedupe_horizon = 0; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.delivery.retry_first = 0; }), InvalidArgument);
}

TEST_CASE("everything is delivered in order, in batches of the size asked for") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(100), sink);
    CHECK(processor.capacity() == 16'384);
    for (const auto i : numbers(1050)) CHECK(push(processor, i) == PushOutcome::kDone);
    CHECK(flush(processor));
    CHECK(sink->members() == numbers(1050));
    for (const auto size : sink->sizes()) CHECK(size <= 100);
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.sink.delivered == 1050);
    CHECK(stats.sink.batches == sink->sizes().size());
    CHECK(stats.applied == 1050);  // by nobody, which is everybody
    CHECK(close(processor));
    CHECK(sink->ended == 1);
}

TEST_CASE("without a sink events count as written when they are applied, also to nothing") {
    for (const bool has_structure : {false, true}) {
        auto all = std::make_shared<RecordedProjection>(false);
        std::vector<std::shared_ptr<engagehub::Projection>> structures;
        if (has_structure) structures.push_back(all);
        EventProcessor processor(lazy(10), nullptr, structures);
        for (const auto i : numbers(25)) push(processor, i);
        CHECK(flush(processor));
        const ProcessorStats stats = processor.stats();
        check_sums(stats);
        CHECK(stats.sink.written == 25);
        CHECK(stats.applied == 25);
        CHECK(stats.queued == 0);
        CHECK(all->total() == (has_structure ? 25U : 0U));
        CHECK(close(processor));
    }
}

TEST_CASE("flush of an idle processor returns, and of an empty one") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(10), sink, {std::make_shared<RecordedProjection>(false)});
    CHECK(flush(processor));
    push(processor, 0);
    CHECK(flush(processor));
    CHECK(flush(processor));
    CHECK(sink->sizes() == std::vector<std::size_t>{1});
}

TEST_CASE("flush meets a reader that is going to sleep, with and without a batch begun") {
    auto sink = std::make_shared<Recorder>();
    for (const std::size_t batch_size : {std::size_t{1}, std::size_t{1000}}) {
        EventProcessor processor(lazy(batch_size), sink, {std::make_shared<RecordedProjection>(false)});
        std::mt19937_64 random(11);
        for (std::uint64_t round = 1; round <= 2000; ++round) {
            push(processor, 0);
            for (auto spins = random() % 1000; spins > 0; --spins) Backoff().pause();
            REQUIRE(flush(processor, 30));
            const ProcessorStats stats = processor.stats();
            REQUIRE(stats.sink.delivered == round);
            REQUIRE(stats.applied == round);
        }
    }
}

TEST_CASE("a push meets a reader that is going to sleep over an empty ring") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(1), sink, {std::make_shared<RecordedProjection>(false)});
    for (std::uint64_t round = 1; round <= 2000; ++round) {
        push(processor, 0);
        await([&] { return processor.stats().sink.delivered == round; });
    }
}

// The sink fails in both ways now and then, and is as slow as it happens.
TEST_CASE("many producers: all accounted in every snapshot, each producer's flush is a barrier, order holds") {
    for (const auto overflow : {Overflow::kRefuse, Overflow::kBlock, Overflow::kDropOldest}) {
        CAPTURE(static_cast<int>(overflow));
        auto sink = std::make_shared<Recorder>();
        std::atomic<int> inside{0};
        std::atomic<int> calls{0};
        std::atomic<bool> was_alone{true};
        sink->before = [&](const Batch& batch) {
            if (++inside != 1) was_alone = false;
            --inside;
            const int call = ++calls;
            if (call % 5 == 0) throw TransientError("for now");
            if ((*batch)[0].member.number % 97 == 0) throw std::runtime_error("bad");
        };
        auto all = std::make_shared<RecordedProjection>(false);
        ProcessorConfig config = lazy(10);
        config.capacity = 64;
        config.workers = 2;
        config.flush_interval = 0.001;
        config.overflow = overflow;
        config.dedupe_horizon = 1'000'000;
        config.delivery.retry_first = config.delivery.retry_max = 0.0001;
        config.delivery.keep_dead = 50;
        EventProcessor processor(config, sink, {all, std::make_shared<RecordedProjection>(true)});
        std::atomic<std::uint64_t> done{0};
        std::atomic<std::uint64_t> refusals{0};
        std::atomic<bool> is_over{false};
        std::thread observer([&] {
            std::uint64_t accepted = 0;
            while (!is_over) {
                const ProcessorStats stats = processor.stats();
                check_sums(stats);
                CHECK(stats.accepted >= accepted);
                accepted = stats.accepted;
                processor.take_dead(1);
            }
        });
        std::vector<std::thread> producers;
        for (std::int64_t p = 0; p < 4; ++p) {
            producers.emplace_back([&, p] {
                for (std::int64_t i = 0; i < 1500; ++i) {
                    // Every third comes twice.
                    for (std::int64_t times = i % 3 == 0 ? 2 : 1; times > 0; --times)
                        (push_with_id(processor, p * 10'000 + i) == PushOutcome::kDone ? done : refusals)++;
                    if (i % 300 == 0) {
                        const std::uint64_t before = processor.stats().accepted;
                        CHECK(flush(processor));
                        const ProcessorStats after = processor.stats();
                        CHECK(after.applied >= before);
                        CHECK(after.queued + after.sink.in_flight + before <= after.accepted);
                    }
                }
            });
        }
        for (auto& producer : producers) producer.join();
        is_over = true;
        observer.join();
        CHECK(close(processor));
        const ProcessorStats stats = processor.stats();
        check_sums(stats);
        CHECK(stats.accepted + stats.duplicate == done);
        CHECK(refused(stats) == refusals);
        CHECK(done + refusals == 8000);
        CHECK(stats.queued == 0);
        CHECK(stats.sink.in_flight == 0);
        CHECK(was_alone);
        CHECK(sink->ended == 1);
        CHECK(all->total() == stats.accepted);
        if (overflow != Overflow::kRefuse) {
            CHECK(refusals == 0);
            CHECK(stats.accepted == 6000);
            CHECK(stats.duplicate == 2000);
        }
        const Members members = sink->members();
        CHECK(members.size() == stats.sink.delivered);
        for (std::int64_t p = 0; p < 4; ++p) {
            Members own;
            for (const std::int64_t member : members) {
                if (member / 10'000 == p) own.push_back(member);
            }
            CHECK(std::is_sorted(own.begin(), own.end()));
            CHECK(std::adjacent_find(own.begin(), own.end()) == own.end());
        }
    }
}

TEST_CASE("an offer of nothing is done") {
    EventProcessor processor(lazy(10), nullptr);
    Offers none(processor);
    PushCounts counts;
    counts.accepted = 7;
    CHECK(processor.push(none, 0, counts) == PushOutcome::kDone);
    CHECK(counts.accepted == 0);
}

#if defined(__unix__) || defined(__APPLE__)
TEST_CASE("an idle processor costs no time") {
    auto sink = std::make_shared<Recorder>();
    ProcessorConfig config;
    config.workers = 4;
    EventProcessor processor(config, sink, {std::make_shared<RecordedProjection>(true)});
    for (const auto i : numbers(1000)) push(processor, event_by(i, i));
    REQUIRE(flush(processor));

    const auto switches = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_nvcsw;
    };
    // How often threads fell asleep, and the seconds of all cores, of 300 ms.
    const auto measure = [&] {
        const auto before = switches();
        const std::clock_t start = std::clock();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        return std::make_pair(switches() - before, seconds);
    };
    await([&] { return measure().first < 100; });  // the workers nap for some time; for ever that were 2,400 naps
    CHECK(measure().second < 0.05 * 0.3);
    CHECK(processor.stats().lag == 0);
    CHECK(processor.stats().sink_lag == 0);
    push(processor, 0);
    CHECK(flush(processor));
}
#endif
