// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/event_processor.hpp>

using engagehub::BatchSink;
using engagehub::deadline_after;
using engagehub::EventBatch;
using engagehub::EventProcessor;
using engagehub::EventPtr;
using engagehub::EventRecord;
using engagehub::EventView;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::kMaxFieldBytes;
using engagehub::Overflow;
using engagehub::ProcessorConfig;
using engagehub::ProcessorStats;
using engagehub::PushOutcome;
using engagehub::WriteResult;

namespace {

EventView view_of(std::int64_t member) {
    EventView view;
    view.kind = ItemView::of(std::string_view("message"));
    view.community = ItemView::of(std::string_view("c"));
    view.member = ItemView::of(member);
    return view;
}

EventPtr event(std::int64_t member) { return EventRecord::make(view_of(member)); }

using Batch = std::shared_ptr<const EventBatch>;

// Keeps the members it has seen, and does what it is told before that.
class Recorder : public BatchSink {
public:
    std::function<void(const Batch&)> before;

    WriteResult write(const Batch& batch) override {
        if (before) before(batch);
        const std::lock_guard<std::mutex> lock(mutex_);
        for (std::size_t i = 0; i < batch->size(); ++i) members_.push_back((*batch)[i].member.number);
        sizes_.push_back(batch->size());
        return {batch->size(), 0, 0};
    }
    void thread_ends(bool is_last) noexcept override {
        ++ended;
        if (is_last) ++last;
    }
    std::vector<std::int64_t> members() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return members_;
    }
    std::vector<std::size_t> sizes() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return sizes_;
    }
    std::atomic<int> ended{0};
    std::atomic<int> last{0};

private:
    std::mutex mutex_;
    std::vector<std::int64_t> members_;
    std::vector<std::size_t> sizes_;
};

// A door that a sink waits at.
class Door {
public:
    void open() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_open_ = true;
        condition_.notify_all();
    }
    void pass() {
        std::unique_lock<std::mutex> lock(mutex_);
        ++arrived_;
        condition_.notify_all();
        condition_.wait(lock, [this] { return is_open_; });
    }
    void wait_for_arrival() {
        std::unique_lock<std::mutex> lock(mutex_);
        condition_.wait(lock, [this] { return arrived_ != 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool is_open_ = false;
    int arrived_ = 0;
};

void check_sums(const ProcessorStats& stats) {
    CHECK(stats.offered() == stats.accepted + stats.refused);
    CHECK(stats.accepted == stats.queued + stats.in_flight + stats.delivered + stats.failed + stats.evicted);
    CHECK(stats.delivered == stats.written + stats.duplicate + stats.rejected);
    CHECK(stats.queued <= stats.accepted);  // no difference wrapped below nothing
}

std::vector<std::int64_t> numbers(std::int64_t count) {
    std::vector<std::int64_t> values;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(i);
    return values;
}

ProcessorConfig lazy(std::size_t batch_size) {
    ProcessorConfig config;
    config.batch_size = batch_size;
    config.flush_interval = 3600;  // only size, flush and close may end a batch
    return config;
}

}  // namespace

TEST_CASE("a record gives back what it was made of, in one block") {
    std::mt19937_64 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::string> texts(6);
        EventView made;
        ItemView* fields[] = {&made.id, &made.kind, &made.community, &made.channel, &made.member, &made.data};
        for (std::size_t i = 0; i < 6; ++i) {
            for (auto n = random() % 40; n > 0; --n) texts[i].push_back(static_cast<char>(random() % 256));
            const auto choice = random() % 3;
            const bool is_text = i == 1 || i == 5 || choice == 0;
            if (i == 5 && choice == 2) continue;
            if (is_text) {
                *fields[i] = ItemView::of(std::string_view(texts[i]));
            } else if (choice == 1 || i == 2 || i == 4) {
                *fields[i] = ItemView::of(static_cast<std::int64_t>(random()));
            }
        }
        made.at = static_cast<std::int64_t>(random());
        made.value = static_cast<double>(random() % 1000) / 7;
        const EventPtr record = EventRecord::make(made);
        const EventView read = record->view();
        CHECK(read.id == made.id);
        CHECK(read.kind == made.kind);
        CHECK(read.community == made.community);
        CHECK(read.channel == made.channel);
        CHECK(read.member == made.member);
        CHECK(read.data == made.data);
        CHECK(read.at == made.at);
        CHECK(read.value == made.value);
    }
}

