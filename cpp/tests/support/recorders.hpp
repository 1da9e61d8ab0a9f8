// SPDX-License-Identifier: MIT
// Purpose: a sink and a projection that keep what they were given, in order, and do before that what a test says.
// Thread safety: members() and its like from any thread; of a RecordedProjection when the processor is at rest.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_batch.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>

namespace engagehub_tests {

using Batch = std::shared_ptr<const engagehub::EventBatch>;
using Members = std::vector<std::int64_t>;

class Recorder : public engagehub::BatchSink {
public:
    std::function<void(const Batch&)> before;
    std::function<void()> after;

    engagehub::WriteResult write(const Batch& batch) override {
        if (before) before(batch);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            for (std::size_t i = 0; i < batch->size(); ++i) {
                members_.push_back((*batch)[i].member.number);
                ids_.emplace_back((*batch)[i].id.text);
            }
            sizes_.push_back(batch->size());
            threads_.push_back(std::this_thread::get_id());
        }
        if (after) after();
        return {batch->size(), 0, 0};
    }
    void thread_ends() noexcept override { ++ended; }

    Members members() const { return copy(members_); }
    std::vector<std::string> ids() const { return copy(ids_); }
    std::vector<std::size_t> sizes() const { return copy(sizes_); }  // of the batches
    std::vector<std::thread::id> threads() const { return copy(threads_); }

    std::atomic<int> ended{0};

private:
    template <class Values>
    Values copy(const Values& values) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return values;
    }

    mutable std::mutex mutex_;
    Members members_;
    std::vector<std::string> ids_;
    std::vector<std::size_t> sizes_;
    std::vector<std::thread::id> threads_;
};

class RecordedProjection : public engagehub::Projection {
public:
    explicit RecordedProjection(bool is_per_community) : is_per_community_(is_per_community) {}

    std::function<void(std::size_t count)> before;

    bool is_per_community() const noexcept override { return is_per_community_; }
    void apply(const engagehub::QueuedEvent* const* events, std::size_t count) noexcept override {
        if (count == 0) return;
        if (before) before(count);
        // Without a lock: whoever breaks the promise of Projection is found by the thread sanitizer.
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t lane = is_per_community_ ? engagehub::lane_of(events[i]->community()) : 0;
            members_[lane].push_back(events[i]->member().number);
            threads_[lane].push_back(std::this_thread::get_id());
        }
        applied += count;
    }
    Account account() const override { return {}; }

    // In the order in which they were applied; everything is in lane 0 where all communities share a structure.
    const Members& members(std::size_t lane = 0) const { return members_[lane]; }
    std::size_t total() const {
        std::size_t total = 0;
        for (const Members& members : members_) total += members.size();
        return total;
    }
    const std::vector<std::thread::id>& threads(std::size_t lane = 0) const { return threads_[lane]; }

    std::atomic<std::size_t> applied{0};

private:
    const bool is_per_community_;
    std::array<Members, engagehub::kLanes> members_;
    std::array<std::vector<std::thread::id>, engagehub::kLanes> threads_;
};

// 0 ... count - 1
inline Members numbers(std::int64_t count) {
    Members values;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(i);
    return values;
}

}  // namespace engagehub_tests
