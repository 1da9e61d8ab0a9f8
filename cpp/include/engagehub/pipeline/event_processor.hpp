// SPDX-License-Identifier: MIT
// Purpose: takes events from any thread at once, keeps boards, trends and windows current from them, and hands them to
// a sink in batches, on threads of its own.
// Thread safety: every method from any thread. The sink is called from one thread, which lives as long as the
// processor. Invariants, in every snapshot: offered = accepted + duplicate + refused; accepted = queued + in_flight +
// delivered + dead + dead_evicted + dead_taken + evicted; delivered = written + late_duplicate + rejected. Accepted is
// the producer index of the ring itself, so that there is no moment between accepting and counting. An event is
// recognised, accepted and remembered in one step. Every structure, and the sink, gets events in the order of their
// acceptance. Complexity: O(1) an event and O(readers) a run of them. Memory: capacity slots of 128 bytes, the texts
// that are longer, two batches, and the dead letters.
// Failure: whatever a sink throws is counted and ends no thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/delivery.hpp>
#include <engagehub/pipeline/event_stream.hpp>
#include <engagehub/pipeline/identity_memory.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/projection_reader.hpp>
#include <engagehub/pipeline/sink_reader.hpp>

namespace engagehub {

enum class Overflow : std::uint8_t { kRefuse, kBlock, kDropOldest };

struct ProcessorConfig {
    std::size_t capacity = 16'384;
    std::size_t workers = 1;
    std::size_t batch_size = 1'000;
    double flush_interval = 0.5;  // seconds
    Overflow overflow = Overflow::kRefuse;
    double block_timeout = std::numeric_limits<double>::infinity();  // seconds
    std::optional<std::int64_t> dedupe_horizon;                      // microseconds; none: identities aren't looked at
    std::size_t max_identities = 10'000'000;
    std::string run;  // names this processor in the ids of events that have none; no other may have it
    DeliveryConfig delivery;
};

enum class Refusal : std::uint8_t {
    kFull,     // no room
    kTimeout,  // no room within block_timeout
    kFuture,   // a stamp too far ahead: only the caller knows
};
inline constexpr std::size_t kRefusals = 3;

struct ProcessorStats {
    std::uint64_t accepted = 0;
    std::uint64_t duplicate = 0;  // known by their identity, and not accepted
    std::array<std::uint64_t, kRefusals> refused{};
    std::uint64_t queued = 0;   // accepted, and not in a batch that the sink was given
    std::uint64_t evicted = 0;  // accepted, and dropped for newer ones before the sink was given them
    std::uint64_t applied = 0;  // by every worker
    DeliveryStats sink;
    std::uint64_t identities = 0;            // remembered
    std::uint64_t forgotten_identities = 0;  // before their time
    double lag = 0;                          // seconds: what was accepted before is in the structures
    double sink_lag = 0;                     // seconds: what was accepted before is in a batch
};

// What became of the events of one push; the rest was refused.
struct PushCounts {
    std::size_t accepted = 0;
    std::size_t duplicate = 0;
};
enum class PushOutcome : std::uint8_t {
    kDone,     // all were accepted, or known
    kRefused,  // from one on
    kClosed,   // from one on; those are not counted
};

class EventProcessor {
public:
    static constexpr std::size_t kMaxWorkers = 64;
    static constexpr std::size_t kMaxBatchSize = std::size_t{1} << 20U;
    static constexpr std::size_t kMaxCapacity = std::size_t{1} << 26U;

    // Both may be empty: then events count as delivered when the workers have applied them. THROWS: InvalidArgument.
    EventProcessor(
        const ProcessorConfig& config, std::shared_ptr<BatchSink> sink,
        std::vector<std::shared_ptr<Projection>> projections = {})
        : state_(std::make_shared<State>(checked(config), std::move(sink), std::move(projections))) {
        const std::size_t workers = state_->workers.size();
        try {
            threads_.reserve(workers + 1);
            for (std::size_t i = 0; i < workers; ++i) {
                threads_.emplace_back([state = state_, i] { run(*state, [&] { state->workers[i]->run(); }); });
            }
            if (state_->sink) threads_.emplace_back([state = state_] { run(*state, [&] { serve_sink(*state); }); });
        } catch (...) {
            stop();
            for (auto& thread : threads_) thread.join();
            throw;
        }
    }
    EventProcessor(const EventProcessor&) = delete;
    EventProcessor& operator=(const EventProcessor&) = delete;

