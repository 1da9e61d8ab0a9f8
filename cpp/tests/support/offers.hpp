// SPDX-License-Identifier: MIT
// Purpose: events to push into a processor, and pushing them; and the sums that hold in each of its snapshots.
// Thread safety: one thread.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <thread>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/event_processor.hpp>
#include <engagehub/pipeline/identity.hpp>
#include <engagehub/pipeline/queued_event.hpp>

namespace engagehub_tests {

inline engagehub::EventView event_by(std::int64_t member, std::int64_t community = 0) {
    engagehub::EventView view;
    view.kind = engagehub::ItemView::of(std::string_view("message"));
    view.community = engagehub::ItemView::of(community);
    view.member = engagehub::ItemView::of(member);
    return view;
}

// What EventProcessor::push() wants; texts are borrowed.
class Offers {
public:
    explicit Offers(const engagehub::EventProcessor& processor) : readers_(processor.readers()) {}

    void add(const engagehub::EventView& view) { drafts_.emplace_back(views_.emplace_back(view), readers_); }
    void add_members(std::int64_t first, std::int64_t end) {
        for (std::int64_t member = first; member < end; ++member) add(event_by(member));
    }

    std::size_t size() const { return drafts_.size(); }
    void write(std::size_t i, engagehub::QueuedEvent& slot) noexcept { drafts_[i].write(slot); }
    bool has_ids() const {
        return std::any_of(views_.begin(), views_.end(), [](const engagehub::EventView& view) {
            return view.id.kind != engagehub::ItemKind::kNone;
        });
    }
    std::optional<engagehub::Identity> identity(std::size_t i) const {
        const engagehub::EventView& view = views_[i];
        if (view.id.kind == engagehub::ItemKind::kNone) return std::nullopt;
        return engagehub::identity_of(view.community, view.id);
    }

private:
    std::size_t readers_;
    std::deque<engagehub::EventView> views_;
    std::deque<engagehub::EventDraft> drafts_;
};

inline engagehub::PushOutcome push(
    engagehub::EventProcessor& processor, const engagehub::EventView& view, std::int64_t now = 0) {
    Offers offers(processor);
    offers.add(view);
    engagehub::PushCounts counts;
    return processor.push(offers, now, counts);
}
inline engagehub::PushOutcome push(engagehub::EventProcessor& processor, std::int64_t member) {
    return push(processor, event_by(member));
}
// The same member with an id: what is offered again with it is a duplicate.
inline engagehub::PushOutcome push_with_id(
    engagehub::EventProcessor& processor, std::int64_t member, std::int64_t now = 0) {
    engagehub::EventView view = event_by(member);
    view.id = engagehub::ItemView::of(member);
    return push(processor, view, now);
}

inline bool flush(engagehub::EventProcessor& processor, double seconds = 60) {
    return processor.wait_flushed(processor.request_flush(), engagehub::deadline_after(seconds));
}
inline bool close(engagehub::EventProcessor& processor, double seconds = 60) {
    processor.stop();
    if (!processor.wait_ended(engagehub::deadline_after(seconds))) return false;
    processor.join();
    return true;
}

// Only size, flush and close end a batch.
inline engagehub::ProcessorConfig lazy(std::size_t batch_size) {
    engagehub::ProcessorConfig config;
    config.run = "run";
    config.batch_size = batch_size;
    config.flush_interval = 3600;
    return config;
}

inline std::uint64_t refused(const engagehub::ProcessorStats& stats) {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : stats.refused) sum += count;
    return sum;
}

inline void check_sums(const engagehub::ProcessorStats& stats) {
    const auto& sink = stats.sink;
    CHECK(
        stats.accepted ==
        stats.queued + sink.in_flight + sink.delivered + sink.dead + sink.dead_evicted + sink.dead_taken +
            stats.evicted);
    CHECK(sink.delivered == sink.written + sink.duplicate + sink.rejected);
    CHECK(stats.queued <= stats.accepted);  // no difference wrapped below nothing
    CHECK(sink.in_flight <= stats.accepted);
    CHECK(sink.dead <= stats.accepted);
    CHECK(stats.applied <= stats.accepted);
    CHECK(stats.lag >= 0);
    CHECK(stats.sink_lag >= 0);
}

// Looks until it holds; what never does fails the test.
template <class Condition>
void await(Condition&& holds) {
    const auto patience = engagehub::deadline_after(60);
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= patience) FAIL("waited for a minute");
        std::this_thread::yield();
    }
}

}  // namespace engagehub_tests
