// SPDX-License-Identifier: MIT
// Purpose: runs threads one at a time and chooses by a seed, before each atomic operation, who goes on: thousands of
// interleavings a second, and each of them again by its seed. After folly's DeterministicSchedule; the second way to
// choose is a form of the priorities of Burckhardt et al., «A randomized scheduler with probabilistic guarantees of
// finding bugs», ASPLOS 2010: one thread runs long, and one that fell behind stays where it is for long.
// Thread safety: run() from one thread; what the bodies do, from theirs.
// Invariants: exactly one thread holds the baton, and only it touches the state of the schedule. An operation comes
// after its switch, so nothing comes between an operation and the code behind it.
// Complexity: a switch wakes one thread and puts one to sleep, about 5 microseconds.
// Failure: run() throws ScheduleFailure, which names the seed: for a deadlock, for a run without an end, and for an
// access that no release and acquire order. After the first two the threads are left asleep, as nothing could unwind
// code that is noexcept; what their bodies hold is not freed.
// Limits: memory is sequentially consistent here: orders are checked by what they order (see touch()), but no load
// gives an old value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace engagehub_tests {

class ScheduleFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Crew;

class DeterministicSchedule {
public:
    using Bodies = std::vector<std::function<void()>>;
    enum class Choice : std::uint8_t { kUniform, kPriorities };

    // Turns by hand: thread `task` goes on up to its next step, `turns` times or to its end. The first turn leads to
    // the first step, so that n operations take n + 1 turns. Afterwards the thread of the lowest number goes first.
    struct Turn {
        std::size_t task;
        std::size_t turns;
    };
    static constexpr std::size_t kToTheEnd = SIZE_MAX;

    static constexpr std::size_t kMostTasks = 8;
    static constexpr std::size_t kMostSteps = 20'000;  // of one run: some hundred times as many as a history takes

    DeterministicSchedule() = default;
    DeterministicSchedule(const DeterministicSchedule&) = delete;
    DeterministicSchedule& operator=(const DeterministicSchedule&) = delete;
    ~DeterministicSchedule();

    // Runs the bodies to their ends.
    void run(std::uint64_t seed, Choice choice, Bodies bodies);
    void run(std::vector<Turn> script, Bodies bodies);

private:
    Crew& crew();
    void finish(const std::string& how);

    std::shared_ptr<Crew> crew_;
};

// What a release hands on: how many releases of each thread came before.
using ReleaseClock = std::array<std::uint32_t, DeterministicSchedule::kMostTasks>;

// The following act on the schedule of the calling thread; outside of a schedule they do nothing.
namespace schedule {

bool is_active() noexcept;
void step() noexcept;
// A step after which others go first.
void yield() noexcept;
// A choice of the seed; never true when turns are given by hand.
bool one_in(std::uint32_t chances) noexcept;
// Counts turns since the run began: a clock to write histories by.
std::uint64_t now() noexcept;

// Sleeps until somebody wakes who sleeps on that address; true then. A timed sleep may also end at any moment: false.
bool sleep(const void* on, bool is_timed);
void wake_one(const void* on) noexcept;
void wake_all(const void* on) noexcept;

void acquire(const ReleaseClock& from) noexcept;
ReleaseClock release() noexcept;
void join(ReleaseClock& into, const ReleaseClock& from) noexcept;
// An access to plain memory that must be ordered after every earlier one to the same address.
void touch(const void* address) noexcept;

}  // namespace schedule

}  // namespace engagehub_tests
