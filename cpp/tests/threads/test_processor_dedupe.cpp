// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_processor.hpp>

#include "tests/support/door.hpp"
#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::EventProcessor;
using engagehub::ItemView;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushCounts;
using engagehub::PushOutcome;
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
using engagehub_tests::push_with_id;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;
using engagehub_tests::refused;

namespace {

constexpr std::int64_t kHour = 3'600'000'000;

ProcessorConfig remembering(std::size_t batch_size, Overflow overflow = Overflow::kRefuse) {
    ProcessorConfig config = lazy(batch_size);
    config.dedupe_horizon = kHour;
    config.overflow = overflow;
    return config;
}

void add_with_id(Offers& offers, std::int64_t member) {
    auto view = event_by(member);
    view.id = ItemView::of(member);
    offers.add(view);
}

}  // namespace

TEST_CASE("a push that waited for long makes no id forgotten early") {
    ProcessorConfig config = remembering(1, Overflow::kBlock);
    config.capacity = 2;
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [&](const Batch&) { door->pass(); };
    EventProcessor processor(config, sink);
    CHECK(push_with_id(processor, 0, 0) == PushOutcome::kDone);
    door->wait_for_arrival();
    CHECK(push_with_id(processor, 1, 0) == PushOutcome::kDone);
    CHECK(push_with_id(processor, 2, 0) == PushOutcome::kDone);

    Offers late(processor);
    add_with_id(late, 3);
    PushCounts counts;
    const auto wait = [&](engagehub::Deadline, auto&& block) {
        door->open();
        CHECK(block(engagehub::deadline_after(60)));
        CHECK(flush(processor));
        CHECK(push_with_id(processor, 4, 2 * kHour) == PushOutcome::kDone);
        return 2 * kHour;
    };
    CHECK(processor.push(late, 0, counts, wait) == PushOutcome::kDone);
    CHECK(flush(processor));
    for (const std::int64_t member : {3, 4}) push_with_id(processor, member, 2 * kHour + kHour / 2);
    CHECK(processor.stats().duplicate == 2);
    CHECK(close(processor));
}

TEST_CASE("an id is accepted once within the horizon, in each community") {
    auto sink = std::make_shared<Recorder>();
    auto all = std::make_shared<RecordedProjection>(false);
    EventProcessor processor(remembering(10), sink, {all});
    CHECK(processor.checks_identities());
    CHECK(push_with_id(processor, 0, 0) == PushOutcome::kDone);
    CHECK(push_with_id(processor, 0, 1) == PushOutcome::kDone);
    CHECK(push_with_id(processor, 1, 2) == PushOutcome::kDone);
    CHECK(push_with_id(processor, 0, kHour) == PushOutcome::kDone);
    ProcessorStats stats = processor.stats();
    CHECK(stats.accepted == 2);
    CHECK(stats.duplicate == 2);
    CHECK(stats.identities == 2);
    CHECK(push_with_id(processor, 0, 3 * kHour) == PushOutcome::kDone);
    auto elsewhere = event_by(0, 7);
    elsewhere.id = ItemView::of(std::int64_t{0});
    CHECK(push(processor, elsewhere, 3 * kHour) == PushOutcome::kDone);
    stats = processor.stats();
    CHECK(stats.accepted == 4);
    CHECK(stats.duplicate == 2);
    CHECK(refused(stats) == 0);
    CHECK(flush(processor));
    CHECK(sink->members() == Members{0, 1, 0, 0});
    CHECK(all->members() == sink->members());
}

TEST_CASE("events without an id, and a processor without a horizon, repeat what they like") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor checking(remembering(10), sink);
    push(checking, 0);
    push(checking, 0);
    EventProcessor trusting(lazy(10), sink);
    CHECK_FALSE(trusting.checks_identities());
    push_with_id(trusting, 0);
    push_with_id(trusting, 0);
    for (EventProcessor* processor : {&checking, &trusting}) {
        CHECK(processor->stats().accepted == 2);
        CHECK(processor->stats().duplicate == 0);
        CHECK(processor->stats().identities == 0);
    }
}

TEST_CASE("of many at once those that are known or come twice are left out and counted") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(remembering(100), sink);
    push_with_id(processor, 3);
    Offers offers(processor);
    for (const std::int64_t member : {0, 1, 0, 2, 3, 3, 1, 4}) add_with_id(offers, member);
    offers.add_members(5, 6);
    offers.add_members(5, 6);
    PushCounts counts;
    CHECK(processor.push(offers, 0, counts) == PushOutcome::kDone);
    CHECK(counts.accepted == 6);
    CHECK(counts.duplicate == 4);
    CHECK(flush(processor));
    CHECK(sink->members() == Members{3, 0, 1, 2, 4, 5, 5});
    CHECK(processor.stats().duplicate == 4);
    check_sums(processor.stats());
}

