// SPDX-License-Identifier: MIT
// Purpose: how events keep a DistinctWindow current: each counts a field of its own, such as the member, at its
// instant. Thread safety: immutable. Failure: apply() doesn't; it notes what it skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_choice.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/window/distinct_window.hpp>

namespace engagehub {

struct WindowRule {
    using Structure = DistinctWindow;

    std::int64_t span = 0;  // microseconds, as resolution
    std::int64_t resolution = 0;
    unsigned p = HyperLogLog::kDefaultPrecision;
    ItemHash hash;
    EventField item = EventField::kMember;
    KindTable kinds;

    // Throws what is wrong with the rule.
    template <class Instance>
    std::shared_ptr<Instance> make() const {
        return std::make_shared<Instance>(span, resolution, p, hash);
    }

    // An event without the field is left out.
    bool takes(const QueuedEvent& event) const noexcept {
        return field_of(event, item).kind != ItemKind::kNone &&
            (kinds.is_every() || KindTable::Reader(kinds).find(event.kind().text) != nullptr);
    }

    void apply(
        DistinctWindow& window, const QueuedEvent* const* events, std::size_t count, Skips& skips) const noexcept {
        KindTable::Reader reader(kinds);
        skips.each(events, count, [&](const QueuedEvent& event) -> const char* {
            if (!kinds.is_every() && reader.find(event.kind().text) == nullptr) return nullptr;
            const ItemView counted = field_of(event, item);
            if (counted.kind == ItemKind::kNone) return nullptr;
            if (window.kind() != ItemKind::kNone && window.kind() != counted.kind)
                return "members of a window must be all int or all str, got both";
            return window.add(counted, event.at()) ? nullptr
                                                   : "events must not be older than the window, got a late one";
        });
    }
};

}  // namespace engagehub
