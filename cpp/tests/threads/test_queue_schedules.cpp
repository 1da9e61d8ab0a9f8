// SPDX-License-Identifier: MIT
// The queue under a scheduler that chooses by a seed who goes on, before every atomic operation, lock and pause. What
// can be wrong is shown by queues that are wrong on purpose: each must be caught by the same check.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/queue/blocking_queue.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

#include "tests/support/deterministic_schedule.hpp"
#include "tests/support/fifo_history.hpp"
#include "tests/support/queue_program.hpp"
#include "tests/support/scheduled_threading.hpp"
#include "tests/support/weaker_threading.hpp"

using engagehub::BasicEventCount;
using engagehub::BlockingQueue;
using engagehub::kNoDeadline;
using engagehub::MpmcQueue;
using engagehub::QueueStatus;
using engagehub_tests::DeterministicSchedule;
using engagehub_tests::FifoHistory;
using engagehub_tests::history_of;
using engagehub_tests::QueueAnswer;
using engagehub_tests::QueueOperation;
using engagehub_tests::QueueProgram;
using engagehub_tests::RawQueue;
using engagehub_tests::Relaxed;
using engagehub_tests::ScheduledAtomic;
using engagehub_tests::ScheduledThreading;
using engagehub_tests::ScheduleFailure;
using engagehub_tests::TornExchange;
using engagehub_tests::WaitingQueue;
using engagehub_tests::Watched;
using engagehub_tests::Way;
using engagehub_tests::WithAtomic;
namespace schedule = engagehub_tests::schedule;

namespace {

constexpr std::uint64_t kSeeds = 10'000;

// How often each answer was given, so that no test passes because nothing happened.
using Answers = std::array<std::size_t, 5>;

template <class Queue>
Answers check_histories(bool with_many) {
    DeterministicSchedule schedule;
    Answers answers{};
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        const FifoHistory history = history_of<Queue>(schedule, seed, with_many);
        if (!history.is_linearisable()) FAIL("seed ", seed, ": no queue gives this history:", history.text());
        for (const auto& thread : history.threads()) {
            for (const auto& operation : thread) ++answers[static_cast<std::size_t>(operation.status)];
        }
    }
    return answers;
}

// The seed at which a queue is caught, and how; kSeeds if it isn't.
struct Catch {
    std::uint64_t seed = kSeeds;
    std::string how = "not at all";
};

template <class Queue>
Catch caught() {
    DeterministicSchedule schedule;
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        try {
            if (!history_of<Queue>(schedule, seed, false).is_linearisable()) return {seed, "history"};
        } catch (const ScheduleFailure& failure) {
            return {seed, failure.what()};
        }
    }
    return {};
}

std::size_t count(const Answers& answers, QueueStatus status) { return answers[static_cast<std::size_t>(status)]; }

// ---- queues that are wrong on purpose
// --------------------------------------------------------------------------------

// A slot in flight is taken for an answer, as Vyukov's own ring does.
using RingInProgram = RawQueue<ScheduledThreading>;
struct BusyIsFull : RingInProgram {
    using RingInProgram::RingInProgram;
    QueueAnswer push(std::vector<int> values, Way way) {
        QueueAnswer answer = RingInProgram::push(std::move(values), way);
        if (answer.status == QueueStatus::kBusy) answer.status = QueueStatus::kFull;
        return answer;
    }
};
struct BusyIsEmpty : RingInProgram {
    using RingInProgram::RingInProgram;
    QueueAnswer pop(std::size_t wanted, Way way) {
        QueueAnswer answer = RingInProgram::pop(wanted, way);
        if (answer.status == QueueStatus::kBusy) answer.status = QueueStatus::kEmpty;
        return answer;
    }
};

// Elements that get their values after they were published.
class PublishesTooEarly {
public:
    static constexpr bool kClaimsOnce = true;
    explicit PublishesTooEarly(const QueueProgram& program) : ring_(program.capacity, program.initial) {}

    QueueAnswer push(std::vector<int> values, Way /*way*/) {
        ScheduledAtomic<int>& element = elements_.emplace_back(0);
        const QueueStatus status = ring_.try_push(&element);
        if (status != QueueStatus::kDone) return {status, {}};
        element.store(values.front());
        return {status, std::move(values)};
    }
    QueueAnswer pop(std::size_t /*wanted*/, Way /*way*/) {
        ScheduledAtomic<int>* element = nullptr;
        const QueueStatus status = ring_.try_pop(element);
        if (status != QueueStatus::kDone) return {status, {}};
        return {status, {element->load()}};
    }
    void close() { ring_.close(); }

private:
    std::deque<ScheduledAtomic<int>> elements_;
    MpmcQueue<ScheduledAtomic<int>*, ScheduledThreading> ring_;
};

}  // namespace

TEST_CASE("raw operations: every history is one of a queue, and they fail only while another operation is in flight") {
    const Answers answers = check_histories<RawQueue<ScheduledThreading>>(true);
    for (const std::size_t times : answers) CHECK(times > 1000);
}

TEST_CASE("operations that wait out a slot in flight: every history is one of a queue") {
    const Answers answers = check_histories<WaitingQueue<ScheduledThreading>>(true);
    CHECK(count(answers, QueueStatus::kBusy) == 0);
    for (const auto status : {QueueStatus::kDone, QueueStatus::kFull, QueueStatus::kEmpty, QueueStatus::kClosed}) {
        CHECK(count(answers, status) > 1000);
    }
}

