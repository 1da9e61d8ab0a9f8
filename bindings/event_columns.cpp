// SPDX-License-Identifier: MIT
#include "event_columns.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/codec/utf8.hpp>

#include "buffer_view.hpp"
#include "event_data.hpp"

using convert::Argument;
using engagehub::EventView;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;

namespace {

// ---- columns by their names ----

enum Name : std::size_t { kId, kKind, kCommunity, kChannel, kMember, kAt, kAtUs, kValue, kData, kNameCount };

constexpr std::array<const char*, kNameCount> kNames{"id", "kind",  "community", "channel", "member",
                                                     "at", "at_us", "value",     "data"};

using Columns = std::array<ColumnGiven, kNameCount>;

[[noreturn]] void refuse_name(const std::string& shown) {
    throw InvalidArgument(
        "columns must be named id, kind, community, channel, member, at, at_us, value or data, got " + shown);
}

Columns columns_of(const arrow_columns::Table& table) {
    Columns columns;
    for (const auto& [name, column] : table) {
        const auto* const found = std::find(kNames.begin(), kNames.end(), name);
        if (found == kNames.end()) refuse_name("'" + name + "'");
        ColumnGiven& place = columns[static_cast<std::size_t>(found - kNames.begin())];
        if (place) throw InvalidArgument("columns must have names of their own, got two columns of '" + name + "'");
        place.arrow = column;
    }
    return columns;
}

Columns columns_of(const py::object& mapping) {
    PyObject* const keys = PyMapping_Check(mapping.ptr()) != 0 ? PyMapping_Keys(mapping.ptr()) : nullptr;
    if (keys == nullptr) {
        convert::clear_expected(PyExc_AttributeError);
        throw InvalidType(
            "columns must be a mapping of names to columns, or a table of Arrow, got " + convert::type_name(mapping));
    }
    Columns columns;
    for (const py::handle key : py::reinterpret_steal<py::list>(keys)) {
        const auto* const found = std::find_if(kNames.begin(), kNames.end(), [&](const char* name) {
            return PyUnicode_Check(key.ptr()) && PyUnicode_CompareWithASCIIString(key.ptr(), name) == 0;
        });
        if (found == kNames.end()) refuse_name(convert::shown(key));
        columns[static_cast<std::size_t>(found - kNames.begin())].object =
            py::reinterpret_steal<py::object>(PyObject_GetItem(mapping.ptr(), key.ptr()));
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    }
    return columns;
}

// ---- what a column is ----

bool is_scalar(py::handle object, bool may_be_json) {
    if (PyUnicode_Check(object.ptr()) || convert::is_integer(object)) return true;
    return may_be_json && (PyDict_Check(object.ptr()) || PyBool_Check(object.ptr()) || convert::is_float(object));
}

// A list or a tuple can't be anything else; for other objects their class is asked.
bool is_plain_sequence(py::handle object) { return PyList_Check(object.ptr()) || PyTuple_Check(object.ptr()); }

bool has_arrow_interface(const py::object& object) {
    if (is_plain_sequence(object) || PyDict_CheckExact(object.ptr())) return false;
    const py::handle type = py::type::handle_of(object);
    return py::hasattr(type, "__arrow_c_array__") || py::hasattr(type, "__arrow_c_stream__");
}

// Other buffers (of texts, of objects, or with gaps) are read as sequences are.
bool is_integer_buffer(py::handle object) {
    if (is_plain_sequence(object) || PyBytes_Check(object.ptr()) || PyByteArray_Check(object.ptr()) ||
        PyObject_CheckBuffer(object.ptr()) == 0)
        return false;
    Py_buffer view;
    if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
        convert::clear_expected(PyExc_Exception);
        return false;
    }
    const std::string_view format = view.format == nullptr ? "B" : view.format;
    const bool is_integer =
        !format.empty() && std::string_view("bBhHiIlLqQnN").find(format.back()) != std::string_view::npos;
    PyBuffer_Release(&view);
    return is_integer;
}

[[noreturn]] void refuse_size(const char* name, std::size_t wanted, std::size_t given) {
    throw InvalidArgument(
        std::string(name) + " must have " + std::to_string(wanted) + " values as member has, got " +
        std::to_string(given));
}