    // Closes; what is not done after five seconds is abandoned. On its own thread (a sink drops the last reference) it
    // can't wait for itself: the threads go on without the processor until all is delivered.
    ~EventProcessor() {
        stop();
        if (threads_.empty()) return;  // joined, or left to themselves
        if (is_own_thread()) {
            detach();
        } else if (wait_ended(deadline_after(5.0))) {
            join();
        } else {
            abandon();
        }
    }

    const ProcessorConfig& config() const noexcept { return state_->config; }
    std::size_t capacity() const noexcept { return state_->stream.ring.capacity(); }
    // How many of its readers hold on to a slot, as EventDraft wants to know.
    std::size_t readers() const noexcept { return state_->stream.ring.readers(); }
    bool checks_identities() const noexcept { return state_->identities != nullptr; }

    // Offers events in order, up to the first that finds no room: that one and all behind it are refused. `counts` is
    // right also when wait throws. Events have size(); write(i, QueuedEvent&), once for each that is accepted, and it
    // must not throw; has_ids(), whether any has one; and identity(i), an optional Identity. now: microseconds, for the
    // memory of identities. wait(deadline, block) must call block(deadline) as often as it likes, with deadlines of its
    // choice that are not after the one it is given, until it returns true or that is past; what wait throws leaves
    // push, and the events count as refused.
    template <class Events, class Wait>
    PushOutcome push(Events& events, std::int64_t now, PushCounts& counts, Wait&& wait) {
        State& state = *state_;
        counts = {};
        std::size_t next = 0;
        Refusal reason = Refusal::kFull;
        Deadline deadline = kNoDeadline;
        bool is_first_wait = true;
        Backoff backoff;
        const bool drops = state.config.overflow == Overflow::kDropOldest && state.sink;
        const auto block = [&state, drops](Deadline until) {
            return state.stream.space.wait(until, [&state, drops] {
                return state.stream.has_room_or_end() || (drops && state.sink_reader->can_evict());
            });
        };
        const auto blocked = [&](Deadline until) {
            try {
                wait(until, block);
            } catch (...) {
                refuse(reason, events.size() - next);
                throw;
            }
        };
        for (;;) {
            std::size_t missing = 0;
            const QueueStatus status = offer(events, next, now, counts, missing);
            if (status == QueueStatus::kDone) return PushOutcome::kDone;
            if (status == QueueStatus::kClosed) return PushOutcome::kClosed;
            if (state.config.overflow == Overflow::kDropOldest) {
                if (!drops || !state.sink_reader->evict(missing)) {
                    blocked(kNoDeadline);  // for a worker, which never waits for anybody
                } else {
                    backoff.pause();
                }
                continue;
            }
            // A sink that pushes into its own processor would wait for itself.
            if (state.config.overflow == Overflow::kRefuse || is_own_thread()) break;
            if (is_first_wait) {
                deadline = deadline_after(state.config.block_timeout);
                is_first_wait = false;
            } else if (reason == Refusal::kTimeout) {
                break;
            }
            blocked(deadline);
            // One more attempt after the deadline: the wake-up may have come together with it.
            if (deadline != kNoDeadline && std::chrono::steady_clock::now() >= deadline) reason = Refusal::kTimeout;
        }
        refuse(reason, events.size() - next);
        return PushOutcome::kRefused;
    }
    template <class Events>
    PushOutcome push(Events& events, std::int64_t now, PushCounts& counts) {
        return push(events, now, counts, [](Deadline deadline, auto&& block) { block(deadline); });
    }

    // One attempt, without waiting; kRefused: the events from one on found no room, and are not counted.
    template <class Events>
    PushOutcome try_push(Events& events, std::int64_t now, PushCounts& counts) {
        counts = {};
        std::size_t next = 0;
        std::size_t missing = 0;
        switch (offer(events, next, now, counts, missing)) {
            case QueueStatus::kDone: return PushOutcome::kDone;
            case QueueStatus::kClosed: return PushOutcome::kClosed;
            default: return PushOutcome::kRefused;
        }
    }

    // Counts events that were not even offered, or that the caller gives up.
    void refuse(Refusal reason, std::size_t count) noexcept {
        // Relaxed: orders nothing.
        state_->refused[static_cast<std::size_t>(reason)].fetch_add(count, std::memory_order_relaxed);
    }

