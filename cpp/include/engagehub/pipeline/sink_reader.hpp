// SPDX-License-Identifier: MIT
// Purpose: reads accepted events for a sink and makes batches of them. A batch closes at batch_size, or flush_interval
// after its first event was seen, or when somebody asks for a flush or the end. Where the policy is to drop the oldest,
// producers take events from it when there is no room.
// Thread safety: next() on one thread; the rest from any.
// Invariants: the events of a batch are neighbours in the order of acceptance, but for those that were evicted. An
// event without an id gets one here, of the run and the number of the event in it: the same however often the batch is
// written. Complexity: O(bytes of the events). Failure: next() throws nothing: where there is no memory it waits.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <engagehub/pipeline/event_batch.hpp>
#include <engagehub/pipeline/event_stream.hpp>
#include <engagehub/pipeline/lag_mark.hpp>

namespace engagehub {

class SinkReader {
public:
    // `reader` is the number of its cursor. run: what no other processor has, in any process.
    SinkReader(EventStream& stream, std::size_t reader, std::size_t batch_size, double flush_interval, std::string run)
        : stream_(stream),
          reader_(reader),
          batch_size_(batch_size),
          flush_interval_(flush_interval),
          run_(std::move(run) + "-") {}

    enum class Next : std::uint8_t {
        kBatch,
        kCalled,  // is_called() holds, and no batch was begun
        kEnd,     // there is no more, for ever
    };
    // Waits for the next batch. Whoever makes is_called() true wakes the gate afterwards.
    template <class Called>
    Next next(std::shared_ptr<const EventBatch>& batch, Called&& is_called) noexcept {
        const auto columns = made_sure([] { return std::make_shared<EventColumns>(); });
        const Next what = collect(*columns, is_called);
        if (what == Next::kBatch) batch = made_sure([&] { return std::make_shared<const EventBatch>(columns); });
        return what;
    }

    // Everything before it was in a batch of which next() has heard that it is done, or was evicted.
    std::uint64_t settled() const noexcept { return settled_.load(std::memory_order_seq_cst); }

    // Drops so many of the oldest events that are in no batch that `wanted` more have room, as far as that takes events
    // that no worker needs. False: a worker is as far behind, and has to come on first.
    bool evict(std::size_t wanted) noexcept {
        std::uint64_t position = 0;
        if (!stream_.ring.hold(reader_, position)) return true;
        const std::uint64_t droppable = passed_by_workers(position);
        if (droppable == 0) {
            stream_.ring.advance(reader_, position);
            return false;
        }
        // Where another producer was quicker there is room already.
        const std::uint64_t room = stream_.ring.capacity() - (stream_.ring.pushed() - position);
        const std::uint64_t most = std::min<std::uint64_t>(droppable, wanted > room ? wanted - room : 0);
        const std::size_t count = stream_.ring.readable(position, static_cast<std::size_t>(most));
        for (std::size_t i = 0; i < count; ++i) stream_.ring[position + i].let_go();
        // Release: whoever sees the count sees that the events were accepted.
        evicted_.fetch_add(count, std::memory_order_release);
        stream_.give_back(reader_, position + count);
        return true;
    }
    bool can_evict() const noexcept { return passed_by_workers(stream_.ring.position(reader_)) != 0; }
    std::uint64_t evicted() const noexcept { return evicted_.load(std::memory_order_acquire); }

    const LagMark& lag() const noexcept { return lag_; }

private:
    static constexpr std::size_t kRun = 256;  // events that are copied while nobody else may move the cursor