const char* wanted_by(const ItemsGiven::Rule& rule) {
    if (rule.may_be_integer) return rule.may_be_none ? " must be int, str or None, got " : " must be int or str, got ";
    return rule.may_be_none ? " must be str or None, got " : " must be str, got ";
}

}  // namespace

// ---- items ----

ItemsGiven::ItemsGiven(const ColumnGiven& given, const Rule& rule) : arrow_(given.arrow) {
    const py::object& object = given.object;
    if (arrow_ == nullptr && (object.is_none() || is_scalar(object, rule.may_be_json))) {
        is_for_all_ = true;
        owner_ = object;
        items_.push_back(item_of(object, rule, rule.name));
        size_ = 1;
    } else if (arrow_ == nullptr && !rule.may_be_json && is_integer_buffer(object)) {
        integers_ = std::make_unique<convert::ItemBatch>(object, rule.name, false, convert::Integers::kBorrowed);
        size_ = integers_->size();
        if (size_ != 0) {
            integers_->with_values([&](const auto* values) {
                if constexpr (std::is_same_v<decltype(values), const std::int64_t*>) numbers_ = values;
            });
        }
    } else {
        if (arrow_ == nullptr && has_arrow_interface(object)) arrow_ = arrow_columns::Column::of(object, rule.name);
        arrow_ != nullptr ? read_arrow(rule) : read_sequence(object, rule);
    }
    check(rule);
}

void ItemsGiven::read_arrow(const Rule& rule) {
    size_ = arrow_->size();
    numbers_ = arrow_->integers();
    if (numbers_ != nullptr) return;
    if (arrow_->is_plain_integers() && size_ != 0) {
        widened_ = arrow_->widened(rule.name);
        numbers_ = widened_.data();
        return;
    }
    items_ = arrow_->items(rule.name);
    for (std::size_t i = 0; i < size_; ++i) {
        if (!engagehub::is_utf8(items_[i].text))
            throw InvalidArgument(std::string(Argument(rule.name, i)) + " must be well-formed UTF-8");
    }
}

void ItemsGiven::read_sequence(const py::object& object, const Rule& rule) {
    const py::tuple tuple = convert::ordered_tuple(object, rule.name);
    owner_ = tuple;
    size_ = tuple.size();
    items_.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) {
        items_.push_back(
            item_of(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)), rule, Argument(rule.name, i)));
    }
}

ItemView ItemsGiven::item_of(py::handle object, const Rule& rule, Argument argument) {
    if (object.is_none()) return {};
    if (PyUnicode_Check(object.ptr())) return ItemView::of(convert::text(object, argument));
    if (rule.may_be_json) {
        made_.push_back(event_data::text_of(object, argument));
        return event_data::view(made_.back(), argument);
    }
    if (rule.may_be_integer && convert::is_integer(object)) return ItemView::of(convert::integer(object, argument));
    throw InvalidType(std::string(argument) + wanted_by(rule) + convert::type_name(object));
}

void ItemsGiven::check(const Rule& rule) const {
    const auto argument = [&](std::size_t i) { return is_for_all_ ? Argument(rule.name) : Argument(rule.name, i); };
    if (numbers_ != nullptr) {
        if (!rule.may_be_integer) throw InvalidType(std::string(argument(0)) + wanted_by(rule) + "int");
        return;
    }
    for (std::size_t i = 0; i < items_.size(); ++i) {
        const ItemView& item = items_[i];
        const bool is_wrong = (item.kind == ItemKind::kNone && !rule.may_be_none) ||
            (item.kind == ItemKind::kInteger && !rule.may_be_integer);
        if (is_wrong) {
            throw InvalidType(
                std::string(argument(i)) + wanted_by(rule) + (item.kind == ItemKind::kNone ? "None" : "int"));
        }
        if (item.text.size() > engagehub::kMaxFieldBytes) {
            throw InvalidArgument(
                std::string(argument(i)) + " must have at most " + std::to_string(engagehub::kMaxFieldBytes) +
                " bytes of UTF-8, got " + std::to_string(item.text.size()));
        }
    }
}

// ---- events ----

