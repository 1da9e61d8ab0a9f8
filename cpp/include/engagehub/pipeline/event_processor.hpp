// SPDX-License-Identifier: MIT
// Purpose: takes events from any thread at once and hands them to a sink in batches on threads of its own.
// Thread safety: every method from any thread. The sink is called from the worker threads, never two calls at a time.
// Invariants, in every snapshot: offered = accepted + refused; accepted = queued + in_flight + delivered + failed +
// evicted; delivered = written + duplicate + rejected. Accepted is the producer index of the ring itself, so that there
// is no moment between accepting and counting. With one worker events reach the sink in the order of acceptance. A
// batch closes at batch_size, or flush_interval after its first event was taken, or when flush() or close() asks.
// Complexity: O(1) an event and O(workers) a batch. Memory: capacity + workers * batch_size + keep_failed events.
// Failure: whatever a sink throws is counted and kept, and ends no worker.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/delivery.hpp>
#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/wake_gate.hpp>
#include <engagehub/queue/event_count.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

namespace engagehub {

enum class Overflow : std::uint8_t { kRefuse, kBlock };
enum class PushOutcome : std::uint8_t { kAccepted, kRefused, kClosed };

struct ProcessorConfig {
    std::size_t capacity = 16'384;
    std::size_t workers = 1;
    std::size_t batch_size = 1'000;
    double flush_interval = 0.5;  // seconds
    Overflow overflow = Overflow::kRefuse;
    double block_timeout = std::numeric_limits<double>::infinity();  // seconds
    std::size_t keep_failed = 100'000;                               // events
};

struct ProcessorStats {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t queued = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t delivered = 0;
    std::uint64_t written = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t rejected = 0;
    std::uint64_t failed = 0;
    std::uint64_t evicted = 0;
    std::uint64_t batches = 0;
    std::uint64_t failed_batches = 0;
    std::string first_error;

    std::uint64_t offered() const { return accepted + refused; }
};

class EventProcessor {
public:
    static constexpr std::size_t kMaxWorkers = 64;
    static constexpr std::size_t kMaxBatchSize = std::size_t{1} << 20U;
    static constexpr std::size_t kMaxCapacity = std::size_t{1} << 26U;

    // sink may be null: then a batch counts as written when a worker has taken it. THROWS: InvalidArgument.
    EventProcessor(const ProcessorConfig& config, std::shared_ptr<BatchSink> sink)
        : state_(std::make_shared<State>(checked(config), std::move(sink))) {
        threads_.reserve(config.workers);
        try {
            for (std::size_t i = 0; i < config.workers; ++i) {
                threads_.emplace_back([state = state_, i] { run(*state, i); });
            }
        } catch (...) {
            stop();
            for (auto& thread : threads_) thread.join();
            throw;
        }
    }
    EventProcessor(const EventProcessor&) = delete;
    EventProcessor& operator=(const EventProcessor&) = delete;

    // Closes; what is not done after five seconds is abandoned. On a worker thread (a sink drops the last reference) it
    // can't wait for itself: the workers go on without the processor until all is delivered.
    ~EventProcessor() {
        stop();
        if (threads_.empty()) {
            return;  // joined, or left to themselves
        }
        if (is_worker_thread()) {
            detach();
        } else if (wait_ended(deadline_after(5.0))) {
            join();
        } else {
            abandon();
        }
    }

    const ProcessorConfig& config() const noexcept { return state_->config; }
    std::size_t capacity() const noexcept { return state_->ring.capacity(); }

    // wait(block) must call block(deadline) as often as it likes, with deadlines of its choice that are not after the
    // one it is given, until it returns true or that is past; what wait throws leaves push, and the event counts as
    // refused.
    template <class Wait>
    PushOutcome push(EventPtr event, Wait&& wait) {
        std::size_t accepted = 0;
        return push_n(&event, 1, accepted, std::forward<Wait>(wait));
    }
    PushOutcome push(EventPtr event) {
        return push(std::move(event), [](Deadline deadline, auto&& block) { block(deadline); });
    }

