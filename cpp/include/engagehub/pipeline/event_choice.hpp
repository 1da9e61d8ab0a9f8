// SPDX-License-Identifier: MIT
// Purpose: which events a projection takes, by their kind, and what it takes of them.
// Thread safety: immutable. Complexity: O(log kinds) a look-up, O(1) where it is the kind of the event before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/queued_event.hpp>

namespace engagehub {

enum class EventField : std::uint8_t { kMember, kChannel, kKind, kCommunity };

// Of kind kNone where the event has none.
inline ItemView field_of(const QueuedEvent& event, EventField field) noexcept {
    switch (field) {
        case EventField::kChannel: return event.channel();
        case EventField::kKind: return event.kind();
        case EventField::kCommunity: return event.community();
        case EventField::kMember: break;
    }
    return event.member();
}

// Kinds of event with what each is worth. Without any it is every kind, each worth 1.
class KindTable {
public:
    using Row = std::pair<std::string, double>;

    KindTable() = default;
    // Of a kind that is there twice, the first counts.
    explicit KindTable(std::vector<Row> rows) : rows_(std::move(rows)) {
        std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.first < b.first; });
    }

    bool is_every() const noexcept { return rows_.empty(); }

    // Looks kinds up one after the other: most events are of the kind of the one before.
    class Reader {
    public:
        explicit Reader(const KindTable& table) noexcept : rows_(table.rows_) {}

        // What an event of this kind is worth; null if it isn't in the table. REQUIRES: a table that has rows.
        const double* find(std::string_view kind) noexcept {
            if (last_ == rows_.size() || rows_[last_].first != kind) {
                const auto row = std::lower_bound(
                    rows_.begin(), rows_.end(), kind, [](const Row& a, std::string_view b) { return a.first < b; });
                if (row == rows_.end() || row->first != kind) return nullptr;
                last_ = static_cast<std::size_t>(row - rows_.begin());
            }
            return &rows_[last_].second;
        }

    private:
        const std::vector<Row>& rows_;
        std::size_t last_ = 0;
    };

private:
    std::vector<Row> rows_;
};

}  // namespace engagehub
