// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_processor.hpp>
#include <engagehub/pipeline/event_stream.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/pipeline/sink_reader.hpp>

#include "tests/support/door.hpp"
#include "tests/support/failing_new.hpp"
#include "tests/support/offers.hpp"
#include "tests/support/recorders.hpp"

using engagehub::EventDraft;
using engagehub::EventProcessor;
using engagehub::EventStream;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushOutcome;
using engagehub::QueuedEvent;
using engagehub::SinkReader;
using engagehub::TransientError;
using engagehub_tests::allocations;
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
using engagehub_tests::push;
using engagehub_tests::RecordedProjection;
using engagehub_tests::Recorder;

namespace {

Members members_of(const Batch& batch) {
    Members members;
    for (std::size_t i = 0; i < batch->size(); ++i) members.push_back((*batch)[i].member.number);
    return members;
}

Members dead_of(const EventProcessor& processor) {
    Members dead;
    processor.visit_dead([&](const Batch& batch, std::string_view, std::uint32_t) {
        const Members members = members_of(batch);
        dead.insert(dead.end(), members.begin(), members.end());
    });
    return dead;
}

// Events whose members are first, first + 1, ...; the test acts as the readers.
void push_members(EventStream& stream, std::int64_t first, std::size_t count) {
    const auto claim = stream.push(count, [&](std::size_t i, QueuedEvent& slot) noexcept {
        const engagehub::EventView view = event_by(first + static_cast<std::int64_t>(i));
        EventDraft(view, stream.ring.readers()).write(slot);
    });
    REQUIRE(claim.count == count);
}

// Refuses every batch that holds one of these, while it is broken.
struct Picky {
    std::set<std::int64_t> bad;
    std::atomic<bool> is_mended{false};

    void operator()(const Batch& batch) const {
        if (is_mended) return;
        for (const std::int64_t member : members_of(batch)) {
            if (bad.count(member) != 0) throw std::runtime_error("bad member " + std::to_string(member));
        }
    }
};

}  // namespace

TEST_CASE("a full batch goes out by itself, an incomplete one after the interval") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor full(lazy(10), sink);
    for (const auto i : numbers(29)) push(full, i);
    await([&] { return sink->members().size() == 20; });
    CHECK(sink->sizes() == std::vector<std::size_t>{10, 10});
    CHECK(full.stats().queued == 9);
    CHECK(close(full));
    CHECK(sink->sizes() == std::vector<std::size_t>{10, 10, 9});
    CHECK(sink->members() == numbers(29));

    ProcessorConfig config = lazy(10);
    config.flush_interval = 0.01;
    auto second = std::make_shared<Recorder>();
    EventProcessor timed(config, second);
    for (std::int64_t i = 0; i < 3; ++i) {
        push(timed, i);
        await([&] { return second->members().size() == static_cast<std::size_t>(i) + 1; });
    }
    CHECK(second->members() == numbers(3));
}

TEST_CASE("a batch larger than the ring is filled while producers go on") {
    ProcessorConfig config = lazy(1000);
    config.capacity = 16;
    config.overflow = Overflow::kBlock;
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(config, sink);
    for (const auto i : numbers(3000)) REQUIRE(push(processor, i) == PushOutcome::kDone);
    CHECK(flush(processor));
    CHECK(sink->members() == numbers(3000));
    CHECK(sink->sizes() == std::vector<std::size_t>{1000, 1000, 1000});
}

TEST_CASE("the sink is called from one thread, which ends once") {
    auto sink = std::make_shared<Recorder>();
    ProcessorConfig config = lazy(10);
    config.workers = 3;
    {
        EventProcessor processor(config, sink, {std::make_shared<RecordedProjection>(true)});
        for (const auto i : numbers(500)) push(processor, event_by(i, i));
        CHECK(close(processor));
        CHECK(sink->ended == 1);
    }
    CHECK(sink->ended == 1);
    const auto threads = sink->threads();
    CHECK(threads.size() == 50);
    CHECK(std::count(threads.begin(), threads.end(), threads[0]) == 50);
    CHECK(threads[0] != std::this_thread::get_id());
}

