// SPDX-License-Identifier: MIT
// Purpose: events in columns, as a sink is given them. EventColumns owns the columns while they are filled; an
// EventBatch is a range of columns that never change again, so a part of a batch shares the memory of the whole.
// Thread safety: EventColumns is external; whoever shares columns no longer appends to them, so batches may be read by
// any thread.
// Invariants: every column has the same number of rows. A column of items has memory for numbers once it holds an
// integer, for offsets and bytes once it holds a text, for tags once it holds two kinds, and each of them has a value
// for every row: those of another kind are zero and empty. That is the layout of Apache Arrow, for a sparse union too.
// Complexity: append() is O(bytes of the event) amortised, reading an event and slicing O(1).
// Failure: append() and reserve() throw std::bad_alloc or std::length_error and leave the rows as they were.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event.hpp>

namespace engagehub {

class ItemColumn {
public:
    std::size_t size() const noexcept { return size_; }
    bool holds(ItemKind kind) const noexcept { return (held_ & bit(kind)) != 0; }

    ItemView operator[](std::size_t i) const noexcept {
        ItemView item;
        item.kind = kinds_.empty() ? only_kind_ : kinds_[i];
        if (item.kind == ItemKind::kInteger) item.number = numbers_[i];
        if (item.kind == ItemKind::kText) item.text = text(i);
        return item;
    }

    // One for each row where the column holds two kinds or more; else null.
    const ItemKind* kinds() const noexcept { return kinds_.empty() ? nullptr : kinds_.data(); }
    // One for each row where the column holds an integer; else null.
    const std::int64_t* numbers() const noexcept { return numbers_.empty() ? nullptr : numbers_.data(); }
    // One more than rows where the column holds a text, each where a text ends and the next begins; else null.
    const std::int64_t* offsets() const noexcept { return offsets_.empty() ? nullptr : offsets_.data(); }
    const char* bytes() const noexcept { return bytes_.data(); }

    std::size_t memory_bytes() const noexcept {
        return kinds_.capacity() * sizeof(ItemKind) + bytes_.capacity() +
            (numbers_.capacity() + offsets_.capacity()) * sizeof(std::int64_t);
    }

    // So many rows are expected: what the column turns out to need is allocated once.
    void expect(std::size_t rows) noexcept { expected_ = rows; }

    // Everything that append() of this item needs. THROWS: std::bad_alloc, std::length_error; no row changes.
    void make_room(const ItemView& item) {
        const std::uint8_t held = held_ | bit(item.kind);
        const std::size_t rows = size_ + 1;
        if (is_mixed(held)) ensure(kinds_, rows, expected_);
        if ((held & bit(ItemKind::kInteger)) != 0) ensure(numbers_, rows, expected_);
        if ((held & bit(ItemKind::kText)) != 0) {
            ensure(offsets_, rows + 1, expected_ + 1);
            ensure(bytes_, bytes_.size() + item.text.size(), 0);
        }
    }
    // REQUIRES: make_room(item) since the last append().
    void append(const ItemView& item) noexcept {
        if (!holds(item.kind)) begin(item.kind);
        if (is_mixed(held_)) kinds_.push_back(item.kind);
        if (holds(ItemKind::kInteger)) numbers_.push_back(item.kind == ItemKind::kInteger ? item.number : 0);
        if (holds(ItemKind::kText)) {
            if (item.kind == ItemKind::kText) bytes_.insert(bytes_.end(), item.text.begin(), item.text.end());
            offsets_.push_back(static_cast<std::int64_t>(bytes_.size()));
        }
        ++size_;
    }

private:
    static constexpr std::uint8_t bit(ItemKind kind) noexcept {
        return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
    }
    static constexpr bool is_mixed(std::uint8_t held) noexcept { return (held & (held - 1)) != 0; }

    template <class Value>
    static void ensure(std::vector<Value>& values, std::size_t size, std::size_t expected) {
        if (size > values.capacity()) values.reserve(std::max({size, expected, 2 * values.capacity()}));
    }

    std::string_view text(std::size_t i) const noexcept {
        const auto first = static_cast<std::size_t>(offsets_[i]);
        return {bytes_.data() + first, static_cast<std::size_t>(offsets_[i + 1]) - first};
    }

    // The first item of a kind: the rows before it get what they lack.
    void begin(ItemKind kind) noexcept {
        const std::uint8_t before = held_;
        held_ = before | bit(kind);
        if (before == 0) only_kind_ = kind;
        if (before != 0 && !is_mixed(before)) kinds_.resize(size_, only_kind_);
        if (kind == ItemKind::kInteger) numbers_.resize(size_, 0);
        if (kind == ItemKind::kText) offsets_.resize(size_ + 1, 0);
    }

