// SPDX-License-Identifier: MIT
// Purpose: a worker: reads all accepted events in their order and applies those of its lanes to the projections.
// Thread safety: run() on one thread; lag() from any.
// Invariants: a community belongs to one worker, and so does a projection of all communities; each worker goes through
// the events in the order of acceptance. So every structure gets its events in that order, whatever the number of
// workers. Complexity: O(1) an event and projection, beside what the projections do.
// Failure: run() throws nothing; the constructor std::bad_alloc.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <engagehub/pipeline/event_stream.hpp>
#include <engagehub/pipeline/lag_mark.hpp>
#include <engagehub/pipeline/projection.hpp>

namespace engagehub {

class ProjectionReader {
public:
    // Its cursor has the number of the worker.
    ProjectionReader(
        EventStream& stream, std::size_t worker, std::size_t workers,
        const std::vector<std::shared_ptr<Projection>>& projections)
        : stream_(stream), worker_(worker), workers_(workers) {
        for (std::size_t i = 0; i < projections.size(); ++i) {
            if (projections[i]->is_per_community()) {
                per_community_.push_back(projections[i].get());
            } else if (i % workers == worker) {
                global_.push_back(projections[i].get());
            }
        }
    }

    void run() {
        const auto pushed = [this] { return stream_.ring.pushed(); };
        const std::size_t soon = stream_.ring.capacity() / 4 + 1;
        std::uint64_t position = 0;
        std::size_t naps = 0;
        Backoff backoff;
        for (;;) {
            lag_.look(position, pushed);
            const std::size_t count = stream_.ring.readable(position, kRun);
            if (count != 0) {
                apply(position, count);
                position += count;
                stream_.give_back(worker_, position);
                naps = kNaps;
                backoff = Backoff();
                continue;
            }
            const bool is_closed = stream_.ring.is_closed();  // first: after it no more is pushed
            if (pushed() != position) {
                if (stream_.is_abandoned()) return;  // claimed by a producer that may never come back
                backoff.pause();
                continue;
            }
            if (is_closed) return;
            // Events come in streams: for a while it looks for itself, which costs the producers nothing, and then
            // waits for the next one to wake it.
            lag_.rest();
            const auto is_ending = [this] { return stream_.ring.is_closed(); };
            if (naps != 0) {
                --naps;
                stream_.gate.sleep(
                    worker_, position + soon, std::chrono::steady_clock::now() + kNap, pushed, is_ending);
            } else {
                stream_.gate.sleep(worker_, position + 1, kNoDeadline, pushed, is_ending);
            }
            lag_.wake();
        }
    }

    const LagMark& lag() const noexcept { return lag_; }

private:
    static constexpr std::size_t kRun = 256;  // events that are applied between two looks
    static constexpr std::size_t kNaps = 20;
    static constexpr std::chrono::microseconds kNap{500};

    void apply(std::uint64_t position, std::size_t count) noexcept {
        std::array<const QueuedEvent*, kRun> all;
        for (std::size_t i = 0; i < count; ++i) all[i] = &stream_.ring[position + i];
        for (Projection* projection : global_) projection->apply(all.data(), count);
        if (!per_community_.empty()) {
            std::array<const QueuedEvent*, kRun> mine;
            std::size_t mine_count = count;
            const QueuedEvent* const* events = all.data();
            if (workers_ != 1) {
                mine_count = 0;
                for (std::size_t i = 0; i < count; ++i) {
                    if (lane_of(all[i]->community()) % workers_ == worker_) mine[mine_count++] = all[i];
                }
                events = mine.data();
            }
            for (Projection* projection : per_community_) projection->apply(events, mine_count);
        }
        for (std::size_t i = 0; i < count; ++i) all[i]->let_go();
    }

    EventStream& stream_;
    const std::size_t worker_;
    const std::size_t workers_;
    std::vector<Projection*> per_community_;
    std::vector<Projection*> global_;
    LagMark lag_;
};

}  // namespace engagehub