TEST_CASE("the check of histories finds queues that are wrong") {
    CHECK(caught<BusyIsFull>().how == "history");
    CHECK(caught<BusyIsEmpty>().how == "history");
    CHECK(caught<PublishesTooEarly>().how == "history");
    const auto is_wrong = [](const Catch& found, const std::string& how) {
        CAPTURE(found.how);
        return found.seed != kSeeds && found.how.find(how) != std::string::npos;
    };
    CHECK(is_wrong(caught<RawQueue<WithAtomic<TornExchange>>>(), ""));
    CHECK(is_wrong(caught<RawQueue<WithAtomic<Relaxed<std::memory_order_release>::Store>>>(), "nothing orders it"));
    CHECK(is_wrong(caught<RawQueue<WithAtomic<Relaxed<std::memory_order_acquire>::Load>>>(), "nothing orders it"));
}

TEST_CASE("a queue is full only if it is full, wherever two threads stop on their way") {
    using Kind = QueueOperation::Kind;
    // A consumer claims the first slot and stops before it empties it, another one takes the second. The producer then
    // knows an index whose slot is in its old state; it stops, and the consumers' index runs past what it knows. Never
    // within its call are there two elements. Each of the two stops at each of its operations.
    DeterministicSchedule schedule;
    for (std::size_t consumer = 0; consumer != 8; ++consumer) {
        for (std::size_t producer = 0; producer != 8; ++producer) {
            QueueProgram program;
            program.held = {1, 2};
            program.threads = {
                {{Kind::kPush, Way::kOne, {4}, 1}},
                {{Kind::kPop, Way::kOne, {}, 1}, {Kind::kPush, Way::kOne, {3}, 1}, {Kind::kPop, Way::kOne, {}, 1}},
                {{Kind::kPop, Way::kOne, {}, 1}}};
            constexpr auto kToTheEnd = DeterministicSchedule::kToTheEnd;
            const FifoHistory history = history_of<RingInProgram>(program, [&](DeterministicSchedule::Bodies bodies) {
                schedule.run({{1, consumer}, {2, kToTheEnd}, {0, producer}, {1, kToTheEnd}}, std::move(bodies));
            });
            if (!history.is_linearisable()) FAIL("stops ", consumer, " and ", producer, ":", history.text());
        }
    }
}

namespace {

// Who sends what to whom through a tiny queue, until it is closed, each waiting for the others.
template <class Queue>
void check_delivery(DeterministicSchedule& schedule, std::uint64_t seed) {
    constexpr std::size_t kEach = 3;
    Queue queue(2);
    ScheduledAtomic<int> producers{2};
    std::array<std::vector<int>, 2> taken;
    const auto produce = [&](int first) {
        for (int i = 0; i != static_cast<int>(kEach); ++i) queue.push(first + i);
        if (producers.fetch_sub(1) == 1) queue.close();
    };
    const auto consume = [&](std::vector<int>& into) {
        int value = 0;
        while (queue.pop(value) == QueueStatus::kDone) into.push_back(value);
    };
    const auto choice =
        seed % 2 == 0 ? DeterministicSchedule::Choice::kUniform : DeterministicSchedule::Choice::kPriorities;
    schedule.run(
        seed, choice,
        {[&] { produce(100); }, [&] { produce(200); }, [&] { consume(taken[0]); }, [&] { consume(taken[1]); }});
    std::vector<int> all;
    for (const auto& values : taken) {
        for (const int producer : {1, 2}) {
            std::vector<int> of_one;
            std::copy_if(values.begin(), values.end(), std::back_inserter(of_one), [&](int value) {
                return value / 100 == producer;
            });
            if (!std::is_sorted(of_one.begin(), of_one.end())) FAIL("seed ", seed, ": not in the producer's order");
        }
        all.insert(all.end(), values.begin(), values.end());
    }
    std::sort(all.begin(), all.end());
    if (all != std::vector<int>{100, 101, 102, 200, 201, 202}) FAIL("seed ", seed, ": lost or doubled");
}

template <class Ready>
auto once(Ready ready) {
    return [ready, is_first = true]() mutable { return std::exchange(is_first, false) && ready(); };
}

// Goes to sleep without a look after it said that it would, so that a change just before that wakes nobody.
class LooksOnce {
public:
    explicit LooksOnce(std::size_t capacity) : ring_(capacity) {}

    void push(int value) {
        while (ring_.try_push(int{value}) != QueueStatus::kDone) {
            space_.wait(kNoDeadline, once([this] { return ring_.size() != ring_.capacity(); }));
        }
        items_.notify_one();
    }
    QueueStatus pop(int& value) {
        QueueStatus status = ring_.try_pop(value);
        while (status == QueueStatus::kEmpty || status == QueueStatus::kBusy) {
            items_.wait(kNoDeadline, once([this] { return ring_.size() != 0 || ring_.is_closed(); }));
            status = ring_.try_pop(value);
        }
        if (status == QueueStatus::kDone) space_.notify_one();
        return status;
    }
    void close() {
        ring_.close();
        items_.notify_all();
    }

private:
    MpmcQueue<int, ScheduledThreading> ring_;
    BasicEventCount<ScheduledThreading> items_;
    BasicEventCount<ScheduledThreading> space_;
};

}  // namespace

TEST_CASE("threads that wait for each other: nothing lost, nothing twice, each producer's order, no sleep for ever") {
    DeterministicSchedule schedule;
    for (std::uint64_t seed = 0; seed != kSeeds; ++seed) {
        check_delivery<BlockingQueue<int, ScheduledThreading>>(schedule, seed);
    }
}

TEST_CASE("the check of waits finds a wake-up that is lost") {
    DeterministicSchedule schedule;
    std::string failure;
    for (std::uint64_t seed = 0; seed != kSeeds && failure.empty(); ++seed) {
        try {
            check_delivery<LooksOnce>(schedule, seed);
        } catch (const ScheduleFailure& found) {
            failure = found.what();
        }
    }
    CHECK(failure.find("deadlock") == 0);
}