    // Offers events in order up to the first that finds no room: that one and all behind it are refused. `accepted` is
    // right also when wait throws.
    template <class Wait>
    PushOutcome push_n(EventPtr* events, std::size_t count, std::size_t& accepted, Wait&& wait) {
        State& state = *state_;
        accepted = 0;
        bool is_first_wait = true;
        bool is_over = false;
        Deadline deadline = kNoDeadline;
        Backoff backoff;
        for (;;) {
            const QueueClaim claim = state.ring.try_push_n(events + accepted, count - accepted);
            if (claim.count != 0) {
                accepted += claim.count;
                state.gate.produced(claim.end);
            }
            if (claim.status == QueueStatus::kDone) return PushOutcome::kAccepted;
            if (claim.status == QueueStatus::kClosed) return PushOutcome::kClosed;
            if (claim.status == QueueStatus::kBusy) {
                backoff.pause();
                continue;
            }
            // A sink that pushes into its own processor would wait for itself.
            if (is_over || state.config.overflow == Overflow::kRefuse || is_worker_thread()) break;
            if (is_first_wait) deadline = deadline_after(state.config.block_timeout);
            is_first_wait = false;
            try {
                wait(deadline, [&state](Deadline until) {
                    return state.space.wait(until, [&state] {
                        return state.ring.size() != state.ring.capacity() || state.ring.is_closed();
                    });
                });
            } catch (...) {
                refuse(count - accepted);
                throw;
            }
            // One more attempt after the deadline: the wake-up may have come together with it.
            is_over = deadline != kNoDeadline && std::chrono::steady_clock::now() >= deadline;
        }
        refuse(count - accepted);
        return PushOutcome::kRefused;
    }

    // flush() in two halves, so that a caller can wait in slices: the ticket stands for everything accepted before it.
    std::uint64_t request_flush() {
        State& state = *state_;
        const std::uint64_t ticket = state.ring.pushed();
        // Relaxed: the gate's lock below carries it to the workers.
        std::uint64_t wanted = state.flush_wanted.load(std::memory_order_relaxed);
        while (wanted < ticket &&
               !state.flush_wanted.compare_exchange_weak(wanted, ticket, std::memory_order_relaxed)) {
        }
        state.gate.wake_all();
        return ticket;
    }
    // True once everything below the ticket was delivered or has failed; false at the deadline, or when the workers
    // have ended without (after abandon()).
    bool wait_flushed(std::uint64_t ticket, Deadline deadline) {
        State& state = *state_;
        const Waiting waiting(state);
        std::unique_lock<std::mutex> lock(state.mutex);
        park(state.progress, lock, deadline, [&] { return state.is_done_below(ticket) || state.running == 0; });
        return state.is_done_below(ticket);
    }
    bool flush(Deadline deadline = kNoDeadline) { return wait_flushed(request_flush(), deadline); }

    // No push succeeds from here on; the workers deliver what was accepted, and end.
    void stop() {
        state_->ring.close();
        state_->gate.wake_all();
        state_->space.notify_all();
    }
    bool is_closed() const noexcept { return state_->ring.is_closed(); }

    bool wait_ended(Deadline deadline) {
        State& state = *state_;
        const Waiting waiting(state);
        std::unique_lock<std::mutex> lock(state.mutex);
        return park(state.progress, lock, deadline, [&] { return state.running == 0; });
    }

