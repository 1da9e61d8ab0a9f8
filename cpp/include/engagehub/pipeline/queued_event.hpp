// SPDX-License-Identifier: MIT
// Purpose: an event as it lies in a slot of the ring: of a fixed size, with its texts inside, so that most events cost
// no allocation and all of an event is on two cache lines. What doesn't fit goes to a block of its own.
// Thread safety: as a plain value. A block is shared by the readers of the slot; each lets go of it once.
// Invariants: the fields lie one behind the other in the order of Field, a text as its bytes and an integer as eight;
// ends say where each stops. What most events have comes first, so that reading it touches one cache line.
// Complexity: O(bytes) to write, O(1) to read a field. Failure: EventDraft's constructor throws InvalidType,
// InvalidArgument or std::bad_alloc; after it nothing can fail.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/pipeline/event.hpp>

namespace engagehub {

class EventDraft;
class EventMould;

class QueuedEvent {
public:
    std::int64_t at() const noexcept { return at_; }  // microseconds since 1970
    double value() const noexcept { return value_; }
    ItemView kind() const noexcept { return field(kKind); }
    ItemView member() const noexcept { return field(kMember); }
    ItemView channel() const noexcept { return field(kChannel); }
    ItemView community() const noexcept { return field(kCommunity); }
    ItemView id() const noexcept { return field(kId); }
    ItemView data() const noexcept { return field(kData); }

    // Valid until the slot is let go of.
    EventView view() const noexcept {
        EventView view;
        view.id = id();
        view.kind = kind();
        view.community = community();
        view.channel = channel();
        view.member = member();
        view.data = data();
        view.at = at_;
        view.value = value_;
        return view;
    }

    // Each reader of the slot calls it once, when it is done with the event.
    void let_go() const noexcept {
        if (has_block()) release(block());
    }

private:
    friend class EventDraft;
    friend class EventMould;

    // What is there with every event comes first, then what often is.
    enum Field : std::uint8_t { kKind, kMember, kChannel, kCommunity, kId, kData };
    static constexpr std::size_t kFields = 6;
    static constexpr std::size_t kInline = 96;
    static constexpr std::uint16_t kBlockBit = 1U << 15U;

    struct Block {
        std::atomic<std::uint32_t> readers;
        std::array<std::uint32_t, kFields> ends;

        char* bytes() noexcept { return reinterpret_cast<char*>(this) + sizeof(Block); }
        const char* bytes() const noexcept { return reinterpret_cast<const char*>(this) + sizeof(Block); }
    };

    // Acquire and release: what others read of the block comes before its end.
    static void release(Block* block) noexcept {
        if (block->readers.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            block->~Block();
            ::operator delete(block);
        }
    }

    bool has_block() const noexcept { return (kinds_ & kBlockBit) != 0; }
    Block* block() const noexcept {
        Block* block = nullptr;
        std::memcpy(static_cast<void*>(&block), inline_.data(), sizeof(Block*));
        return block;
    }

    ItemView field(Field which) const noexcept {
        const auto kind = static_cast<ItemKind>((kinds_ >> (2U * which)) & 3U);
        if (kind == ItemKind::kNone) return {};
        std::size_t begin = 0;
        std::size_t end = 0;
        const char* bytes = inline_.data();
        if (has_block()) {
            const Block* const block = this->block();
            begin = which == 0 ? 0 : block->ends[which - 1U];
            end = block->ends[which];
            bytes = block->bytes();
        } else {
            begin = which == 0 ? 0 : ends_[which - 1U];
            end = ends_[which];
        }
        if (kind == ItemKind::kText) return ItemView::of(std::string_view(bytes + begin, end - begin));
        std::int64_t number = 0;
        std::memcpy(&number, bytes + begin, sizeof number);
        return ItemView::of(number);
    }

    std::int64_t at_;
    double value_;
    std::uint16_t kinds_;  // two bits a field; the highest bit: the fields are in a block, to which inline_ points
    std::array<std::uint8_t, kFields> ends_;
    std::array<char, kInline> inline_;
};
static_assert(sizeof(QueuedEvent) == 120, "with its sequence number a slot is to fill two cache lines");

// An event that was found good and for which there is all memory that it needs: writing it can't fail. It borrows the
// view, which must outlive it.
class EventDraft {
public:
    // REQUIRES: kind is text, data is text or missing, community and member are there, no field is longer than
    // kMaxFieldBytes, and value is finite.
    EventDraft(const EventView& view, std::size_t readers) : view_(view) {
        require(view.kind.kind == ItemKind::kText, "kind must be str");
        require(view.member.kind != ItemKind::kNone, "member must be int or str");
        require(view.community.kind != ItemKind::kNone, "community must be int or str");
        require(view.data.kind != ItemKind::kInteger, "data must be str");
        if (!std::isfinite(view.value)) throw InvalidArgument("value must be finite, got " + shown(view.value));
        if (!fits(bytes_of(view))) make_block(readers);
    }
    // Whether the fields of an event lie inside of a slot, so that a draft of it needs no memory.
    static bool fits(std::size_t bytes) noexcept { return bytes <= QueuedEvent::kInline; }
    static std::size_t bytes_of(const EventView& view) noexcept {
        return size_of(view.kind) + size_of(view.member) + size_of(view.channel) + size_of(view.community) +
            size_of(view.id) + size_of(view.data);
    }

    EventDraft(const EventView&& view, std::size_t readers) = delete;
    EventDraft(const EventDraft&) = delete;
    EventDraft& operator=(const EventDraft&) = delete;
    ~EventDraft() {
        if (block_ == nullptr) return;
        block_->readers.store(1, std::memory_order_relaxed);  // relaxed: nobody else knows of it
        QueuedEvent::release(block_);
    }

