// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/deterministic_schedule.hpp"
#include "tests/support/scheduled_threading.hpp"

using engagehub_tests::DeterministicSchedule;
using engagehub_tests::ScheduledAtomic;
using engagehub_tests::ScheduledBackoff;
using engagehub_tests::ScheduledCondition;
using engagehub_tests::ScheduledMutex;
using engagehub_tests::ScheduleFailure;
using engagehub_tests::Watched;
using Choice = DeterministicSchedule::Choice;
namespace schedule = engagehub_tests::schedule;

namespace {

constexpr Choice kChoices[] = {Choice::kUniform, Choice::kPriorities};

// Two increments that aren't atomic: 1 if one of them was lost.
int increments(DeterministicSchedule& schedule, std::uint64_t seed, Choice choice) {
    ScheduledAtomic<int> number{0};
    const auto increment = [&] { number.store(number.load() + 1); };
    schedule.run(seed, choice, {increment, increment});
    return number.load();
}

// The message of the first failure among some seeds, or nothing.
template <class Run>
std::string first_failure(Run run) {
    for (std::uint64_t seed = 0; seed != 200; ++seed) {
        try {
            run(seed);
        } catch (const ScheduleFailure& failure) {
            CHECK(std::string(failure.what()).find("(seed " + std::to_string(seed) + ",") != std::string::npos);
            return failure.what();
        }
    }
    return "";
}

}  // namespace

TEST_CASE("a schedule meets every outcome of a race, and each of them again by its seed") {
    DeterministicSchedule schedule;
    for (const Choice choice : kChoices) {
        std::vector<int> outcomes;
        for (std::uint64_t seed = 0; seed != 100; ++seed) outcomes.push_back(increments(schedule, seed, choice));
        CHECK(std::set<int>(outcomes.begin(), outcomes.end()) == std::set<int>{1, 2});
        DeterministicSchedule another;
        for (std::uint64_t seed = 100; seed-- != 0;) {
            CHECK(increments(another, seed, choice) == outcomes[static_cast<std::size_t>(seed)]);
        }
    }
}

TEST_CASE("turns by hand: a thread stops before the operation that it has no turn for") {
    DeterministicSchedule schedule;
    for (std::size_t operations = 0; operations != 5; ++operations) {
        ScheduledAtomic<int> number{0};
        int seen = -1;
        const auto count = [&] {
            for (int i = 1; i != 4; ++i) number.store(i);
        };
        schedule.run(
            {{0, operations + 1}, {1, DeterministicSchedule::kToTheEnd}}, {count, [&] { seen = number.load(); }});
        CHECK(seen == static_cast<int>(std::min<std::size_t>(operations, 3)));
        CHECK(number.load() == 3);
    }
}

TEST_CASE("a thread that spins lets the others go on, whatever its priority") {
    DeterministicSchedule schedule;
    for (const Choice choice : kChoices) {
        for (std::uint64_t seed = 0; seed != 200; ++seed) {
            ScheduledAtomic<int> turn{0};
            const auto wait_for = [&](int mine) {
                for (ScheduledBackoff backoff; turn.load() != mine; backoff.pause()) {
                }
                turn.store(mine + 1);
            };
            schedule.run(seed, choice, {[&] { wait_for(2); }, [&] { wait_for(1); }, [&] { wait_for(0); }});
            CHECK(turn.load() == 3);
        }
    }
}

TEST_CASE("a deadlock is reported with its seed, and the next run has threads again") {
    DeterministicSchedule schedule;
    for (const Choice choice : kChoices) {
        ScheduledMutex left;
        ScheduledMutex right;
        const auto lock = [](ScheduledMutex& first, ScheduledMutex& second) {
            const std::lock_guard<ScheduledMutex> one(first);
            const std::lock_guard<ScheduledMutex> two(second);
        };
        const auto message = first_failure([&](std::uint64_t seed) {
            schedule.run(seed, choice, {[&] { lock(left, right); }, [&] { lock(right, left); }});
        });
        CHECK(message.find("deadlock") == 0);
        CHECK(increments(schedule, 0, choice) > 0);
    }
}

TEST_CASE("a run without an end is reported") {
    DeterministicSchedule schedule;
    ScheduledAtomic<bool> never{false};
    const auto message = first_failure([&](std::uint64_t seed) {
        const auto spin = [&] {
            for (ScheduledBackoff backoff; !never.load(); backoff.pause()) {
            }
        };
        schedule.run(seed, Choice::kUniform, {spin, spin});
    });
    CHECK(message.find("no end after 20001 steps") == 0);
}

TEST_CASE("what a body throws is reported") {
    DeterministicSchedule schedule;
    const auto message = first_failure([&](std::uint64_t seed) {
        schedule.run(seed, Choice::kUniform, {[] { throw std::runtime_error("broken"); }});
    });
    CHECK(message.find("thread 0 threw: broken") == 0);
}

TEST_CASE("a lock excludes, a condition wakes, and a deadline may come before or after") {
    DeterministicSchedule schedule;
    for (const Choice choice : kChoices) {
        std::set<bool> in_time;
        for (std::uint64_t seed = 0; seed != 200; ++seed) {
            ScheduledMutex mutex;
            ScheduledCondition condition;
            Watched number;
            bool is_there = false;
            const auto waiter = [&] {
                std::unique_lock<ScheduledMutex> lock(mutex);
                condition.wait(lock, [&] { return is_there; });
                number = Watched(number.value() + 1);
            };
            const auto impatient = [&] {
                std::unique_lock<ScheduledMutex> lock(mutex);
                in_time.insert(condition.wait_until(lock, 0, [&] { return is_there; }));
                number = Watched(number.value() + 1);
            };
            const auto notifier = [&] {
                {
                    const std::lock_guard<ScheduledMutex> lock(mutex);
                    is_there = true;
                }
                condition.notify_all();
            };
            schedule.run(seed, choice, {waiter, impatient, notifier, waiter});
            CHECK(number.value() == 3);
        }
        CHECK(in_time.size() == 2);
    }
}

TEST_CASE("an access that no release and acquire order is reported, one that they order is not") {
    DeterministicSchedule schedule;
    const auto hand_over = [&](std::uint64_t seed, std::memory_order release, std::memory_order acquire) {
        ScheduledAtomic<bool> is_there{false};
        Watched data(0);
        int seen = 0;
        schedule.run(
            seed, Choice::kUniform,
            {[&] {
                 data = Watched(1);
                 is_there.store(true, release);
             },
             [&] {
                 if (is_there.load(acquire)) seen = data.value();
             }});
        return seen;
    };
    int times_seen = 0;
    for (std::uint64_t seed = 0; seed != 200; ++seed) {
        times_seen += hand_over(seed, std::memory_order_release, std::memory_order_acquire);
    }
    CHECK(times_seen > 0);
    for (const auto& [release, acquire] :
         {std::pair{std::memory_order_relaxed, std::memory_order_acquire},
          std::pair{std::memory_order_release, std::memory_order_relaxed}}) {
        const auto message = first_failure(
            [&, release = release, acquire = acquire](std::uint64_t seed) { hand_over(seed, release, acquire); });
        CHECK(message.find("threads 0 and 1 touch the same memory and nothing orders it") == 0);
    }
}