TEST_CASE("an event without an id gets that of its place in the run, and keeps it when the batch is written again") {
    auto sink = std::make_shared<Recorder>();
    std::vector<std::vector<std::string>> seen;
    sink->before = [&](const Batch& batch) {
        std::vector<std::string> ids;
        for (std::size_t i = 0; i < batch->size(); ++i) {
            const auto id = (*batch)[i].id;
            ids.push_back(id.kind == ItemKind::kInteger ? std::to_string(id.number) : std::string(id.text));
        }
        seen.push_back(ids);
        if (seen.size() < 3) throw TransientError("no connection");
    };
    ProcessorConfig config = lazy(4);
    config.run = "here";
    config.delivery.retry_first = 0.001;
    EventProcessor processor(config, sink);
    auto with_text = event_by(1);
    with_text.id = ItemView::of(std::string_view("mine"));
    auto with_number = event_by(2);
    with_number.id = ItemView::of(std::int64_t{42});
    push(processor, 0);
    push(processor, with_text);
    push(processor, with_number);
    push(processor, 3);
    REQUIRE(close(processor));
    const std::vector<std::string> expected{"here-0", "mine", "42", "here-3"};
    CHECK(seen == std::vector<std::vector<std::string>>{expected, expected, expected});
}

TEST_CASE("errors that pass cost time and nothing else") {
    auto sink = std::make_shared<Recorder>();
    std::atomic<int> failures{7};
    sink->before = [&](const Batch&) {
        if (failures != 0) {
            --failures;
            throw TransientError("no connection");
        }
    };
    auto all = std::make_shared<RecordedProjection>(false);
    ProcessorConfig config = lazy(10);
    config.capacity = 16;
    config.overflow = Overflow::kBlock;
    config.delivery.retry_first = config.delivery.retry_max = 0.001;
    EventProcessor processor(config, sink, {all});
    for (const auto i : numbers(300)) REQUIRE(push(processor, i) == PushOutcome::kDone);
    CHECK(flush(processor));
    CHECK(sink->members() == numbers(300));
    CHECK(all->members() == numbers(300));
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.sink.retries == 7);
    CHECK(stats.sink.delivered == 300);
    CHECK(stats.sink.transactions == 30);
    CHECK(stats.sink.failed_batches == 0);
}

TEST_CASE("flush ends the wait for a retry") {
    auto sink = std::make_shared<Recorder>();
    std::atomic<int> failures{2};
    sink->before = [&](const Batch&) {
        if (failures != 0) {
            --failures;
            throw TransientError("no connection");
        }
    };
    ProcessorConfig config = lazy(1);
    config.delivery.retry_first = config.delivery.retry_max = 86'400;
    EventProcessor processor(config, sink);
    push(processor, 0);
    await([&] { return processor.stats().sink.next_try.has_value(); });
    CHECK_FALSE(flush(processor, 0.01));
    CHECK(sink->members().empty());
    CHECK(processor.stats().sink.in_flight == 1);
    await([&] { return processor.stats().sink.retries == 1 && processor.stats().sink.next_try.has_value(); });
    CHECK(flush(processor));
    CHECK(sink->members() == numbers(1));
}

