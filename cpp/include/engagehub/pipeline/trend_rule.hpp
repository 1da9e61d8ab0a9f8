// SPDX-License-Identifier: MIT
// Purpose: how events keep a TopK current: each counts a field of its own, such as the channel, once.
// Thread safety: immutable. Failure: apply() doesn't; it notes what it skipped.
#pragma once

#include <cstddef>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event_choice.hpp>
#include <engagehub/pipeline/projection.hpp>
#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/sketch/top_k.hpp>

namespace engagehub {

struct TrendRule {
    using Structure = TopK;

    TopK empty;  // what each trend begins as
    EventField item = EventField::kChannel;
    KindTable kinds;

    // An event without the field is left out.
    bool takes(const QueuedEvent& event) const noexcept {
        return field_of(event, item).kind != ItemKind::kNone &&
            (kinds.is_every() || KindTable::Reader(kinds).find(event.kind().text) != nullptr);
    }

    void apply(TopK& trend, const QueuedEvent* const* events, std::size_t count, Skips& skips) const noexcept {
        KindTable::Reader reader(kinds);
        skips.each(events, count, [&](const QueuedEvent& event) -> const char* {
            if (!kinds.is_every() && reader.find(event.kind().text) == nullptr) return nullptr;
            const ItemView counted = field_of(event, item);
            if (counted.kind == ItemKind::kNone) return nullptr;
            if (trend.kind() != ItemKind::kNone && trend.kind() != counted.kind)
                return "items of a trend must be all int or all str, got both";
            trend.add(counted, 1.0, event.at());
            return nullptr;
        });
    }
};

}  // namespace engagehub
