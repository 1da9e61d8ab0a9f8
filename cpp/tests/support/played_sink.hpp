// SPDX-License-Identifier: MIT
// Purpose: a sink that does what a test says, and clocks that pass only while somebody waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/event_batch.hpp>
#include <engagehub/queue/event_count.hpp>

namespace engagehub_tests {

using Batch = std::shared_ptr<const engagehub::EventBatch>;
using Members = std::vector<std::int64_t>;

// Events whose members are first, first + 1, ...
inline Batch batch_of(std::int64_t first, std::size_t count) {
    auto columns = std::make_shared<engagehub::EventColumns>();
    for (std::size_t i = 0; i < count; ++i) {
        engagehub::EventView view;
        view.kind = engagehub::ItemView::of(std::string_view("message"));
        view.community = engagehub::ItemView::of(std::string_view("c"));
        view.member = engagehub::ItemView::of(first + static_cast<std::int64_t>(i));
        columns->append(view);
    }
    return std::make_shared<const engagehub::EventBatch>(std::move(columns));
}

inline Members members_of(const engagehub::EventBatch& batch) {
    Members members;
    for (std::size_t i = 0; i < batch.size(); ++i) members.push_back(batch[i].member.number);
    return members;
}

// Keeps what it takes. `answer` may throw, and else says what the sink answers.
class PlayedSink : public engagehub::BatchSink {
public:
    std::function<engagehub::WriteResult(const engagehub::EventBatch&)> answer;
    std::size_t writes = 0;
    Members stored;

    engagehub::WriteResult write(const Batch& batch) override {
        ++writes;
        engagehub::WriteResult result{batch->size(), 0, 0};
        if (answer) result = answer(*batch);
        const Members members = members_of(*batch);
        stored.insert(stored.end(), members.begin(), members.end());
        return result;
    }
};

// Waits end at once, at their deadline, or when on_wait says that it has woken them.
struct PlayedTime {
    struct State {
        engagehub::Deadline now{std::chrono::hours(1)};
        std::vector<double> waits;  // seconds
        std::function<bool()> on_wait;
    };
    std::shared_ptr<State> state = std::make_shared<State>();

    engagehub::Deadline now() const { return state->now; }
    void wait(std::condition_variable& /*wake*/, std::unique_lock<std::mutex>& lock, engagehub::Deadline deadline) {
        state->waits.push_back(std::chrono::duration<double>(deadline - state->now).count());
        bool is_woken = false;
        if (state->on_wait) {
            lock.unlock();
            is_woken = state->on_wait();
            lock.lock();
        }
        if (!is_woken) state->now = deadline;
    }
};

}  // namespace engagehub_tests