    // flush() in two halves, so that a caller can wait in slices: the ticket stands for everything accepted before it.
    std::uint64_t request_flush() {
        const std::uint64_t ticket = state_->stream.request_flush();
        state_->delivery.retry_now();
        return ticket;
    }
    // True once everything below the ticket was applied, and delivered or set aside; false at the deadline, or when the
    // threads have ended without (after abandon()).
    bool wait_flushed(std::uint64_t ticket, Deadline deadline) {
        State& state = *state_;
        while (!state.is_done_below(ticket)) {
            if (state.running.load(std::memory_order_seq_cst) == 0) return state.is_done_below(ticket);
            if (!state.stream.progress.wait(
                    deadline,
                    [&] {
                        return state.is_done_below(ticket) || state.running.load(std::memory_order_seq_cst) == 0;
                    }) &&
                std::chrono::steady_clock::now() >= deadline)
                return state.is_done_below(ticket);
        }
        return true;
    }

    // Accepts nothing more; the threads end when everything was applied and delivered.
    void stop() {
        state_->stream.close();
        state_->delivery.retry_now();
    }
    bool wait_ended(Deadline deadline) {
        State& state = *state_;
        while (state.running.load(std::memory_order_seq_cst) != 0) {
            if (!state.stream.progress.wait(
                    deadline, [&] { return state.running.load(std::memory_order_seq_cst) == 0; }) &&
                std::chrono::steady_clock::now() >= deadline)
                return state.running.load(std::memory_order_seq_cst) == 0;
        }
        return true;
    }
    // REQUIRES: wait_ended() was true.
    void join() {
        const std::lock_guard<std::mutex> lock(threads_mutex_);
        for (auto& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
        threads_.clear();
    }
    // Leaves the threads to themselves: nothing more is given to the sink, and what is with it may stay there.
    void abandon() {
        state_->stream.abandon();
        state_->delivery.abandon();
        detach();
    }
    // In the child of a fork, where there are no threads and locks may be held for ever: nothing of it may be used, and
    // it must not be destroyed.
    void disown() noexcept {
        for (auto& thread : threads_) thread.detach();
        threads_.clear();
    }

    bool is_closed() const noexcept { return state_->stream.ring.is_closed(); }
    bool is_own_thread() const noexcept { return current_owner() == state_.get(); }

    ProcessorStats stats() const {
        const State& state = *state_;
        ProcessorStats stats;
        // In this order: what was taken was accepted, so every difference below is the count of something.
        if (state.sink) {
            stats.sink = state.delivery.stats();
            stats.evicted = state.sink_reader->evicted();
        }
        stats.applied = state.workers.empty() ? 0 : state.applied();
        for (std::size_t i = 0; i < kRefusals; ++i) stats.refused[i] = state.refused[i].load(std::memory_order_relaxed);
        stats.duplicate = state.duplicate.load(std::memory_order_relaxed);
        stats.accepted = state.stream.ring.pushed();
        if (state.workers.empty()) stats.applied = stats.accepted;
        if (!state.sink) stats.sink.taken = stats.sink.delivered = stats.sink.written = stats.applied;
        stats.queued = stats.accepted - stats.evicted - stats.sink.taken + stats.sink.returned;
        if (state.identities) {
            stats.identities = state.identities->size();
            stats.forgotten_identities = state.identities->forgotten();
        }
        const auto now = std::chrono::steady_clock::now();
        for (const auto& worker : state.workers) stats.lag = std::max(stats.lag, worker->lag().behind(now));
        if (state.sink) stats.sink_lag = state.sink_reader->lag().behind(now);
        return stats;
    }

    // What was set aside: see Delivery. replay() has it written again, by the sink's thread.
    FailureReport take_failures() { return state_->delivery.take_failures(); }
    bool is_sink_stalled() const { return state_->delivery.is_stalled(std::chrono::steady_clock::now()); }
    template <class Visit>
    void visit_dead(Visit&& visit) const {
        state_->delivery.visit_dead(std::forward<Visit>(visit));
    }
    std::list<DeadLetter> take_dead(std::size_t most) {
        std::list<DeadLetter> taken;
        state_->delivery.take_dead(taken, most);
        return taken;
    }
    std::uint64_t replay_dead() {
        const std::uint64_t count = state_->delivery.replay();
        state_->stream.gate.wake_all();
        return count;
    }

private:
    struct State {
        State(ProcessorConfig given, std::shared_ptr<BatchSink> to, std::vector<std::shared_ptr<Projection>> applied_to)
            : config(std::move(given)),
              sink(std::move(to)),
              projections(std::move(applied_to)),
              stream(config.capacity, worker_count() + (sink ? 1 : 0)),
              delivery(config.delivery, sink),
              running(stream.ring.readers()) {
            if (config.dedupe_horizon) {
                identities = std::make_unique<IdentityMemory>(*config.dedupe_horizon, config.max_identities);
            }
            for (std::size_t i = 0; i < worker_count(); ++i) {
                workers.push_back(std::make_unique<ProjectionReader>(stream, i, worker_count(), projections));
            }
            if (sink) {
                sink_reader = std::make_unique<SinkReader>(
                    stream, workers.size(), config.batch_size, config.flush_interval, config.run);
            }
        }

        // Where nothing is to be applied the sink alone reads; where there is no sink either, somebody has to.
        std::size_t worker_count() const noexcept {
            if (projections.empty()) return sink ? 0 : 1;
            return config.workers;
        }
        // Of the slowest worker.
        std::uint64_t applied() const noexcept {
            std::uint64_t least = stream.ring.position(0);
            for (std::size_t i = 1; i < workers.size(); ++i) least = std::min(least, stream.ring.position(i));
            return least;
        }
        bool is_done_below(std::uint64_t ticket) const noexcept {
            return (workers.empty() || applied() >= ticket) && (!sink || sink_reader->settled() >= ticket);
        }

        const ProcessorConfig config;
        const std::shared_ptr<BatchSink> sink;
        const std::vector<std::shared_ptr<Projection>> projections;
        EventStream stream;
        Delivery delivery;
        std::unique_ptr<IdentityMemory> identities;              // null: not looked at
        std::vector<std::unique_ptr<ProjectionReader>> workers;  // whose numbers are those of their cursors
        std::unique_ptr<SinkReader> sink_reader;                 // of the last cursor
        std::array<std::atomic<std::uint64_t>, kRefusals> refused{};
        std::atomic<std::uint64_t> duplicate{0};
        std::atomic<std::size_t> running;
    };

    static ProcessorConfig checked(const ProcessorConfig& config) {
        require_between("capacity", config.capacity, 2, kMaxCapacity);
        require_between("workers", config.workers, 1, kMaxWorkers);
        require_between("batch_size", config.batch_size, 1, kMaxBatchSize);
        require_between("max_identities", config.max_identities, 1, IdentityMemory::kMaximum);
        if (!(config.flush_interval > 0 && config.flush_interval <= 86'400)) {
            throw InvalidArgument(
                "flush_interval must be more than 0 and at most 86400 seconds, got " + shown(config.flush_interval));
        }
        if (!(config.block_timeout >= 0)) {
            throw InvalidArgument("block_timeout must be at least 0 seconds, got " + shown(config.block_timeout));
        }
        return config;
    }
    static void require_between(const char* name, std::size_t value, std::size_t low, std::size_t high) {
        if (value >= low && value <= high) return;
        throw InvalidArgument(
            std::string(name) + " must be between " + std::to_string(low) + " and " + std::to_string(high) + ", got " +
            std::to_string(value));
    }

    // The events from `next` on, up to the first that there is no room for. missing: how many are known to lack it, for
    // which of the others are duplicates isn't known.
    template <class Events>
    QueueStatus offer(Events& events, std::size_t& next, std::int64_t now, PushCounts& counts, std::size_t& missing) {
        if (state_->identities && events.has_ids()) return offer_new(events, next, now, counts, missing);
        const QueueClaim claim = state_->stream.push(
            events.size() - next, [&](std::size_t i, QueuedEvent& slot) noexcept { events.write(next + i, slot); });
        next += claim.count;
        counts.accepted += claim.count;
        missing = events.size() - next;
        return claim.status;
    }
    // Those of them that are new. An event that there is no room for must not be remembered, so the ring is asked while
    // the memory is locked.
    template <class Events>
    QueueStatus offer_new(
        Events& events, std::size_t& next, std::int64_t now, PushCounts& counts, std::size_t& missing) {
        missing = 1;
        QueueStatus status = QueueStatus::kDone;
        while (next < events.size() && status == QueueStatus::kDone) {
            const std::optional<Identity> identity = events.identity(next);
            if (!identity) {
                status = offer_one(events, next);
                if (status == QueueStatus::kDone) settle(IdentityMemory::Outcome::kAccepted, next, counts);
            } else if (next + 1 == events.size()) {
                const auto accept = [&]() noexcept {
                    status = offer_one(events, next);
                    return status == QueueStatus::kDone;
                };
                const IdentityMemory::Outcome outcome = state_->identities->check(*identity, now, accept);
                if (status == QueueStatus::kDone) settle(outcome, next, counts);
            } else {
                status = offer_new_block(events, next, now, counts, missing);
            }
        }
        return status;
    }
    template <class Events>
    QueueStatus offer_one(Events& events, std::size_t row) noexcept {
        return state_->stream.push(1, [&](std::size_t, QueuedEvent& slot) noexcept { events.write(row, slot); }).status;
    }
    // Of neighbours that all have an id.
    template <class Events>
    QueueStatus offer_new_block(
        Events& events, std::size_t& next, std::int64_t now, PushCounts& counts, std::size_t& missing) {
        using Outcome = IdentityMemory::Outcome;
        constexpr std::size_t kBlock = IdentityMemory::kBlock;
        std::array<Identity, kBlock> identities;
        std::array<Outcome, kBlock> outcomes;
        std::array<std::size_t, kBlock> rows;
        const std::size_t first_row = next;
        std::size_t count = 0;
        while (count != kBlock && first_row + count < events.size()) {
            const std::optional<Identity> identity = events.identity(first_row + count);
            if (!identity) break;
            identities[count++] = *identity;
        }
        QueueStatus status = QueueStatus::kDone;
        const auto accept = [&](std::size_t first, std::size_t last) noexcept -> std::size_t {
            std::size_t fresh = 0;
            for (std::size_t i = first; i < last; ++i) {
                if (outcomes[i] == Outcome::kAccepted) rows[fresh++] = first_row + i;
            }
            const QueueClaim claim = state_->stream.push(
                fresh, [&](std::size_t i, QueuedEvent& slot) noexcept { events.write(rows[i], slot); });
            status = claim.status;
            if (status != QueueStatus::kDone) missing = fresh - claim.count;
            return claim.count;
        };
        std::size_t settled = 0;
        const auto settle_all = [&] {
            for (std::size_t i = 0; i < settled; ++i) settle(outcomes[i], next, counts);
        };
        try {
            state_->identities->check_many(identities.data(), count, now, outcomes.data(), settled, accept);
        } catch (...) {
            settle_all();
            throw;
        }
        settle_all();
        return status;
    }
    void settle(IdentityMemory::Outcome outcome, std::size_t& next, PushCounts& counts) noexcept {
        ++next;
        if (outcome == IdentityMemory::Outcome::kDuplicate) {
            ++counts.duplicate;
            state_->duplicate.fetch_add(1, std::memory_order_relaxed);  // relaxed: orders nothing
        } else {
            ++counts.accepted;
        }
    }

    void detach() {
        const std::lock_guard<std::mutex> lock(threads_mutex_);
        for (auto& thread : threads_) {
            if (thread.joinable()) thread.detach();
        }
        threads_.clear();
    }

    // The processor that this thread works for, if any.
    static const State*& current_owner() noexcept {
        thread_local const State* current = nullptr;
        return current;
    }

    template <class Work>
    static void run(State& state, Work&& work) {
        current_owner() = &state;
        work();
        current_owner() = nullptr;
        state.running.fetch_sub(1, std::memory_order_seq_cst);
        state.stream.progress.notify_all();
    }

    static void serve_sink(State& state) {
        std::shared_ptr<const EventBatch> batch;
        const auto is_called = [&state] { return state.delivery.has_replay(); };
        for (;;) {
            const SinkReader::Next next = state.sink_reader->next(batch, is_called);
            if (next == SinkReader::Next::kEnd) break;
            if (next == SinkReader::Next::kCalled) {
                state.delivery.deliver_dead();
            } else {
                state.delivery.deliver(batch);
                batch.reset();
            }
        }
        while (state.delivery.deliver_dead()) {
        }
        state.sink->thread_ends();
    }

    std::shared_ptr<State> state_;
    std::mutex threads_mutex_;
    std::vector<std::thread> threads_;
};

}  // namespace engagehub
