// SPDX-License-Identifier: MIT
// Purpose: an event: the immutable fact that something happened. EventView borrows, EventRecord owns.
// Thread safety: values; a record never changes after it was made.
// Invariants: a record is one heap block, the header and then the six fields in the order of EventView, a text as its
// bytes and an integer as eight; `ends_` says where each field stops. Nothing is shared between records, so memory is
// given back with the last event that used a text.
// Complexity: O(bytes) to make, O(1) to read.
// Failure: make() throws InvalidArgument, InvalidType or std::bad_alloc, and then nothing exists.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/base/shown.hpp>

namespace engagehub {

// No field of an event may be longer: what is queued stays bounded by the number of events.
inline constexpr std::size_t kMaxFieldBytes = 65'536;

struct EventView {
    ItemView id;  // an item of kind kNone where there is none; so have channel and data
    ItemView kind;
    ItemView community;
    ItemView channel;
    ItemView member;
    ItemView data;
    std::int64_t at = 0;  // microseconds since 1970
    double value = 1.0;
};

class EventRecord;

struct EventRecordDeleter {
    void operator()(const EventRecord* record) const noexcept;
};

using EventPtr = std::unique_ptr<const EventRecord, EventRecordDeleter>;

class EventRecord {
public:
    // REQUIRES: kind and data are text, data may be missing; community and member are there; no field is longer than
    // kMaxFieldBytes; value is finite. THROWS: InvalidType, InvalidArgument.
    static EventPtr make(const EventView& view) {
        const std::array<const ItemView*, kFields> fields = fields_of(view);
        require(view.kind.kind == ItemKind::kText, "kind must be str");
        require(view.member.kind != ItemKind::kNone, "member must be int or str");
        require(view.community.kind != ItemKind::kNone, "community must be int or str");
        require(view.data.kind != ItemKind::kInteger, "data must be str");
        if (!std::isfinite(view.value)) throw InvalidArgument("value must be finite, got " + shown(view.value));
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < kFields; ++i) {
            if (fields[i]->text.size() > kMaxFieldBytes) {
                throw InvalidArgument(
                    std::string(kNames[i]) + " must have at most " + std::to_string(kMaxFieldBytes) +
                    " bytes of UTF-8, got " + std::to_string(fields[i]->text.size()));
            }
            bytes += size_of(*fields[i]);
        }
        void* memory = ::operator new(sizeof(EventRecord) + bytes);
        return EventPtr(::new (memory) EventRecord(view, fields));
    }

    std::int64_t at() const noexcept { return at_; }
    double value() const noexcept { return value_; }

    // Valid while the record lives.
    EventView view() const noexcept {
        EventView view;
        view.at = at_;
        view.value = value_;
        std::array<ItemView*, kFields> fields{&view.id,      &view.kind,   &view.community,
                                              &view.channel, &view.member, &view.data};
        const char* const start = payload();
        std::uint32_t begin = 0;
        for (std::size_t i = 0; i < kFields; ++i) {
            const std::uint32_t end = ends_[i];
            fields[i]->kind = kinds_[i];
            if (kinds_[i] == ItemKind::kText) {
                fields[i]->text = std::string_view(start + begin, end - begin);
            } else if (kinds_[i] == ItemKind::kInteger) {
                std::memcpy(&fields[i]->number, start + begin, sizeof(std::int64_t));
            }
            begin = end;
        }
        return view;
    }

private:
    static constexpr std::size_t kFields = 6;
    static constexpr std::array<const char*, kFields> kNames{"id", "kind", "community", "channel", "member", "data"};

    EventRecord(const EventView& view, const std::array<const ItemView*, kFields>& fields) noexcept
        : at_(view.at), value_(view.value) {
        char* out = payload();
        std::size_t end = 0;
        for (std::size_t i = 0; i < kFields; ++i) {
            const ItemView& field = *fields[i];
            kinds_[i] = field.kind;
            if (field.kind == ItemKind::kInteger) {
                std::memcpy(out + end, &field.number, sizeof field.number);
            } else if (!field.text.empty()) {
                std::memcpy(out + end, field.text.data(), field.text.size());
            }
            end += size_of(field);
            ends_[i] = static_cast<std::uint32_t>(end);
        }
    }

    static std::array<const ItemView*, kFields> fields_of(const EventView& view) {
        return {&view.id, &view.kind, &view.community, &view.channel, &view.member, &view.data};
    }
    static std::size_t size_of(const ItemView& field) noexcept {
        return field.kind == ItemKind::kInteger ? sizeof field.number : field.text.size();
    }
    static void require(bool holds, const char* text) {
        if (!holds) throw InvalidType(text);
    }

    char* payload() noexcept { return reinterpret_cast<char*>(this) + sizeof(EventRecord); }
    const char* payload() const noexcept { return reinterpret_cast<const char*>(this) + sizeof(EventRecord); }

    std::int64_t at_;
    double value_;
    std::array<std::uint32_t, kFields> ends_{};
    std::array<ItemKind, kFields> kinds_{};
};

inline void EventRecordDeleter::operator()(const EventRecord* record) const noexcept {
    static_assert(std::is_trivially_destructible_v<EventRecord>);
    ::operator delete(const_cast<EventRecord*>(record));
}

// Events on their way to a sink, in the order in which one worker took them; shared, since a sink may keep it.
class EventBatch {
public:
    explicit EventBatch(std::vector<EventPtr> events)
        : events_(std::make_shared<const std::vector<EventPtr>>(std::move(events))), count_(events_->size()) {}

    std::size_t size() const noexcept { return count_; }
    EventView operator[](std::size_t i) const noexcept { return record(i).view(); }
    const EventRecord& record(std::size_t i) const noexcept { return *(*events_)[first_ + i]; }

    // A part of this batch that shares its events, and so keeps all of them. REQUIRES: first + count <= size().
    std::shared_ptr<const EventBatch> slice(std::size_t first, std::size_t count) const {
        return std::shared_ptr<const EventBatch>(new EventBatch(events_, first_ + first, count));
    }
    // A part of this batch that keeps nothing but itself. REQUIRES: first + count <= size().
    std::shared_ptr<const EventBatch> copy(std::size_t first, std::size_t count) const {
        std::vector<EventPtr> events;
        events.reserve(count);
        for (std::size_t i = first; i < first + count; ++i) events.push_back(EventRecord::make((*this)[i]));
        return std::make_shared<const EventBatch>(std::move(events));
    }

private:
    EventBatch(std::shared_ptr<const std::vector<EventPtr>> events, std::size_t first, std::size_t count) noexcept
        : events_(std::move(events)), first_(first), count_(count) {}

    std::shared_ptr<const std::vector<EventPtr>> events_;
    std::size_t first_ = 0;
    std::size_t count_;
};

}  // namespace engagehub