    // REQUIRES: wait_ended() has said true.
    void join() {
        const std::lock_guard<std::mutex> lock(threads_mutex_);
        for (auto& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
        threads_.clear();
    }

    // Leaves the workers to themselves: each ends after the call to the sink that it is in, and takes nothing any more.
    void abandon() {
        state_->abandoned.store(true, std::memory_order_seq_cst);
        stop();
        detach();
    }

    // For the child of a fork, where the threads don't exist and any lock may be held for ever: takes no lock. Nothing
    // but this may be called there; the object must never be destroyed.
    void disown() noexcept { state_->abandoned.store(true, std::memory_order_seq_cst); }

    bool close(Deadline deadline) {
        stop();
        if (!wait_ended(deadline)) {
            abandon();
            return false;
        }
        join();
        return true;
    }

    bool is_worker_thread() const noexcept { return current_worker() == state_.get(); }

    ProcessorStats stats() const {
        const State& state = *state_;
        const std::lock_guard<std::mutex> lock(state.mutex);
        ProcessorStats stats = state.counted;
        stats.refused = state.refused.load(std::memory_order_relaxed);  // relaxed: a count that orders nothing
        // Last: everything that the workers have counted was accepted before.
        stats.accepted = state.ring.pushed();
        stats.queued = stats.accepted - stats.in_flight - stats.delivered - stats.failed - stats.evicted;
        return stats;
    }

    FailureReport take_failures() {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        return std::exchange(state_->unreported, FailureReport{});
    }

    // The failed events that are kept, oldest first: visit(batch, first index that is kept).
    template <class Visit>
    void visit_failed(Visit&& visit) const {
        std::deque<Failed> failed;
        {
            const std::lock_guard<std::mutex> lock(state_->mutex);
            failed = state_->failed;
        }
        for (const Failed& entry : failed) visit(entry.batch, entry.first);
    }

private:
    struct Failed {
        std::shared_ptr<const EventBatch> batch;
        std::size_t first = 0;
    };

    static constexpr std::uint64_t kNothing = std::numeric_limits<std::uint64_t>::max();

    // The position that a worker's open batch may begin with, each on a cache line of its own.
    struct alignas(kCacheLine) OpenSince {
        std::atomic<std::uint64_t> position{kNothing};
    };

    struct State {
        State(const ProcessorConfig& given, std::shared_ptr<BatchSink> to)
            : config(given),
              sink(std::move(to)),
              ring(given.capacity),
              gate(given.workers),
              open_since(given.workers),
              running(given.workers),
              ending(given.workers) {}

        // REQUIRES: mutex is held by whoever waits for it, so that no change is missed (see complete() and idle()).
        bool is_done_below(std::uint64_t ticket) const {
            if (ring.popped() < ticket) return false;
            for (const auto& open : open_since) {
                if (open.position.load(std::memory_order_seq_cst) < ticket) return false;
            }
            return true;
        }

        const ProcessorConfig config;
        const std::shared_ptr<BatchSink> sink;
        MpmcQueue<EventPtr> ring;
        WakeGate gate;
        EventCount space;
        std::vector<OpenSince> open_since;
        std::atomic<std::uint64_t> flush_wanted{0};
        std::atomic<std::uint64_t> refused{0};
        std::atomic<std::uint32_t> waiting{0};
        std::atomic<bool> abandoned{false};
        std::mutex sink_mutex;

        mutable std::mutex mutex;  // guards what follows
        std::condition_variable progress;
        std::size_t running;
        std::size_t ending;      // workers that have not come to their last call of the sink
        ProcessorStats counted;  // without accepted, refused and queued
        FailureReport unreported;
        std::deque<Failed> failed;
    };

    // Tells the workers that somebody waits for their progress, beginning before he looks at it.
    struct Waiting {
        explicit Waiting(State& of) : state(of) { state.waiting.fetch_add(1, std::memory_order_seq_cst); }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        // Relaxed: a count that is seen too high costs a needless notification.
        ~Waiting() { state.waiting.fetch_sub(1, std::memory_order_relaxed); }
        State& state;
    };

    static ProcessorConfig checked(const ProcessorConfig& config) {
        require_between("capacity", config.capacity, 2, kMaxCapacity);
        require_between("workers", config.workers, 1, kMaxWorkers);
        require_between("batch_size", config.batch_size, 1, kMaxBatchSize);
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

    void refuse(std::size_t count) {
        state_->refused.fetch_add(count, std::memory_order_relaxed);
    }  // relaxed: orders nothing

    void detach() {
        const std::lock_guard<std::mutex> lock(threads_mutex_);
        for (auto& thread : threads_) {
            if (thread.joinable()) thread.detach();
        }
        threads_.clear();
    }

    // The processor that this thread works for, if any.
    static const State*& current_worker() noexcept {
        thread_local const State* current = nullptr;
        return current;
    }

    static void run(State& state, std::size_t worker) {
        current_worker() = &state;
        std::vector<EventPtr> events;
        while (collect(state, worker, events)) deliver(state, worker, std::exchange(events, {}));
        bool is_last = false;
        {
            const std::lock_guard<std::mutex> lock(state.mutex);
            is_last = --state.ending == 0;
        }
        if (state.sink) state.sink->thread_ends(is_last);
        current_worker() = nullptr;
        const std::lock_guard<std::mutex> lock(state.mutex);
        --state.running;
        state.progress.notify_all();
    }

    // Fills `events` with the next batch. False when there is nothing more to do, for ever.
    static bool collect(State& state, std::size_t worker, std::vector<EventPtr>& events) {
        auto& open = state.open_since[worker].position;
        const std::size_t batch_size = state.config.batch_size;
        const auto pushed = [&state] { return state.ring.pushed(); };
        const auto is_ending = [&state] {
            return state.ring.is_closed() || state.abandoned.load(std::memory_order_seq_cst);
        };
        // Relaxed: read again with the gate's lock held before this worker sleeps.
        const auto is_flush_wanted = [&] {
            return state.flush_wanted.load(std::memory_order_relaxed) > open.load(std::memory_order_relaxed);
        };
        Deadline deadline = kNoDeadline;
        Backoff backoff;
        for (;;) {
            if (state.abandoned.load(std::memory_order_seq_cst)) return false;
            if (!make_room(events, batch_size)) {
                if (!events.empty()) return true;
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
                continue;
            }
            const bool was_empty = events.empty();
            // Before the claim, so that a flush that sees the claim sees the batch.
            if (was_empty) open.store(state.ring.popped(), std::memory_order_seq_cst);
            const QueueClaim claim = state.ring.try_pop_n(
                events.capacity() - events.size(),
                [&events](EventPtr&& event) noexcept { events.push_back(std::move(event)); });
            if (claim.count != 0) {
                claim.count == 1 ? state.space.notify_one() : state.space.notify_all();
                const auto now = std::chrono::steady_clock::now();
                if (was_empty) deadline = deadline_from(now, state.config.flush_interval);
                if (events.size() >= batch_size || now >= deadline) return true;
                backoff = Backoff();
            } else if (claim.status == QueueStatus::kBusy) {
                backoff.pause();
            } else if (was_empty) {
                open.store(kNothing, std::memory_order_seq_cst);
                if (state.waiting.load(std::memory_order_seq_cst) != 0) {
                    const std::lock_guard<std::mutex> lock(state.mutex);
                    state.progress.notify_all();
                }
                if (claim.status == QueueStatus::kClosed) return false;
                state.gate.sleep(worker, state.ring.popped() + 1, kNoDeadline, pushed, is_ending);
            } else {
                if (claim.status == QueueStatus::kClosed || is_flush_wanted()) return true;
                if (std::chrono::steady_clock::now() >= deadline) return true;
                // Half the ring at the most: a batch may be larger than what fits.
                const std::size_t missing =
                    std::min(batch_size - events.size(), std::max<std::size_t>(state.ring.capacity() / 2, 1));
                state.gate.sleep(worker, state.ring.popped() + missing, deadline, pushed, [&] {
                    return is_ending() || is_flush_wanted();
                });
            }
        }
    }

    static Deadline deadline_from(Deadline now, double seconds) {
        return now + std::chrono::duration_cast<Deadline::duration>(std::chrono::duration<double>(seconds));
    }

    // Memory for at least one more event, before it is claimed; grows with the batch up to its size.
    static bool make_room(std::vector<EventPtr>& events, std::size_t batch_size) noexcept {
        if (events.size() < events.capacity()) return true;
        try {
            events.reserve(std::min(batch_size, std::max<std::size_t>(events.size() * 2, 64)));
        } catch (const std::bad_alloc&) {
            return false;
        }
        return true;
    }

    static void deliver(State& state, std::size_t worker, std::vector<EventPtr> events) {
        const std::size_t count = events.size();
        std::shared_ptr<const EventBatch> batch;
        WriteResult result;
        std::string error;
        bool is_written = false;
        {
            const std::lock_guard<std::mutex> sink_lock(state.sink_mutex);
            // Still counted as queued, and never anything else.
            if (state.abandoned.load(std::memory_order_seq_cst)) return;
            {
                const std::lock_guard<std::mutex> lock(state.mutex);
                state.counted.in_flight += count;
            }
            try {
                batch = std::make_shared<const EventBatch>(std::move(events));
                result = state.sink ? state.sink->write(batch) : WriteResult{count, 0, 0};
                is_written = adds_up(result, count);
                if (!is_written)
                    error = "the sink's written, duplicate and rejected don't add up to the " + std::to_string(count) +
                        " events of the batch";
            } catch (...) {
                is_written = false;
                error = text_of_current_exception();
            }
        }
        const std::lock_guard<std::mutex> lock(state.mutex);
        ProcessorStats& counted = state.counted;
        counted.in_flight -= count;
        ++counted.batches;
        if (is_written) {
            counted.delivered += count;
            counted.written += result.written;
            counted.duplicate += result.duplicate;
            counted.rejected += result.rejected;
        } else {
            ++counted.failed_batches;
            try {
                if (counted.first_error.empty()) counted.first_error = error;
            } catch (const std::bad_alloc&) {
                counted.first_error.clear();  // the count alone has to tell
            }
            if (state.unreported.batches++ == 0) state.unreported.error = std::move(error);
            state.unreported.events += count;
            keep_failed(state, std::move(batch), count);
        }
        state.open_since[worker].position.store(kNothing, std::memory_order_seq_cst);
        state.progress.notify_all();
    }

    static bool adds_up(const WriteResult& result, std::size_t count) {
        return result.written <= count && result.duplicate <= count && result.rejected <= count &&
            result.written + result.duplicate + result.rejected == count;
    }

    // Empty where there is no memory left for a text: the worker has to go on.
    static std::string text_of_current_exception() noexcept {
        try {
            try {
                throw;
            } catch (const std::exception& error) {
                return error.what();
            } catch (...) {
                return "an exception that is not a std::exception";
            }
        } catch (const std::bad_alloc&) {
            return {};
        }
    }

    // REQUIRES: the mutex is held. The oldest leave first, event by event; a batch's memory goes with its last event.
    static void keep_failed(State& state, std::shared_ptr<const EventBatch> batch, std::size_t count) {
        ProcessorStats& counted = state.counted;
        try {
            if (batch == nullptr) throw std::bad_alloc();  // not even the batch could be made
            state.failed.push_back({std::move(batch), 0});
        } catch (const std::bad_alloc&) {
            counted.evicted += count;
            return;
        }
        counted.failed += count;
        while (counted.failed > state.config.keep_failed) {
            Failed& oldest = state.failed.front();
            const std::size_t rest = oldest.batch->size() - oldest.first;
            const std::size_t leaving = std::min<std::size_t>(rest, counted.failed - state.config.keep_failed);
            oldest.first += leaving;
            counted.failed -= leaving;
            counted.evicted += leaving;
            if (leaving == rest) state.failed.pop_front();
        }
    }

    std::shared_ptr<State> state_;
    std::mutex threads_mutex_;
    std::vector<std::thread> threads_;
};

}  // namespace engagehub
