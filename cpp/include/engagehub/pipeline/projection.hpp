// SPDX-License-Identifier: MIT
// Purpose: what is kept current from a stream of events, such as a board: something that events are applied to. And
// lanes, by which the communities are shared out among workers.
// Thread safety: apply() may be called by several threads at once, if no two of them have events of one lane; where
// is_per_community() is false, by one thread at a time. account() may be called by any thread at any time.
// Invariant: what events make of a projection depends on their order within each lane only, so not on how many workers
// there are, nor on how the events were cut into calls.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <string_view>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/sketch/item_hash.hpp>

namespace engagehub {

// A lane holds a share of the communities; one worker has all events of a lane: number lane % workers.
inline constexpr std::size_t kLanes = 256;

// The same in every process and on every platform.
inline std::uint64_t hash_of_community(const ItemView& community) noexcept { return ItemHash()(community); }
inline std::size_t lane_of_hash(std::uint64_t hash) noexcept { return static_cast<std::size_t>(hash >> 56U); }
inline std::size_t lane_of(const ItemView& community) noexcept { return lane_of_hash(hash_of_community(community)); }

class Projection {
public:
    struct Account {
        std::uint64_t skipped = 0;    // events that were to change something and couldn't
        std::string first_reason;     // why the first of them couldn't; empty if there is none
        std::size_t communities = 0;  // that have a structure of their own
    };

    Projection() = default;
    Projection(const Projection&) = delete;
    Projection& operator=(const Projection&) = delete;
    virtual ~Projection() = default;

    virtual bool is_per_community() const noexcept = 0;
    // Applies events in the order given. What one of them can't change is counted, with a reason, and the next goes on.
    virtual void apply(const QueuedEvent* const* events, std::size_t count) noexcept = 0;
    virtual Account account() const = 0;
};

// Counts the events that were skipped, and keeps the reason of the first. Thread safety: any thread.
class Skips {
public:
    Skips() { first_reason_.reserve(kLongestReason); }

    void note(std::string_view reason, std::size_t count = 1) noexcept {
        if (count == 0 || count_.fetch_add(count, std::memory_order_relaxed) != 0) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        first_reason_ = reason.substr(0, kLongestReason);  // which needs no memory, for there may be none
    }

    std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    std::string first_reason() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return first_reason_;
    }

    // Calls change(event) for each, in order, which answers why the event was skipped, or null.
    template <class Change>
    void each(const QueuedEvent* const* events, std::size_t count, const Change& change) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            try {
                for (; i < count; ++i) {
                    if (const char* const reason = change(*events[i])) note(reason);
                }
            } catch (const std::bad_alloc&) {
                note("there must be memory for the change, got none");
            } catch (const std::exception& error) {
                note(error.what());
            }
        }
    }

private:
    static constexpr std::size_t kLongestReason = 255;

    std::atomic<std::uint64_t> count_{0};
    mutable std::mutex mutex_;
    std::string first_reason_;
};

}  // namespace engagehub
