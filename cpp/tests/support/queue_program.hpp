// SPDX-License-Identifier: MIT
// Purpose: short programs of operations on a queue, made from a seed, and the histories that they give when a seed
// chooses who goes on. A queue is anything that has push(), pop() and close() as RawQueue and WaitingQueue have them.
// Thread safety: none but that of the schedule.
// Failure: what DeterministicSchedule::run throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <engagehub/queue/blocking_queue.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

#include "deterministic_schedule.hpp"
#include "fifo_history.hpp"
#include "scheduled_threading.hpp"

namespace engagehub_tests {

enum class Way : std::uint8_t { kOne, kMany, kTimed };

struct Call {
    QueueOperation::Kind kind;
    Way way;
    std::vector<int> values;  // of a push
    std::size_t wanted;
};

struct QueueProgram {
    std::size_t capacity = 2;
    std::uint64_t initial = 0;
    std::vector<int> held;  // put before the threads begin
    std::vector<std::vector<Call>> threads;
};

// Two producers and two consumers with two or three calls each; in some programs one of them also closes the queue.
inline QueueProgram queue_program(std::uint64_t seed, bool with_many) {
    using Kind = QueueOperation::Kind;
    std::mt19937_64 random(seed);
    QueueProgram program;
    program.capacity = random() % 2 == 0 ? 2 : 4;
    // Some begin just before the indices, which count in twos, wrap.
    program.initial = random() % 2 == 0 ? 0 : std::numeric_limits<std::uint64_t>::max() / 2 - random() % 4;
    int next = 0;
    for (auto left = random() % (program.capacity + 1); left != 0; --left) program.held.push_back(++next);
    for (const Kind kind : {Kind::kPush, Kind::kPush, Kind::kPop, Kind::kPop}) {
        auto& calls = program.threads.emplace_back();
        for (auto left = 2 + random() % 2; left != 0; --left) {
            Call call{kind, static_cast<Way>(random() % 3), {}, 1};
            if (call.way == Way::kMany && with_many) call.wanted = 1 + random() % 3;
            for (std::size_t i = 0; kind == Kind::kPush && i != call.wanted; ++i) call.values.push_back(++next);
            calls.push_back(std::move(call));
        }
    }
    if (random() % 4 == 0) program.threads[random() % 4].push_back({Kind::kClose, Way::kOne, {}, 1});
    return program;
}

// What a call gave.
struct QueueAnswer {
    engagehub::QueueStatus status;
    std::vector<int> values;  // put or taken
};

// A queue of the library as the programs use it. Raw operations answer that another one is in flight, and claim once in
// a call; those that wait such a slot out may claim several times, and have a form with a deadline.
template <class Queue, bool kIsRaw>
class QueueInProgram {
public:
    static constexpr bool kClaimsOnce = kIsRaw;

    explicit QueueInProgram(const QueueProgram& program) : queue_(program.capacity, program.initial) {}

    QueueAnswer push(std::vector<int> values, Way way) {
        if (way == Way::kMany) {
            const auto claim = queue_.try_push_n(values.begin(), values.size());
            values.resize(claim.count);
            return {claim.status, std::move(values)};
        }
        const auto status = push_one(Watched(values.front()), way);
        if (status != engagehub::QueueStatus::kDone) values.clear();
        return {status, std::move(values)};
    }
    QueueAnswer pop(std::size_t wanted, Way way) {
        QueueAnswer answer{};
        answer.values.reserve(wanted);
        if (way == Way::kMany) {
            const auto take = [&](Watched&& value) noexcept { answer.values.push_back(value.value()); };
            answer.status = queue_.try_pop_n(wanted, take).status;
            return answer;
        }
        Watched value;
        answer.status = pop_one(value, way);
        if (answer.status == engagehub::QueueStatus::kDone) answer.values.push_back(value.value());
        return answer;
    }
    void close() { queue_.close(); }

private:
    engagehub::QueueStatus push_one(Watched value, Way way) {
        if constexpr (!kIsRaw) {
            if (way == Way::kTimed) return queue_.push(std::move(value), {});
        }
        return queue_.try_push(std::move(value));
    }
    engagehub::QueueStatus pop_one(Watched& value, Way way) {
        if constexpr (!kIsRaw) {
            if (way == Way::kTimed) return queue_.pop(value, {});
        }
        return queue_.try_pop(value);
    }

    Queue queue_;
};

template <class Threading>
using RawQueue = QueueInProgram<engagehub::MpmcQueue<Watched, Threading>, true>;
template <class Threading>
using WaitingQueue = QueueInProgram<engagehub::BlockingQueue<Watched, Threading>, false>;

// Does the call and writes it down.
template <class Queue>
void record(Queue& queue, const Call& call, ThreadHistory& history) {
    schedule::step();  // so that this call doesn't begin together with the end of the one before
    const std::uint64_t begin = schedule::now();
    QueueAnswer answer{};
    if (call.kind == QueueOperation::Kind::kPush) answer = queue.push(call.values, call.way);
    if (call.kind == QueueOperation::Kind::kPop) answer = queue.pop(call.wanted, call.way);
    if (call.kind == QueueOperation::Kind::kClose) queue.close();
    const std::uint64_t end = schedule::now();
    if constexpr (Queue::kClaimsOnce) {
        history.push_back({call.kind, std::move(answer.values), answer.status, begin, end, call.wanted});
    } else {
        for (const int value : answer.values) {
            history.push_back({call.kind, {value}, engagehub::QueueStatus::kDone, begin, end});
        }
        if (answer.values.size() != call.wanted) history.push_back({call.kind, {}, answer.status, begin, end});
    }
}

// The history of a program, with what was put before it and what was left after it. run(bodies) runs its threads.
template <class Queue, class Run>
FifoHistory history_of(const QueueProgram& program, const Run& run) {
    using Kind = QueueOperation::Kind;
    Queue queue(program);
    std::vector<ThreadHistory> histories(program.threads.size() + 2);
    ThreadHistory& before = histories[program.threads.size()];
    ThreadHistory& after = histories[program.threads.size() + 1];
    for (const int value : program.held) record(queue, {Kind::kPush, Way::kOne, {value}, 1}, before);
    DeterministicSchedule::Bodies bodies;
    for (std::size_t i = 0; i != program.threads.size(); ++i) {
        bodies.push_back([&, i] {
            for (const Call& call : program.threads[i]) record(queue, call, histories[i]);
        });
    }
    run(std::move(bodies));
    // One more than there are slots, so that a queue which gives without an end is refused.
    for (std::size_t left = program.capacity + 1; left != 0; --left) {
        record(queue, {Kind::kPop, Way::kOne, {}, 1}, after);
        after.back().begin = after.back().end = UINT64_MAX;
        if (after.back().status != engagehub::QueueStatus::kDone) break;
    }
    return FifoHistory(program.capacity, std::move(histories));
}

// Of the program of a seed. Even seeds choose uniformly who goes on, odd ones by priorities.
template <class Queue>
FifoHistory history_of(DeterministicSchedule& schedule, std::uint64_t seed, bool with_many) {
    return history_of<Queue>(queue_program(seed, with_many), [&](DeterministicSchedule::Bodies bodies) {
        using Choice = DeterministicSchedule::Choice;
        schedule.run(seed, seed % 2 == 0 ? Choice::kUniform : Choice::kPriorities, std::move(bodies));
    });
}

}  // namespace engagehub_tests
