// SPDX-License-Identifier: MIT
#include "deterministic_schedule.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

namespace engagehub_tests {

namespace {

constexpr std::size_t kMain = SIZE_MAX;  // who holds the baton between runs
// By priorities, a thread falls behind once in so many steps: a few times in a history, whose operations have 3 to 8.
constexpr std::uint64_t kLongRun = 12;

enum class Standing : std::uint8_t { kReady, kYielded, kAsleep, kAsleepForTime, kEnded };

struct Task {
    std::size_t number = 0;
    std::thread thread;
    std::condition_variable baton;
    std::function<void()> body;
    Standing standing = Standing::kEnded;
    std::int64_t priority = 0;
    const void* sleeps_on = nullptr;
    bool is_woken = false;
    ReleaseClock clock{};
};

struct Access {
    std::size_t task;
    std::uint32_t time;
};

}  // namespace

// Threads that outlive a run, since making them costs more than a run; shared with its threads.
class Crew : public std::enable_shared_from_this<Crew> {
public:
    struct Plan {
        std::uint64_t seed = 0;
        DeterministicSchedule::Choice choice = DeterministicSchedule::Choice::kUniform;
        bool is_by_hand = false;
        std::vector<DeterministicSchedule::Turn> script;
    };

    // Returns what went wrong, or nothing.
    std::string run(Plan plan, DeterministicSchedule::Bodies bodies) {
        if (bodies.size() > DeterministicSchedule::kMostTasks) throw std::logic_error("too many threads");
        plan_ = std::move(plan);
        random_.seed(plan_.seed);
        steps_ = 0;
        turn_ = 0;
        least_priority_ = 0;
        failure_.clear();
        accesses_.clear();
        while (tasks_.size() < bodies.size()) {
            auto& task = *tasks_.emplace_back(std::make_unique<Task>());
            task.number = tasks_.size() - 1;
            task.thread = std::thread([self = shared_from_this(), &task] { self->work(task); });
        }
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            Task& task = *tasks_[i];
            task.body = std::move(bodies[i]);
            task.standing = Standing::kReady;
            task.priority = static_cast<std::int64_t>(random_() >> 1U);
            task.clock = {};
            task.clock[i] = 1;
        }
        pass(choose());
        await_end();
        return failure_;
    }

    // True if every thread is at the end of its body.
    bool is_whole() const {
        return std::all_of(
            tasks_.begin(), tasks_.end(), [](const auto& task) { return task->standing == Standing::kEnded; });
    }

    void leave() {
        for (std::size_t i = 0; i < tasks_.size(); ++i) {
            tasks_[i]->body = nullptr;
            pass(i);
            tasks_[i]->thread.join();
        }
    }
    void abandon() {
        for (const auto& task : tasks_) task->thread.detach();
    }

    void switch_from(Task& me) {
        ++steps_;
        if (steps_ > DeterministicSchedule::kMostSteps) fail("no end after " + std::to_string(steps_) + " steps");
        const std::size_t next = steps_ > DeterministicSchedule::kMostSteps ? kMain : choose();
        if (next != me.number) {
            pass(next);
            await(me);
        }
    }

    void demote(Task& task) { task.priority = --least_priority_; }
    std::uint64_t random() { return random_(); }
    bool is_by_hand() const { return plan_.is_by_hand; }
    std::uint64_t steps() const { return steps_; }

    std::vector<Task*> sleepers(const void* on) const {
        std::vector<Task*> found;
        for (const auto& task : tasks_) {
            if (task->sleeps_on == on) found.push_back(task.get());
        }
        return found;
    }

    void touch(const Task& me, const void* address) {
        const Access now{me.number, me.clock[me.number]};
        const auto [found, is_new] = accesses_.emplace(address, now);
        if (!is_new && me.clock[found->second.task] < found->second.time) {
            fail(
                "threads " + std::to_string(found->second.task) + " and " + std::to_string(me.number) +
                " touch the same memory and nothing orders it");
        }
        found->second = now;
    }

private:
    void work(Task& me);

    void fail(const std::string& how) {
        if (failure_.empty()) failure_ = how;
    }

    // Who goes on: a thread that is ready, else one that yielded. The main thread when all have ended or can't go on.
    std::size_t choose() {
        std::array<std::size_t, DeterministicSchedule::kMostTasks> candidates{};
        std::size_t count = 0;
        const auto collect = [&](auto&& may_run) {
            for (std::size_t i = 0; i < tasks_.size(); ++i) {
                if (may_run(tasks_[i]->standing)) candidates[count++] = i;
            }
        };
        collect([](Standing at) { return at == Standing::kReady || at == Standing::kAsleepForTime; });
        if (count == 0) collect([](Standing at) { return at == Standing::kYielded; });
        if (count == 0) {
            if (!is_whole()) fail("deadlock: every thread that has not ended sleeps");
            return kMain;
        }
        const std::size_t chosen = pick(candidates.data(), count);
        // The chosen thread goes on now, so those that made way for somebody have done so.
        for (const auto& task : tasks_) {
            if (task->standing == Standing::kYielded) task->standing = Standing::kReady;
        }
        tasks_[chosen]->standing = Standing::kReady;
        return chosen;
    }