TEST_CASE("a record that can't be is refused") {
    EventView view = view_of(1);
    view.value = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(EventRecord::make(view), InvalidArgument);
    view = view_of(1);
    view.member = ItemView();
    CHECK_THROWS_WITH_AS(EventRecord::make(view), "member must be int or str", InvalidType);
    view = view_of(1);
    view.kind = ItemView::of(std::int64_t{1});
    CHECK_THROWS_AS(EventRecord::make(view), InvalidType);
    view = view_of(1);
    view.community = ItemView();
    CHECK_THROWS_AS(EventRecord::make(view), InvalidType);
    view = view_of(1);
    view.data = ItemView::of(std::int64_t{1});
    CHECK_THROWS_AS(EventRecord::make(view), InvalidType);
    const std::string longest(kMaxFieldBytes, 'x');
    view = view_of(1);
    view.data = ItemView::of(std::string_view(longest));
    CHECK(EventRecord::make(view)->view().data.text == longest);
    const std::string too_long = longest + "x";
    view.data = ItemView::of(std::string_view(too_long));
    CHECK_THROWS_WITH_AS(
        EventRecord::make(view), "data must have at most 65536 bytes of UTF-8, got 65537", InvalidArgument);
}

TEST_CASE("settings out of range are refused") {
    const auto with = [](auto change) {
        ProcessorConfig config;
        change(config);
        EventProcessor processor(config, nullptr);
    };
    CHECK_THROWS_AS(with([](auto& c) { c.capacity = 1; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.workers = 0; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.workers = 65; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.batch_size = 0; }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.flush_interval = 0; }), InvalidArgument);
    CHECK_THROWS_AS(
        with([](auto& c) { c.flush_interval = std::numeric_limits<double>::quiet_NaN(); }), InvalidArgument);
    CHECK_THROWS_AS(with([](auto& c) { c.block_timeout = -1; }), InvalidArgument);
}

TEST_CASE("one worker delivers everything in order, in batches of the size asked for") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(100), sink);
    for (const auto i : numbers(1050)) CHECK(processor.push(event(i)) == PushOutcome::kAccepted);
    CHECK(processor.flush());
    CHECK(sink->members() == numbers(1050));
    const auto sizes = sink->sizes();
    for (const auto size : sizes) CHECK(size <= 100);
    check_sums(processor.stats());
    CHECK(processor.stats().delivered == 1050);
    CHECK(processor.stats().batches == sizes.size());
    CHECK(processor.close(deadline_after(60)));
    CHECK(sink->ended == 1);
    CHECK(sink->last == 1);
}

TEST_CASE("a full batch goes out by itself, an incomplete one after the interval") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->open(); };
    EventProcessor full(lazy(10), sink);
    for (const auto i : numbers(10)) full.push(event(i));
    door->pass();
    CHECK(full.close(deadline_after(60)));
    CHECK(sink->sizes() == std::vector<std::size_t>{10});

    ProcessorConfig config = lazy(10);
    config.flush_interval = 0.01;
    auto second = std::make_shared<Recorder>();
    auto second_door = std::make_shared<Door>();
    second->before = [second_door](const Batch&) { second_door->open(); };
    EventProcessor timed(config, second);
    timed.push(event(0));
    second_door->pass();
    CHECK(timed.close(deadline_after(60)));
    CHECK(second->members() == numbers(1));
}

TEST_CASE("a batch larger than the ring is filled while producers go on") {
    ProcessorConfig config = lazy(1000);
    config.capacity = 16;
    config.overflow = Overflow::kBlock;
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(config, sink);
    for (const auto i : numbers(3000)) REQUIRE(processor.push(event(i)) == PushOutcome::kAccepted);
    CHECK(processor.flush());
    CHECK(sink->members() == numbers(3000));
    CHECK(sink->sizes() == std::vector<std::size_t>{1000, 1000, 1000});
}