    const EventView& view() const noexcept { return view_; }

    // Once only: the slot's readers own the block from here on.
    void write(QueuedEvent& slot) noexcept {
        if (block_ == nullptr) return write(view_, slot);
        slot.at_ = view_.at;
        slot.value_ = view_.value;
        slot.kinds_ = static_cast<std::uint16_t>(kinds_of(view_) | QueuedEvent::kBlockBit);
        QueuedEvent::Block* const block = std::exchange(block_, nullptr);
        std::memcpy(slot.inline_.data(), static_cast<const void*>(&block), sizeof(QueuedEvent::Block*));
    }
    // Of an event that was found good and fits.
    static void write(const EventView& view, QueuedEvent& slot) noexcept {
        slot.at_ = view.at;
        slot.value_ = view.value;
        slot.kinds_ = static_cast<std::uint16_t>(kinds_of(view));
        fill(view, slot.inline_.data(), slot.ends_.data());
    }

private:
    // In the order of Field. Written out, so that no compiler makes a loop of it.
    template <class Act>
    static void for_each_field(const EventView& view, Act&& act) {
        act(view.kind, "kind");
        act(view.member, "member");
        act(view.channel, "channel");
        act(view.community, "community");
        act(view.id, "id");
        act(view.data, "data");
    }
    static unsigned kinds_of(const EventView& view) noexcept {
        const auto bits = [](const ItemView& field, QueuedEvent::Field which) {
            return static_cast<unsigned>(field.kind) << (2U * which);
        };
        return bits(view.kind, QueuedEvent::kKind) | bits(view.member, QueuedEvent::kMember) |
            bits(view.channel, QueuedEvent::kChannel) | bits(view.community, QueuedEvent::kCommunity) |
            bits(view.id, QueuedEvent::kId) | bits(view.data, QueuedEvent::kData);
    }
    static std::size_t size_of(const ItemView& field) noexcept {
        return field.kind == ItemKind::kInteger ? sizeof field.number : field.text.size();
    }
    static void require(bool holds, const char* text) {
        if (!holds) throw InvalidType(text);
    }

    // Only here may a field be too long: fewer bytes in all than are inside of a slot are allowed.
    void make_block(std::size_t readers) {
        std::size_t total = 0;
        for_each_field(view_, [&](const ItemView& field, const char* name) {
            const std::size_t size = size_of(field);
            if (size > kMaxFieldBytes) {
                throw InvalidArgument(
                    std::string(name) + " must have at most " + std::to_string(kMaxFieldBytes) +
                    " bytes of UTF-8, got " + std::to_string(size));
            }
            total += size;
        });
        block_ = ::new (::operator new(sizeof(QueuedEvent::Block) + total))
            QueuedEvent::Block{{static_cast<std::uint32_t>(readers)}, {}};
        fill(view_, block_->bytes(), block_->ends.data());
    }

    template <class End>
    static void fill(const EventView& view, char* const out, End* const ends) noexcept {
        std::size_t end = 0;
        end = fill(view.kind, out, end, ends[QueuedEvent::kKind]);
        end = fill(view.member, out, end, ends[QueuedEvent::kMember]);
        end = fill(view.channel, out, end, ends[QueuedEvent::kChannel]);
        end = fill(view.community, out, end, ends[QueuedEvent::kCommunity]);
        end = fill(view.id, out, end, ends[QueuedEvent::kId]);
        fill(view.data, out, end, ends[QueuedEvent::kData]);
    }
    template <class End>
    static std::size_t fill(const ItemView& field, char* out, std::size_t end, End& end_in_slot) noexcept {
        if (field.kind == ItemKind::kInteger) {
            std::memcpy(out + end, &field.number, sizeof field.number);
            end += sizeof field.number;
        } else if (!field.text.empty()) {
            std::memcpy(out + end, field.text.data(), field.text.size());
            end += field.text.size();
        }
        end_in_slot = static_cast<End>(end);
        return end;
    }

    const EventView& view_;
    QueuedEvent::Block* block_ = nullptr;
};

// Many events that differ only in instants, values and integers: what they have in common is laid out once.
class EventMould {
public:
    // REQUIRES: what EventDraft does, and that the event fits. A field that differs has an integer here, too.
    explicit EventMould(const EventView& event) noexcept {
        EventDraft::write(event, laid_out_);
        bytes_ = kHead + laid_out_.ends_[QueuedEvent::kFields - 1];
    }

    // Where put() finds a field. REQUIRES: it has an integer.
    std::size_t place_of(ItemView EventView::* field) const noexcept {
        static constexpr std::array<ItemView EventView::*, QueuedEvent::kFields> kFields{
            &EventView::kind,      &EventView::member, &EventView::channel,
            &EventView::community, &EventView::id,     &EventView::data};
        const auto which = static_cast<std::size_t>(std::find(kFields.begin(), kFields.end(), field) - kFields.begin());
        return laid_out_.ends_[which] - sizeof(std::int64_t);
    }

    void write(QueuedEvent& slot, std::int64_t at, double value) const noexcept {
        std::memcpy(static_cast<void*>(&slot), &laid_out_, bytes_);
        slot.at_ = at;
        slot.value_ = value;
    }
    static void put(QueuedEvent& slot, std::size_t place, std::int64_t number) noexcept {
        std::memcpy(slot.inline_.data() + place, &number, sizeof number);
    }

private:
    static constexpr std::size_t kHead = sizeof(QueuedEvent) - QueuedEvent::kInline;

    QueuedEvent laid_out_{};
    std::size_t bytes_;
};

}  // namespace engagehub