    std::size_t pick(const std::size_t* candidates, std::size_t count) {
        if (plan_.is_by_hand) {
            for (; turn_ != plan_.script.size(); ++turn_) {
                auto& turn = plan_.script[turn_];
                const bool can_run = std::find(candidates, candidates + count, turn.task) != candidates + count;
                if (turn.turns == 0 || !can_run) continue;
                if (turn.turns != DeterministicSchedule::kToTheEnd) --turn.turns;
                return turn.task;
            }
            return candidates[0];
        }
        if (plan_.choice == DeterministicSchedule::Choice::kUniform) return candidates[random_() % count];
        const auto by_priority = [this](std::size_t a, std::size_t b) {
            return tasks_[a]->priority < tasks_[b]->priority;
        };
        const std::size_t first = *std::max_element(candidates, candidates + count, by_priority);
        if (count == 1 || random_() % kLongRun != 0) return first;
        demote(*tasks_[first]);
        return *std::max_element(candidates, candidates + count, by_priority);
    }

    void pass(std::size_t next) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            holder_ = next;
        }
        (next == kMain ? main_baton_ : tasks_[next]->baton).notify_one();
    }
    void await(Task& me) {
        std::unique_lock<std::mutex> lock(mutex_);
        me.baton.wait(lock, [&] { return holder_ == me.number; });
    }
    void await_end() {
        std::unique_lock<std::mutex> lock(mutex_);
        main_baton_.wait(lock, [&] { return holder_ == kMain; });
    }

    std::mutex mutex_;
    std::condition_variable main_baton_;
    std::size_t holder_ = kMain;  // guarded by mutex_; all below belongs to the holder
    std::vector<std::unique_ptr<Task>> tasks_;
    Plan plan_;
    std::mt19937_64 random_;
    std::size_t steps_ = 0;
    std::size_t turn_ = 0;
    std::int64_t least_priority_ = 0;
    std::string failure_;
    std::map<const void*, Access> accesses_;
};

namespace {

// The schedule that this thread runs in, if any, and its place there.
thread_local Crew* current = nullptr;
thread_local Task* own = nullptr;

void wake(Task& task) {
    task.sleeps_on = nullptr;
    task.is_woken = true;
    task.standing = Standing::kReady;
}

}  // namespace

void Crew::work(Task& me) {
    for (;;) {
        await(me);
        if (!me.body) return;
        current = this;
        own = &me;
        try {
            me.body();
        } catch (const std::exception& error) {
            fail("thread " + std::to_string(me.number) + " threw: " + error.what());
        }
        current = nullptr;
        me.standing = Standing::kEnded;
        pass(choose());
    }
}

DeterministicSchedule::~DeterministicSchedule() {
    if (crew_) crew_->leave();
}

Crew& DeterministicSchedule::crew() {
    if (!crew_) crew_ = std::make_shared<Crew>();
    return *crew_;
}

void DeterministicSchedule::run(std::uint64_t seed, Choice choice, Bodies bodies) {
    const std::string failure = crew().run({seed, choice, false, {}}, std::move(bodies));
    if (failure.empty()) return;
    finish(failure + " (seed " + std::to_string(seed) + (choice == Choice::kUniform ? ", uniform)" : ", priorities)"));
}

void DeterministicSchedule::run(std::vector<Turn> script, Bodies bodies) {
    const std::string failure = crew().run({0, Choice::kUniform, true, std::move(script)}, std::move(bodies));
    if (!failure.empty()) finish(failure + " (turns by hand)");
}

void DeterministicSchedule::finish(const std::string& how) {
    if (!crew_->is_whole()) {
        crew_->abandon();
        crew_.reset();
    }
    throw ScheduleFailure(how);
}

namespace schedule {

bool is_active() noexcept { return current != nullptr; }

void step() noexcept {
    if (is_active()) current->switch_from(*own);
}

void yield() noexcept {
    if (!is_active()) return;
    own->standing = Standing::kYielded;
    current->demote(*own);
    current->switch_from(*own);
}

bool one_in(std::uint32_t chances) noexcept {
    return is_active() && !current->is_by_hand() && current->random() % chances == 0;
}

std::uint64_t now() noexcept { return is_active() ? current->steps() : 0; }

bool sleep(const void* on, bool is_timed) {
    if (!is_active()) throw std::logic_error("a sleep outside of a schedule would never end");
    own->sleeps_on = on;
    own->is_woken = false;
    own->standing = is_timed ? Standing::kAsleepForTime : Standing::kAsleep;
    current->switch_from(*own);
    own->sleeps_on = nullptr;
    return own->is_woken;
}

void wake_all(const void* on) noexcept {
    if (!is_active()) return;
    for (Task* task : current->sleepers(on)) wake(*task);
}

void wake_one(const void* on) noexcept {
    if (!is_active()) return;
    const auto sleepers = current->sleepers(on);
    if (!sleepers.empty()) wake(*sleepers[current->random() % sleepers.size()]);
}

void acquire(const ReleaseClock& from) noexcept {
    if (is_active()) join(own->clock, from);
}

ReleaseClock release() noexcept {
    if (!is_active()) return {};
    ReleaseClock& clock = own->clock;
    const ReleaseClock released = clock;
    ++clock[own->number];
    return released;
}

void join(ReleaseClock& into, const ReleaseClock& from) noexcept {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void touch(const void* address) noexcept {
    if (is_active()) current->touch(*own, address);
}

}  // namespace schedule

}  // namespace engagehub_tests
