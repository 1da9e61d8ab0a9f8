// SPDX-License-Identifier: MIT
// Purpose: how events keep a DistinctWindow current: each counts a field of its own, such as the member, at its
// instant. Thread safety: immutable. Failure: apply() doesn't; it notes what it skipped.
#pragma once

#include <cstddef>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_choice.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/window/distinct_window.hpp>

namespace engagehub {

struct WindowRule {
    using Structure = DistinctWindow;

    DistinctWindow empty;  // what each window begins as
    EventField item = EventField::kMember;
    KindTable kinds;

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
