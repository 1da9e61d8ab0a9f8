// SPDX-License-Identifier: MIT
// Purpose: the object behind engagehub_core.EventProcessor: the native processor, its sink and its clock.
// Thread safety: every method attached, from any thread; those that may take long let go of the interpreter.
// Invariant: no Python code runs between the claim of a slot and its publication, nor under the lock of an identity.
#pragma once

#include "python.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <engagehub/pipeline/event_processor.hpp>
#include <engagehub/pipeline/identity.hpp>
#include <engagehub/pipeline/queued_event.hpp>

#include "clock.hpp"
#include "event_columns.hpp"
#include "python_sink.hpp"

namespace processor {

enum class Full : std::uint8_t { kAnswers, kRaises };  // what push does when there is no room

class Processor {
public:
    Processor(
        const py::object& write, const py::object& is_transient,
        std::vector<std::shared_ptr<engagehub::Projection>> projections, const engagehub::ProcessorConfig& config,
        Full full, Clock clock);
    Processor(const Processor&) = delete;
    Processor& operator=(const Processor&) = delete;
    ~Processor();

    // THROWS: Closed, if it belongs to another process.
    engagehub::EventProcessor& core();
    const Clock& clock() const { return clock_; }

    // The instant of an event: refused and counted if it is too far ahead of the clock.
    std::int64_t instant(py::handle at);

    bool push(const engagehub::EventView& event);
    // One attempt, which doesn't count that there was no room: True, False or None.
    py::object offer(const engagehub::EventView& event);
    std::size_t push_many(const py::object& columns);
    void count_timeout(std::size_t count);

    py::dict stats();
    std::uint64_t request_flush();
    bool wait_flushed(std::uint64_t ticket, const py::object& timeout);
    bool wait_ended(const py::object& timeout);
    void stop();
    void join();
    void abandon();
    // True for one caller only.
    bool claim_end() { return !is_end_claimed_.exchange(true); }

    // (batches, events, text, exception or None) of what was set aside since the last call, or None.
    py::object take_failures();
    bool is_sink_stalled() { return core().is_sink_stalled(); }
    py::list dead_letters();
    py::list take_dead(std::size_t most);
    std::uint64_t replay_dead();
    void replace_sink(const py::object& write, const py::object& is_transient);

    bool is_own_thread() const { return core_ != nullptr && core_->is_own_thread(); }
    std::size_t capacity() { return core().capacity(); }
    bool is_closed() const { return core_ == nullptr || core_->is_closed(); }

    // In the child of a fork: the threads are gone, and locks may be held for ever. What can't be destroyed is left in
    // place.
    void forget();

    int traverse(visitproc visit, void* arg) const;
    void clear();

private:
    template <class Events>
    engagehub::PushOutcome push_all(Events& events, engagehub::PushCounts& counts);
    template <class Events>
    std::int64_t acceptance_instant(const Events& events);
    void refused(std::size_t count);

    Clock clock_;
    Full full_;
    std::atomic<bool> is_end_claimed_{false};
    std::atomic<std::int64_t> warned_at_;  // steady microseconds
    std::shared_ptr<PythonSink> sink_;
    std::unique_ptr<engagehub::EventProcessor> core_;
};

// The methods that are called once an event: see fastcall.hpp.
void add_push_calls(py::handle type);

}  // namespace processor
