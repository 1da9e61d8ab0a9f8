// SPDX-License-Identifier: MIT
// Purpose: events of the queue that tests make up, one by one or many at random.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/queued_event.hpp>

namespace engagehub_tests {

// Owns its events.
class Events {
public:
    Events() = default;
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;
    ~Events() {
        for (const auto& event : events_) event.let_go();
    }

    void add(const engagehub::EventView& view) {
        engagehub::EventDraft draft(view, 1);
        draft.write(events_.emplace_back());
    }

    std::size_t size() const { return events_.size(); }
    const engagehub::QueuedEvent& operator[](std::size_t i) const { return events_[i]; }
    std::vector<const engagehub::QueuedEvent*> pointers() const {
        std::vector<const engagehub::QueuedEvent*> result;
        for (const auto& event : events_) result.push_back(&event);
        return result;
    }

private:
    std::deque<engagehub::QueuedEvent> events_;
};

inline engagehub::EventView event_of(
    std::string_view kind, std::int64_t member, std::int64_t channel, std::int64_t community, std::int64_t at) {
    engagehub::EventView view;
    view.kind = engagehub::ItemView::of(kind);
    view.member = engagehub::ItemView::of(member);
    view.channel = engagehub::ItemView::of(channel);
    view.community = engagehub::ItemView::of(community);
    view.at = at;
    return view;
}

// Events of a few kinds and communities. Some have no channel, some come hours late, some texts are too long for a
// slot, and a few members and channels are of the other kind than most.
inline void add_random_events(Events& events, std::size_t count, unsigned seed) {
    constexpr std::int64_t kSecond = 1'000'000;
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t limit) { return static_cast<std::int64_t>(random() % limit); };
    const std::string padding(100, 'x');
    for (std::size_t i = 0; i < count; ++i) {
        engagehub::EventView view = event_of(
            "message", below(300), below(40), below(5),
            1'700'000'000 * kSecond + static_cast<std::int64_t>(i) * kSecond);
        std::string community;
        std::string member;
        if (below(4) == 0) view.kind = engagehub::ItemView::of(std::string_view(below(2) == 0 ? "join" : "reaction"));
        if (below(10) == 0) view.channel = {};
        if (below(30) == 0) view.channel = engagehub::ItemView::of(std::string_view("general"));
        if (below(3) == 0) {
            community = "school " + std::to_string(below(4));
            if (below(8) == 0) community += padding;
            view.community = engagehub::ItemView::of(std::string_view(community));
        }
        if (below(20) == 0) {
            member = "member " + std::to_string(below(300));
            view.member = engagehub::ItemView::of(std::string_view(member));
        }
        if (below(50) == 0) view.at -= below(100'000) * kSecond;
        view.value = below(5) == 0 ? static_cast<double>(below(7)) / 2 : 1.0;
        if (below(200) == 0) view.value = 1e300;
        events.add(view);
    }
}

}  // namespace engagehub_tests