TEST_CASE("refuse counts what finds no room, and nothing that was accepted is lost") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(1);
    config.capacity = 8;
    EventProcessor processor(config, sink);
    REQUIRE(processor.push(event(0)) == PushOutcome::kAccepted);
    door->wait_for_arrival();
    for (std::int64_t i = 1; i <= 8; ++i) CHECK(processor.push(event(i)) == PushOutcome::kAccepted);
    for (int i = 0; i < 5; ++i) CHECK(processor.push(event(99)) == PushOutcome::kRefused);
    ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.offered() == 14);
    CHECK(stats.refused == 5);
    CHECK(stats.queued == 8);
    CHECK(stats.in_flight == 1);
    CHECK_FALSE(processor.flush(deadline_after(0.01)));
    door->open();
    CHECK(processor.flush());
    CHECK(sink->members() == numbers(9));
    stats = processor.stats();
    check_sums(stats);
    CHECK(stats.delivered == 9);
    CHECK(stats.queued == 0);
}

TEST_CASE("of many offered at once the first ones are accepted") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(1);
    config.capacity = 8;
    EventProcessor processor(config, sink);
    processor.push(event(0));
    door->wait_for_arrival();
    std::vector<EventPtr> events;
    for (std::int64_t i = 1; i <= 12; ++i) events.push_back(event(i));
    std::size_t accepted = 0;
    const auto never = [](engagehub::Deadline, auto&&) { FAIL("must not wait"); };
    CHECK(processor.push_n(events.data(), events.size(), accepted, never) == PushOutcome::kRefused);
    CHECK(accepted == 8);
    CHECK(processor.stats().refused == 4);
    for (std::size_t i = 0; i < 12; ++i) CHECK((events[i] == nullptr) == (i < 8));
    door->open();
    CHECK(processor.close(deadline_after(60)));
    CHECK(sink->members() == numbers(9));
}

TEST_CASE("block waits for room, gives up after its time and counts that") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(1);
    config.capacity = 2;
    config.overflow = Overflow::kBlock;
    config.block_timeout = 0.02;
    EventProcessor processor(config, sink);
    processor.push(event(0));
    door->wait_for_arrival();
    CHECK(processor.push(event(1)) == PushOutcome::kAccepted);
    CHECK(processor.push(event(2)) == PushOutcome::kAccepted);
    CHECK(processor.push(event(99)) == PushOutcome::kRefused);
    CHECK(processor.stats().refused == 1);
    door->open();
    for (std::int64_t i = 3; i < 500; ++i) {
        while (processor.push(event(i)) != PushOutcome::kAccepted) {
        }
    }
    CHECK(processor.close(deadline_after(60)));
    CHECK(sink->members() == numbers(500));
    check_sums(processor.stats());
}

TEST_CASE("a producer that sleeps for want of room is woken by the worker") {
    for (int round = 0; round < 5; ++round) {
        auto sink = std::make_shared<Recorder>();
        auto door = std::make_shared<Door>();
        sink->before = [door](const Batch&) { door->pass(); };
        ProcessorConfig config = lazy(1);
        config.capacity = 2;
        config.overflow = Overflow::kBlock;
        EventProcessor processor(config, sink);
        processor.push(event(0));
        door->wait_for_arrival();
        std::atomic<bool> has_begun{false};
        std::thread producer([&] {
            for (std::int64_t i = 1; i < 20; ++i) {
                if (i == 3) has_begun = true;
                CHECK(processor.push(event(i)) == PushOutcome::kAccepted);
            }
        });
        while (!has_begun) std::this_thread::yield();
        // Longer than the producer spins: it is asleep by now, or about to be.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        door->open();
        producer.join();
        CHECK(processor.flush());
        CHECK(sink->members() == numbers(20));
    }
}