    std::size_t size_ = 0;
    std::size_t expected_ = 0;
    std::uint8_t held_ = 0;  // a bit for each kind
    ItemKind only_kind_ = ItemKind::kNone;
    std::vector<ItemKind> kinds_;
    std::vector<std::int64_t> numbers_;
    std::vector<std::int64_t> offsets_;
    std::vector<char> bytes_;
};

// The fields of an event that are items, in the order of EventView.
enum class ItemField : std::uint8_t { kId, kKind, kCommunity, kChannel, kMember, kData };

inline constexpr std::array<ItemView EventView::*, 6> kItemFields{
    &EventView::id, &EventView::kind, &EventView::community, &EventView::channel, &EventView::member, &EventView::data};

class EventColumns {
public:
    std::size_t size() const noexcept { return at_.size(); }

    // The texts are borrowed while the columns live and nothing is appended.
    EventView operator[](std::size_t i) const noexcept {
        EventView event;
        for (std::size_t field = 0; field < kItemFields.size(); ++field) event.*kItemFields[field] = items_[field][i];
        event.at = at_[i];
        event.value = value_[i];
        return event;
    }
    const ItemColumn& items(ItemField field) const noexcept { return items_[static_cast<std::size_t>(field)]; }
    const std::int64_t* at() const noexcept { return at_.data(); }  // microseconds since 1970
    const double* value() const noexcept { return value_.data(); }

    std::size_t memory_bytes() const noexcept {
        std::size_t bytes = at_.capacity() * sizeof(std::int64_t) + value_.capacity() * sizeof(double);
        for (const ItemColumn& column : items_) bytes += column.memory_bytes();
        return bytes;
    }

    void reserve(std::size_t rows) {
        at_.reserve(rows);
        value_.reserve(rows);
        for (ItemColumn& column : items_) column.expect(rows);
    }

    void append(const EventView& event) {
        if (at_.size() == at_.capacity() || value_.size() == value_.capacity()) {
            const std::size_t rows = std::max<std::size_t>(2 * at_.size(), 16);
            at_.reserve(rows);
            value_.reserve(rows);
        }
        for (std::size_t field = 0; field < kItemFields.size(); ++field)
            items_[field].make_room(event.*kItemFields[field]);
        for (std::size_t field = 0; field < kItemFields.size(); ++field)
            items_[field].append(event.*kItemFields[field]);
        at_.push_back(event.at);
        value_.push_back(event.value);
    }

private:
    std::array<ItemColumn, kItemFields.size()> items_;
    std::vector<std::int64_t> at_;
    std::vector<double> value_;
};

// Events on their way to a sink, in the order of their acceptance; shared, since a sink may keep it.
class EventBatch {
public:
    explicit EventBatch(std::shared_ptr<const EventColumns> columns) noexcept
        : columns_(std::move(columns)), count_(columns_->size()) {}
    // REQUIRES: first + count <= columns->size().
    EventBatch(std::shared_ptr<const EventColumns> columns, std::size_t first, std::size_t count) noexcept
        : columns_(std::move(columns)), first_(first), count_(count) {}

    std::size_t size() const noexcept { return count_; }
    EventView operator[](std::size_t i) const noexcept { return (*columns_)[first_ + i]; }

    // REQUIRES: first + count <= size().
    std::shared_ptr<const EventBatch> slice(std::size_t first, std::size_t count) const {
        return std::make_shared<const EventBatch>(columns_, first_ + first, count);
    }
    // The same events in memory of their own, so that a few of them don't keep all the others. THROWS: std::bad_alloc.
    std::shared_ptr<const EventBatch> copy(std::size_t first, std::size_t count) const {
        const auto columns = std::make_shared<EventColumns>();
        columns->reserve(count);
        for (std::size_t i = first; i != first + count; ++i) columns->append((*this)[i]);
        return std::make_shared<const EventBatch>(columns);
    }

    // The columns that this is a part of, from row first() on.
    const EventColumns& columns() const noexcept { return *columns_; }
    const std::shared_ptr<const EventColumns>& shared_columns() const noexcept { return columns_; }
    std::size_t first() const noexcept { return first_; }

    // What is kept in memory as long as this lives: the columns of the whole.
    std::size_t memory_bytes() const noexcept { return columns_->memory_bytes(); }

private:
    std::shared_ptr<const EventColumns> columns_;
    std::size_t first_ = 0;
    std::size_t count_;
};

}  // namespace engagehub