EventColumnsGiven::EventColumnsGiven(const py::object& given, const std::function<std::int64_t()>& now) {
    const auto table = has_arrow_interface(given) ? arrow_columns::table_of(given) : nullptr;
    const Columns columns = table != nullptr ? columns_of(*table) : columns_of(given);
    if (!columns[kMember] || !columns[kKind]) throw InvalidArgument("columns must hold member and kind");
    common_.community = ItemView::of(std::string_view());

    // The one column that is there for each row tells how many there are.
    take_items(columns[kMember], &EventView::member, "member");
    take_items(columns[kKind], &EventView::kind, "kind");
    take_items(columns[kId], &EventView::id, "id");
    take_items(columns[kCommunity], &EventView::community, "community");
    take_items(columns[kChannel], &EventView::channel, "channel");
    take_items(columns[kData], &EventView::data, "data");
    take_values(columns[kValue]);
    take_instants(columns[kAt], columns[kAtUs], now);
}

void EventColumnsGiven::take_items(const ColumnGiven& given, ItemView EventView::* field, const char* name) {
    if (!given.object && given.arrow == nullptr) return;
    const bool is_member = field == &EventView::member;
    const bool is_text = field == &EventView::kind || field == &EventView::data;
    const bool is_needed = is_member || field == &EventView::kind || field == &EventView::community;
    auto items =
        std::make_unique<ItemsGiven>(given, ItemsGiven::Rule{name, !is_text, !is_needed, field == &EventView::data});
    if (items->is_for_all()) {
        if (is_member)
            throw InvalidType("member must be a sequence or an array, got " + convert::type_name(given.object));
        common_.*field = items->item();
    } else {
        if (is_member) size_ = items->size();
        if (items->size() != size_) refuse_size(name, size_, items->size());
        varying_[varying_count_++] = {field, items->numbers(), items->items()};
    }
    held_.push_back(std::move(items));
}

void EventColumnsGiven::take_values(const ColumnGiven& given) {
    if (!given.object && given.arrow == nullptr) return;
    const auto arrow = given.arrow == nullptr && has_arrow_interface(given.object)
        ? arrow_columns::Column::of(given.object, "value")
        : given.arrow;
    if (arrow != nullptr) {
        if (arrow->size() != size_) refuse_size("value", size_, arrow->size());
        values_ = arrow->numbers("value");
        return;
    }
    convert::NumberBatch values(given.object, "value", size_);
    if (values.is_for_all()) {
        common_.value = values[0];
    } else {
        values_ = std::move(values).values();
    }
}

// at_us is exact and goes before at, so that the columns of a batch can be pushed.
void EventColumnsGiven::take_instants(
    const ColumnGiven& at, const ColumnGiven& at_us, const std::function<std::int64_t()>& now) {
    if (at_us) {
        const ItemsGiven given(at_us, {"at_us", true, true});
        const auto checked = [&](std::int64_t micros, Argument argument) {
            if (engagehub::is_instant(micros)) return micros;
            throw InvalidArgument(
                std::string(argument) + " must be microseconds between the years 1 and 9999, got " +
                std::to_string(micros));
        };
        const auto integer = [&](const ItemView& item, Argument argument) {
            if (item.kind == ItemKind::kInteger) return checked(item.number, argument);
            throw InvalidType(
                std::string(argument) + " must be int, got " + (item.kind == ItemKind::kText ? "str" : "None"));
        };
        if (given.is_for_all()) {
            common_.at = integer(given.item(), "at_us");
            return;
        }
        if (given.size() != size_) refuse_size("at_us", size_, given.size());
        instants_.reserve(size_);
        for (std::size_t i = 0; i < size_; ++i) {
            const Argument argument("at_us", i);
            instants_.push_back(
                given.numbers() != nullptr ? checked(given.numbers()[i], argument)
                                           : integer(given.items()[i], argument));
        }
        return;
    }
    if (!at) {
        common_.at = now();
        return;
    }
    const auto arrow =
        at.arrow == nullptr && has_arrow_interface(at.object) ? arrow_columns::Column::of(at.object, "at") : at.arrow;
    if (arrow != nullptr) {
        if (arrow->size() != size_) refuse_size("at", size_, arrow->size());
        instants_ = arrow->instants("at");
        return;
    }
    convert::InstantBatch instants(at.object, "at", size_);
    if (instants.is_for_all()) {
        common_.at = instants[0];
    } else {
        instants_ = std::move(instants).values();
    }
}

std::pair<std::int64_t, std::size_t> EventColumnsGiven::max_at() const {
    if (instants_.empty()) return {common_.at, 0};
    const auto latest = std::max_element(instants_.begin(), instants_.end());
    return {*latest, static_cast<std::size_t>(latest - instants_.begin())};
}