    template <class Called>
    Next collect(EventColumns& columns, const Called& is_called) noexcept {
        const auto pushed = [this] { return stream_.ring.pushed(); };
        const std::size_t half = std::max<std::size_t>(stream_.ring.capacity() / 2, 1);
        Deadline deadline = kNoDeadline;
        Backoff backoff;
        for (;;) {
            if (stream_.is_abandoned()) return Next::kEnd;
            const bool is_closed = stream_.ring.is_closed();  // first: after it no more is pushed
            const std::uint64_t position = stream_.ring.position(reader_);
            lag_.look(position, pushed);
            const std::uint64_t waiting = pushed() - position;
            if (columns.size() == 0) {
                settled_.store(position, std::memory_order_seq_cst);
                stream_.progress.notify_all();
                if (is_called()) return Next::kCalled;
                if (waiting == 0) {
                    if (is_closed) return Next::kEnd;
                    lag_.rest();
                    stream_.gate.sleep(reader_, position + 1, kNoDeadline, pushed, [&] {
                        return stream_.ring.is_closed() || is_flush_wanted() || is_called();
                    });
                    lag_.wake();
                    continue;
                }
            }
            const auto now = std::chrono::steady_clock::now();
            if (deadline == kNoDeadline) {
                deadline = now +
                    std::chrono::duration_cast<Deadline::duration>(std::chrono::duration<double>(flush_interval_));
            }
            const bool is_due = is_closed || is_flush_wanted() || now >= deadline;
            const std::size_t missing = batch_size_ - columns.size();
            const std::size_t worth_it = std::min(missing, half);
            if (waiting != 0 && (is_due || waiting >= worth_it)) {
                bool has_memory = true;
                const std::size_t taken = take(columns, missing, has_memory);
                if (!has_memory) {
                    if (columns.size() != 0) return Next::kBatch;
                    std::this_thread::sleep_for(std::chrono::milliseconds(10));
                } else if (taken == 0) {
                    backoff.pause();  // claimed, and about to be published; or evicted
                    continue;
                }
                backoff = Backoff();
                if (columns.size() == batch_size_) return Next::kBatch;
            } else if (is_due) {
                return Next::kBatch;
            } else {
                stream_.gate.sleep(reader_, position + worth_it, deadline, pushed, [&] {
                    return stream_.ring.is_closed() || is_flush_wanted() || (columns.size() == 0 && is_called());
                });
            }
        }
    }

    // How many events from the position on no other reader needs.
    std::uint64_t passed_by_workers(std::uint64_t position) const noexcept {
        std::uint64_t end = stream_.ring.pushed();
        for (std::size_t i = 0; i < stream_.ring.readers(); ++i) {
            if (i != reader_) end = std::min(end, stream_.ring.position(i));
        }
        return end > position ? end - position : 0;
    }

    bool is_flush_wanted() const noexcept { return stream_.flush_wanted() > settled(); }

    std::size_t take(EventColumns& columns, std::size_t most, bool& has_memory) noexcept {
        std::uint64_t position = 0;
        for (Backoff backoff; !stream_.ring.hold(reader_, position);) backoff.pause();
        const std::size_t count = stream_.ring.readable(position, std::min(most, kRun));
        std::size_t taken = 0;
        try {
            for (; taken < count; ++taken) {
                EventView view = stream_.ring[position + taken].view();
                if (view.id.kind == ItemKind::kNone) view.id = ItemView::of(id_of(position + taken));
                columns.append(view);
                stream_.ring[position + taken].let_go();
            }
        } catch (const std::bad_alloc&) {
            has_memory = false;
        }
        stream_.give_back(reader_, position + taken);
        return taken;
    }

    std::string_view id_of(std::uint64_t position) {
        id_ = run_;
        id_ += std::to_string(position);
        return id_;
    }

    template <class Make>
    static auto made_sure(Make&& make) noexcept -> decltype(make()) {
        for (;;) {
            try {
                return make();
            } catch (const std::bad_alloc&) {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
        }
    }

    EventStream& stream_;
    const std::size_t reader_;
    const std::size_t batch_size_;
    const double flush_interval_;
    const std::string run_;
    std::string id_;
    std::atomic<std::uint64_t> settled_{0};
    std::atomic<std::uint64_t> evicted_{0};
    LagMark lag_;
};

}  // namespace engagehub