TEST_CASE("flush returns though a worker has only looked and found nothing") {
    auto sink = std::make_shared<Recorder>();
    ProcessorConfig config = lazy(1);
    config.workers = 6;
    EventProcessor processor(config, sink);
    for (int round = 0; round < 4000; ++round) {
        processor.push(event(round));
        REQUIRE(processor.flush(deadline_after(30)));
        REQUIRE(processor.stats().delivered == static_cast<std::uint64_t>(round) + 1);
    }
}

TEST_CASE("flush meets a worker that is going to sleep over its open batch") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(1000), sink);
    std::mt19937_64 random(11);
    for (int round = 0; round < 4000; ++round) {
        processor.push(event(round));
        for (auto spins = random() % 1000; spins > 0; --spins) engagehub::Backoff().pause();
        REQUIRE(processor.flush(deadline_after(30)));
        REQUIRE(processor.stats().delivered == static_cast<std::uint64_t>(round) + 1);
    }
}

TEST_CASE("a push meets a worker that is going to sleep over an empty queue") {
    auto sink = std::make_shared<Recorder>();
    EventProcessor processor(lazy(1), sink);
    for (std::uint64_t round = 1; round <= 4000; ++round) {
        processor.push(event(0));
        const auto patience = deadline_after(30);
        while (processor.stats().delivered != round) {
            REQUIRE(std::chrono::steady_clock::now() < patience);
            std::this_thread::yield();
        }
    }
}

TEST_CASE("a closed processor takes nothing, and a blocked producer is told") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(1);
    config.capacity = 2;
    config.overflow = Overflow::kBlock;
    EventProcessor processor(config, sink);
    processor.push(event(0));
    door->wait_for_arrival();
    processor.push(event(1));
    processor.push(event(2));
    std::thread blocked([&] { CHECK(processor.push(event(3)) == PushOutcome::kClosed); });
    processor.stop();
    blocked.join();
    door->open();
    CHECK(processor.close(deadline_after(60)));
    CHECK(processor.close(deadline_after(0)));
    CHECK(sink->members() == numbers(3));
    CHECK(processor.stats().refused == 0);
}

TEST_CASE("a sink that throws costs its batch and no worker") {
    auto sink = std::make_shared<Recorder>();
    std::atomic<int> calls{0};
    sink->before = [&](const Batch&) {
        const int call = ++calls;
        if (call == 2) throw std::runtime_error("the disk is full");
        if (call == 3) throw 7;
    };
    ProcessorConfig config = lazy(10);
    EventProcessor processor(config, sink);
    for (const auto i : numbers(50)) processor.push(event(i));
    CHECK(processor.flush());
    const ProcessorStats stats = processor.stats();
    check_sums(stats);
    CHECK(stats.delivered == 50 - stats.failed);
    CHECK(stats.failed_batches == 2);
    CHECK(stats.first_error == "the disk is full");
    const auto report = processor.take_failures();
    CHECK(report.batches == 2);
    CHECK(report.events == stats.failed);
    CHECK(report.error == "the disk is full");
    CHECK(processor.take_failures().batches == 0);

    std::vector<std::int64_t> all = sink->members();
    processor.visit_failed([&](const Batch& batch, std::size_t first) {
        for (std::size_t i = first; i < batch->size(); ++i) all.push_back((*batch)[i].member.number);
    });
    std::sort(all.begin(), all.end());
    CHECK(all == numbers(50));
}

TEST_CASE("of the failed events the newest are kept, and those that left are counted") {
    auto sink = std::make_shared<Recorder>();
    sink->before = [](const Batch&) { throw std::runtime_error("never"); };
    for (const std::size_t keep : {std::size_t{0}, std::size_t{1}, std::size_t{25}, std::size_t{200}}) {
        CAPTURE(keep);
        ProcessorConfig config = lazy(10);
        config.keep_failed = keep;
        EventProcessor processor(config, sink);
        for (const auto i : numbers(100)) processor.push(event(i));
        CHECK(processor.flush());
        const ProcessorStats stats = processor.stats();
        check_sums(stats);
        CHECK(stats.failed == std::min<std::size_t>(keep, 100));
        CHECK(stats.evicted == 100 - stats.failed);
        std::vector<std::int64_t> kept;
        processor.visit_failed([&](const Batch& batch, std::size_t first) {
            for (std::size_t i = first; i < batch->size(); ++i) kept.push_back((*batch)[i].member.number);
        });
        const auto all = numbers(100);
        CHECK(kept == std::vector<std::int64_t>(all.end() - static_cast<std::ptrdiff_t>(stats.failed), all.end()));
    }
}