TEST_CASE("of 10,000 events exactly the three bad ones are set aside, and delivered when the sink is mended") {
    auto sink = std::make_shared<Recorder>();
    auto picky = std::make_shared<Picky>();
    picky->bad = {17, 5000, 9999};
    sink->before = [picky](const Batch& batch) { (*picky)(batch); };
    ProcessorConfig config;
    config.overflow = Overflow::kBlock;
    EventProcessor processor(config, sink);
    for (const auto i : numbers(10'000)) push(processor, i);
    CHECK(flush(processor));
    ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.sink.dead == 3);
    CHECK(stats.sink.delivered == 9997);
    CHECK(stats.sink.first_error == "bad member 17");
    CHECK(dead_of(processor) == Members{17, 5000, 9999});
    Members good;
    for (const auto i : numbers(10'000)) {
        if (picky->bad.count(i) == 0) good.push_back(i);
    }
    CHECK(sink->members() == good);
    const auto report = processor.take_failures();
    CHECK(report.events == 3);
    CHECK(report.error == "bad member 17");
    CHECK(processor.take_failures().events == 0);

    CHECK(processor.replay_dead() == 3);
    await([&] { return processor.stats().sink.batches == stats.sink.batches + 3; });
    await([&] { return processor.stats().sink.dead == 3; });  // still broken
    picky->is_mended = true;
    CHECK(processor.replay_dead() == 3);
    await([&] { return processor.stats().sink.delivered == 10'000; });
    stats = processor.stats();
    check_sums(stats);
    CHECK(stats.sink.dead == 0);
    good.insert(good.end(), {17, 5000, 9999});
    CHECK(sink->members() == good);
}

TEST_CASE("dead letters are bounded, and those that are taken away are counted") {
    auto sink = std::make_shared<Recorder>();
    sink->before = [](const Batch&) { throw std::runtime_error("never"); };
    ProcessorConfig config = lazy(10);
    config.delivery.keep_dead = 25;
    EventProcessor processor(config, sink);
    for (const auto i : numbers(100)) push(processor, i);
    CHECK(flush(processor));
    CHECK(processor.stats().sink.dead == 25);
    CHECK(processor.stats().sink.dead_evicted == 75);
    const Members dead = dead_of(processor);
    CHECK(dead.front() == 75);
    CHECK(dead.back() == 99);
    CHECK(processor.take_dead(10).size() >= 1);
    CHECK(processor.stats().sink.dead_taken == 10);
    check_sums(processor.stats());
    CHECK(dead_of(processor).front() == 85);
}

TEST_CASE("a reader is called though it had looked just before, and waits for more of its batch") {
    EventStream stream(8, 1);
    SinkReader reader(stream, 0, 1000, 0.05, "run");
    push_members(stream, 0, 1);
    bool is_called = false;
    const auto called_after_a_look = [&] {
        if (is_called) return true;
        is_called = true;
        stream.gate.wake_all();
        return false;
    };
    Batch batch;
    CHECK(reader.next(batch, called_after_a_look) == SinkReader::Next::kCalled);
    is_called = false;
    CHECK(reader.next(batch, [] { return false; }) == SinkReader::Next::kBatch);
    CHECK(members_of(batch) == numbers(1));
}

TEST_CASE("as much is dropped as makes the room that is wanted, of what every worker has passed") {
    EventStream stream(8, 2);
    SinkReader reader(stream, 1, 1000, 3600, "run");
    push_members(stream, 0, 8);
    CHECK_FALSE(reader.can_evict());
    CHECK_FALSE(reader.evict(1));  // a worker needs all of it
    CHECK(reader.evicted() == 0);
    stream.give_back(0, 3);
    CHECK(reader.can_evict());
    CHECK(reader.evict(2));
    CHECK(reader.evicted() == 2);
    CHECK(reader.evict(1));  // another producer has done it already
    CHECK(reader.evict(2));
    CHECK(reader.evicted() == 2);
    CHECK(reader.evict(8));
    CHECK(reader.evicted() == 3);
    CHECK_FALSE(reader.evict(8));
    push_members(stream, 8, 3);
    CHECK(stream.ring.pushed() == 11);
    stream.give_back(0, 11);
    CHECK(reader.evict(100));
    CHECK(reader.evicted() == 11);
}

TEST_CASE("dead letters that were asked for are written before the end") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    auto picky = std::make_shared<Picky>();
    picky->bad = {0};
    sink->before = [picky, door](const Batch& batch) {
        (*picky)(batch);
        door->pass();
    };
    EventProcessor processor(lazy(1), sink);
    push(processor, 0);
    push(processor, 1);
    door->wait_for_arrival();
    picky->is_mended = true;
    CHECK(processor.replay_dead() == 1);
    processor.stop();
    door->open();
    CHECK(close(processor));
    CHECK(processor.stats().sink.dead == 0);
    Members all = sink->members();
    std::sort(all.begin(), all.end());
    CHECK(all == numbers(2));
}

// A text of 200 bytes and no id: every batch needs memory for columns, texts, ids and itself.
TEST_CASE("a reader without memory waits for it, and loses nothing") {
    const std::string text(200, 'x');
    for (std::uint64_t n = 0; n < 24; ++n) {
        CAPTURE(n);
        auto sink = std::make_shared<Recorder>();
        std::atomic<bool> has_failed{false};
        sink->after = [&, is_first = true]() mutable {
            if (!is_first) {
                has_failed = has_failed || allocations.failures != 2;
                allocations.until_failure = allocations.failures = UINT64_MAX;
                return;
            }
            is_first = false;
            allocations.until_failure = n;
            allocations.failures = 2;
        };
        ProcessorConfig config = lazy(30);
        config.run = std::string(30, 'r');
        EventProcessor processor(config, sink);
        const auto push_text = [&](std::int64_t member) {
            auto view = event_by(member);
            view.data = ItemView::of(std::string_view(text));
            REQUIRE(push(processor, view) == PushOutcome::kDone);
        };
        for (const auto i : numbers(90)) push_text(i);
        CHECK(flush(processor));
        CHECK(sink->members() == numbers(90));
        std::vector<std::string> ids;
        for (const auto i : numbers(90)) ids.push_back(config.run + "-" + std::to_string(i));
        CHECK(sink->ids() == ids);
        check_sums(processor.stats());
        CHECK(processor.stats().sink.delivered == 90);
        if (n < 10) CHECK(has_failed);
    }
}