TEST_CASE("what was refused is not remembered, and the first that finds no room ends the offer") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = remembering(1);
    config.capacity = 4;
    EventProcessor processor(config, sink);
    push_with_id(processor, 0);
    door->wait_for_arrival();
    PushCounts counts;
    {
        Offers offers(processor);
        for (std::int64_t member = 0; member < 8; ++member) add_with_id(offers, member);
        CHECK(processor.push(offers, 0, counts) == PushOutcome::kRefused);
    }
    CHECK(counts.accepted == 4);
    CHECK(counts.duplicate == 1);
    CHECK(refused(processor.stats()) == 3);
    CHECK(processor.stats().identities == 5);
    CHECK(push_with_id(processor, 5) == PushOutcome::kRefused);
    CHECK(push_with_id(processor, 4) == PushOutcome::kDone);  // known, so it needs no room
    door->open();
    CHECK(flush(processor));
    {
        Offers again(processor);
        for (std::int64_t member = 0; member < 8; ++member) add_with_id(again, member);
        CHECK(processor.push(again, 0, counts) == PushOutcome::kDone);
    }
    CHECK(counts.accepted == 3);
    CHECK(counts.duplicate == 5);
    CHECK(close(processor));
    CHECK(sink->members() == numbers(8));
    CHECK(processor.stats().duplicate == 7);
    CHECK(refused(processor.stats()) == 4);
    check_sums(processor.stats());
}

TEST_CASE("what was evicted was accepted, and stays known; a duplicate drops nothing") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = remembering(1, Overflow::kDropOldest);
    config.capacity = 4;
    EventProcessor processor(config, sink);
    push_with_id(processor, 0);
    door->wait_for_arrival();
    for (std::int64_t member = 1; member <= 5; ++member) push_with_id(processor, member);
    CHECK(processor.stats().evicted == 1);
    push_with_id(processor, 1);
    push_with_id(processor, 5);
    Offers offers(processor);
    for (const std::int64_t member : {4, 6, 5, 4, 3}) add_with_id(offers, member);  // one is new
    PushCounts counts;
    CHECK(processor.push(offers, 0, counts) == PushOutcome::kDone);
    CHECK(counts.accepted == 1);
    const ProcessorStats stats = processor.stats();
    CHECK(stats.evicted == 2);
    CHECK(stats.duplicate == 6);
    CHECK(stats.queued == 4);
    check_sums(stats);
    door->open();
    CHECK(flush(processor));
    CHECK(sink->members() == Members{0, 3, 4, 5, 6});
}

TEST_CASE("of producers that offer the same ids while they wait for room each id is accepted once") {
    for (const auto overflow : {Overflow::kBlock, Overflow::kDropOldest}) {
        auto sink = std::make_shared<Recorder>();
        auto all = std::make_shared<RecordedProjection>(false);
        ProcessorConfig config = remembering(10, overflow);
        config.capacity = 16;
        EventProcessor processor(config, sink, {all});
        std::atomic<std::size_t> accepted{0};
        std::atomic<std::size_t> duplicate{0};
        std::vector<std::thread> producers;
        for (std::int64_t p = 0; p < 4; ++p) {
            producers.emplace_back([&, p] {
                for (std::int64_t i = 0; i < 2000; i += 10) {
                    Offers offers(processor);
                    for (std::int64_t k = 0; k < 10; ++k) add_with_id(offers, i + (k + p * 3) % 10);
                    PushCounts counts;
                    CHECK(processor.push(offers, 0, counts) == PushOutcome::kDone);
                    accepted += counts.accepted;
                    duplicate += counts.duplicate;
                }
            });
        }
        for (auto& producer : producers) producer.join();
        CHECK(close(processor));
        CHECK(accepted == 2000);
        CHECK(duplicate == 6000);
        const ProcessorStats stats = processor.stats();
        CHECK(stats.accepted == 2000);
        CHECK(stats.duplicate == 6000);
        check_sums(stats);
        Members applied = all->members();
        std::sort(applied.begin(), applied.end());
        CHECK(applied == numbers(2000));
        CHECK(sink->members().size() == 2000 - stats.evicted);
        if (overflow == Overflow::kBlock) CHECK(stats.evicted == 0);
    }
}

TEST_CASE("more identities than there is room for: the oldest are forgotten, and counted") {
    ProcessorConfig config = remembering(10);
    config.max_identities = 100;
    EventProcessor processor(config, nullptr);
    for (std::int64_t member = 0; member < 150; ++member) push_with_id(processor, member);
    CHECK(processor.stats().identities == 100);
    CHECK(processor.stats().forgotten_identities == 50);
    push_with_id(processor, 149);
    CHECK(processor.stats().duplicate == 1);
    push_with_id(processor, 0);
    CHECK(processor.stats().accepted == 151);
}
