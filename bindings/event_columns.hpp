// SPDX-License-Identifier: MIT
// Purpose: events that Python code gives as columns: a mapping of names to lists, arrays and Arrow columns, or a table
// of Arrow. Everything is checked when it is made; afterwards an event is put together from its row, and nothing of it
// is refused. Thread safety: make and destroy attached. Rows may be read detached; 64-bit integers are read in the
// caller's own arrays, so who writes to one meanwhile is seen: read each row once. Complexity: O(rows) to make, O(1)
// for a row. Failure: InvalidType or InvalidArgument that names the column, its row, what was required and what was
// given; error_already_set for what the caller's own code raised.
#pragma once

#include "python.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/pipeline/event.hpp>

#include "arrow_columns.hpp"
#include "convert.hpp"

// A column as it was given: an object of Python, a column of Arrow, or neither.
struct ColumnGiven {
    py::object object;
    std::shared_ptr<const arrow_columns::Column> arrow;

    explicit operator bool() const { return arrow != nullptr || (object && !object.is_none()); }
};

// The items of one field, for each row or for all of them.
class ItemsGiven {
public:
    // What a field may hold besides text.
    struct Rule {
        const char* name;
        bool may_be_integer;
        bool may_be_none;
        bool may_be_json = false;
    };

    ItemsGiven(const ColumnGiven& given, const Rule& rule);

    bool is_for_all() const { return is_for_all_; }
    std::size_t size() const { return size_; }
    // One of them is null. REQUIRES: not is_for_all().
    const std::int64_t* numbers() const { return numbers_; }
    const engagehub::ItemView* items() const { return numbers_ == nullptr ? items_.data() : nullptr; }
    // REQUIRES: is_for_all().
    const engagehub::ItemView& item() const { return items_[0]; }

private:
    void read_arrow(const Rule& rule);
    void read_sequence(const py::object& object, const Rule& rule);
    engagehub::ItemView item_of(py::handle object, const Rule& rule, convert::Argument argument);
    void check(const Rule& rule) const;

    bool is_for_all_ = false;
    std::size_t size_ = 0;
    const std::int64_t* numbers_ = nullptr;
    std::vector<engagehub::ItemView> items_;

    // What those lie in.
    py::object owner_;
    std::vector<py::object> made_;  // texts of JSON
    std::shared_ptr<const arrow_columns::Column> arrow_;
    std::unique_ptr<convert::ItemBatch> integers_;
    std::vector<std::int64_t> widened_;
};

class EventColumnsGiven {
public:
    // now() gives the instant, in microseconds, where no column does; it is called at most once.
    EventColumnsGiven(const py::object& given, const std::function<std::int64_t()>& now);
    EventColumnsGiven(const EventColumnsGiven&) = delete;
    EventColumnsGiven& operator=(const EventColumnsGiven&) = delete;

    std::size_t size() const noexcept { return size_; }

    // Its texts are borrowed from what this holds.
    engagehub::EventView operator[](std::size_t i) const noexcept {
        engagehub::EventView event = common_;
        for (const Varying* column = varying_.data(); column != varying_.data() + varying_count_; ++column) {
            engagehub::ItemView& item = event.*column->field;
            if (column->numbers != nullptr) {
                item.kind = engagehub::ItemKind::kInteger;
                item.number = column->numbers[i];
            } else {
                item = column->items[i];
            }
        }
        event.at = at(i);
        event.value = value(i);
        return event;
    }
    std::int64_t at(std::size_t i) const noexcept { return instants_.empty() ? common_.at : instants_[i]; }
    double value(std::size_t i) const noexcept { return values_.empty() ? common_.value : values_[i]; }

    // The fields that differ from row to row, by number. REQUIRES of number(): are_rows_alike().
    std::size_t varying_count() const noexcept { return varying_count_; }
    engagehub::ItemView engagehub::EventView::* varying_field(std::size_t which) const noexcept {
        return varying_[which].field;
    }
    std::int64_t number(std::size_t which, std::size_t i) const noexcept { return varying_[which].numbers[i]; }

    bool has_ids() const noexcept {
        if (common_.id.kind != engagehub::ItemKind::kNone) return true;
        for (std::size_t i = 0; i < varying_count_; ++i) {
            if (varying_[i].field == &engagehub::EventView::id) return true;
        }
        return false;
    }

    // Whether events differ in instants, values and integers only.
    bool are_rows_alike() const noexcept {
        for (std::size_t i = 0; i < varying_count_; ++i) {
            if (varying_[i].numbers == nullptr) return false;
        }
        return true;
    }

    // The latest instant and the first row that has it. REQUIRES: size() > 0.
    std::pair<std::int64_t, std::size_t> max_at() const;

private:
    // A field that differs from row to row.
    struct Varying {
        engagehub::ItemView engagehub::EventView::* field = nullptr;
        const std::int64_t* numbers = nullptr;
        const engagehub::ItemView* items = nullptr;
    };

    void take_items(const ColumnGiven& given, engagehub::ItemView engagehub::EventView::* field, const char* name);
    void take_values(const ColumnGiven& given);
    void take_instants(const ColumnGiven& at, const ColumnGiven& at_us, const std::function<std::int64_t()>& now);

    std::size_t size_ = 0;
    engagehub::EventView common_;  // what all rows have in common
    std::array<Varying, 6> varying_;
    std::size_t varying_count_ = 0;
    std::vector<std::int64_t> instants_;
    std::vector<double> values_;
    std::vector<std::unique_ptr<ItemsGiven>> held_;
};