TEST_CASE("a result that does not add up is a failure") {
    struct Liar : BatchSink {
        WriteResult result;
        WriteResult write(const Batch&) override { return result; }
    };
    auto sink = std::make_shared<Liar>();
    for (const auto& lie :
         {WriteResult{}, WriteResult{5, 0, 0}, WriteResult{2, 2, 2}, WriteResult{~std::uint64_t{0}, 5, 0}}) {
        sink->result = lie;
        EventProcessor processor(lazy(4), sink);
        for (const auto i : numbers(4)) processor.push(event(i));
        CHECK(processor.flush());
        CHECK(processor.stats().failed == 4);
    }
    sink->result = {1, 2, 1};
    EventProcessor processor(lazy(4), sink);
    for (const auto i : numbers(4)) processor.push(event(i));
    CHECK(processor.flush());
    CHECK(processor.stats().written == 1);
    CHECK(processor.stats().duplicate == 2);
    CHECK(processor.stats().rejected == 1);
    check_sums(processor.stats());
}

TEST_CASE("many producers, several workers: all accounted in every snapshot, each producer's flush is a barrier") {
    for (const std::size_t workers : {std::size_t{1}, std::size_t{4}}) {
        for (const auto overflow : {Overflow::kRefuse, Overflow::kBlock}) {
            CAPTURE(workers);
            auto sink = std::make_shared<Recorder>();
            std::atomic<int> inside{0};
            std::atomic<int> calls{0};
            std::atomic<bool> was_alone{true};
            sink->before = [&](const Batch&) {
                if (++inside != 1) was_alone = false;
                --inside;
                if (++calls % 7 == 0) throw std::runtime_error("now and then");
            };
            ProcessorConfig config;
            config.capacity = 64;
            config.workers = workers;
            config.batch_size = 10;
            config.flush_interval = 0.001;
            config.overflow = overflow;
            EventProcessor processor(config, sink);
            std::atomic<std::uint64_t> accepted{0};
            std::atomic<std::uint64_t> refused{0};
            std::atomic<bool> is_over{false};
            std::thread watcher([&] {
                while (!is_over) check_sums(processor.stats());
            });
            std::vector<std::thread> producers;
            for (int p = 0; p < 3; ++p) {
                producers.emplace_back([&, p] {
                    for (int i = 0; i < 3000; ++i) {
                        (processor.push(event(p * 10'000 + i)) == PushOutcome::kAccepted ? accepted : refused)++;
                        if (i % 500 == 0) {
                            const std::uint64_t before = processor.stats().accepted;
                            CHECK(processor.flush());
                            const ProcessorStats after = processor.stats();
                            CHECK(after.delivered + after.failed + after.evicted >= before);
                        }
                    }
                });
            }
            for (auto& producer : producers) producer.join();
            is_over = true;
            watcher.join();
            CHECK(processor.close(deadline_after(60)));
            const ProcessorStats stats = processor.stats();
            check_sums(stats);
            CHECK(stats.accepted == accepted);
            CHECK(stats.refused == refused);
            CHECK(stats.queued == 0);
            CHECK(stats.in_flight == 0);
            CHECK(sink->members().size() == stats.delivered);
            CHECK(was_alone);
            CHECK(sink->ended == static_cast<int>(workers));
            CHECK(sink->last == 1);
            if (overflow == Overflow::kBlock) CHECK(refused == 0);
        }
    }
}

TEST_CASE("close among racing producers delivers exactly what was accepted") {
    for (int round = 0; round < 30; ++round) {
        auto sink = std::make_shared<Recorder>();
        EventProcessor processor(lazy(16), sink);
        std::atomic<std::uint64_t> accepted{0};
        std::vector<std::thread> producers;
        for (int p = 0; p < 2; ++p) {
            producers.emplace_back([&] {
                for (;;) {
                    const auto outcome = processor.push(event(1));
                    if (outcome == PushOutcome::kClosed) return;
                    if (outcome == PushOutcome::kAccepted) ++accepted;
                }
            });
        }
        while (processor.stats().accepted < 40) std::this_thread::yield();
        CHECK(processor.close(deadline_after(60)));
        for (auto& producer : producers) producer.join();
        CHECK(processor.stats().accepted == accepted);
        CHECK(sink->members().size() == accepted);
    }
}

TEST_CASE("a sink may push into its processor, also when it is full, and knows that it is inside") {
    auto sink = std::make_shared<Recorder>();
    ProcessorConfig config = lazy(1);
    config.capacity = 2;
    config.overflow = Overflow::kBlock;
    EventProcessor* inside = nullptr;
    std::atomic<int> refused{0};
    std::atomic<bool> knows{true};
    sink->before = [&](const Batch& batch) {
        knows = knows && inside->is_worker_thread();
        if ((*batch)[0].member.number != 0) return;
        for (std::int64_t i = 1; i <= 3; ++i) {
            if (inside->push(event(i)) == PushOutcome::kRefused) ++refused;
        }
    };
    EventProcessor processor(config, sink);
    inside = &processor;
    CHECK_FALSE(processor.is_worker_thread());
    processor.push(event(0));
    CHECK(processor.flush());
    CHECK(processor.flush());
    CHECK(refused == 1);
    CHECK(knows);
    CHECK(sink->members() == numbers(3));
    CHECK(processor.stats().refused == 1);
}

TEST_CASE("a sink that hangs can be left behind: what remains is known, and it may come back later") {
    auto sink = std::make_shared<Recorder>();
    auto door = std::make_shared<Door>();
    sink->before = [door](const Batch&) { door->pass(); };
    ProcessorConfig config = lazy(2);
    config.workers = 3;
    {
        EventProcessor processor(config, sink);
        for (const auto i : numbers(9)) processor.push(event(i));
        door->wait_for_arrival();
        CHECK_FALSE(processor.close(deadline_after(0.01)));
        const ProcessorStats stats = processor.stats();
        check_sums(stats);
        CHECK(stats.accepted == 9);
        CHECK(stats.in_flight >= 1);
        CHECK(stats.in_flight + stats.queued == 9);
        CHECK(processor.push(event(1)) == PushOutcome::kClosed);
        door->open();
        CHECK(processor.wait_ended(deadline_after(60)));
        const ProcessorStats later = processor.stats();
        check_sums(later);
        CHECK(later.in_flight == 0);
        CHECK(later.delivered == sink->members().size());
        CHECK(later.delivered == stats.in_flight);  // who waited for its turn at the sink gave up
        CHECK(later.queued == 9 - later.delivered);
        if (later.queued != 0) CHECK_FALSE(processor.flush());  // nobody will ever take them: no endless wait
    }
    CHECK(sink->last == 1);
}

TEST_CASE("the destructor drains, also when the sink itself drops the processor") {
    auto sink = std::make_shared<Recorder>();
    {
        EventProcessor processor(lazy(1000), sink);
        for (const auto i : numbers(77)) processor.push(event(i));
    }
    CHECK(sink->members() == numbers(77));

    auto second = std::make_shared<Recorder>();
    auto held = std::make_shared<std::unique_ptr<EventProcessor>>();
    auto door = std::make_shared<Door>();
    second->before = [held, door](const Batch&) {
        door->pass();
        held->reset();
    };
    *held = std::make_unique<EventProcessor>(lazy(1), second);
    for (const auto i : numbers(20)) (*held)->push(event(i));
    door->open();
    while (second->last == 0) std::this_thread::yield();
    CHECK(second->members() == numbers(20));
}

TEST_CASE("without a sink everything counts as written") {
    EventProcessor processor(lazy(10), nullptr);
    for (const auto i : numbers(25)) processor.push(event(i));
    CHECK(processor.flush());
    CHECK(processor.stats().written == 25);
    check_sums(processor.stats());
}
