// SPDX-License-Identifier: MIT
// Purpose: EventBatch for Python.
#include "python.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <engagehub/pipeline/event_batch.hpp>

#include "column_memory.hpp"
#include "convert.hpp"
#include "errors.hpp"
#include "event_batch.hpp"
#include "event_batch_arrow.hpp"
#include "fastcall.hpp"
#include "register.hpp"

namespace {

using arrow_interface::OwnedArray;
using arrow_interface::OwnedSchema;
using arrow_interface::OwnedStream;
using engagehub::EventBatch;
using engagehub::EventColumns;
using engagehub::EventView;
using engagehub::ItemColumn;
using engagehub::ItemField;
using engagehub::ItemKind;
using engagehub::ItemView;

py::object stolen(PyObject* made) {
    if (made == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(made);
}

// ---- items and events ----

// The texts of one column: equal ones become one str.
class TextCache {
public:
    py::object operator()(std::string_view text) {
        if (last_ && text == last_text_) return last_;  // runs are common: a busy channel, one kind
        auto [place, is_new] = texts_.try_emplace(text);
        if (is_new) place->second = py::str(text.data(), text.size());
        last_text_ = text;
        last_ = place->second;
        return last_;
    }

private:
    std::unordered_map<std::string_view, py::object> texts_;
    std::string_view last_text_;
    py::object last_;
};

struct NewText {
    py::object operator()(std::string_view text) const { return py::str(text.data(), text.size()); }
};

template <class Text>
py::object item_object(const ItemView& item, Text& text) {
    if (item.kind == ItemKind::kNone) return py::none();
    if (item.kind == ItemKind::kInteger) return stolen(PyLong_FromLongLong(item.number));
    return text(item.text);
}

// The values of events as Python objects, row by row.
class Values {
public:
    static constexpr std::size_t kCount = 8;  // in the order of the fields of Event

    std::array<py::object, kCount> of(const EventView& event) {
        return {
            item_object(event.id, new_text_),
            item_object(event.kind, kinds_),
            item_object(event.community, communities_),
            item_object(event.channel, channels_),
            item_object(event.member, members_),
            py::float_(convert::seconds(event.at)),
            py::float_(event.value),
            item_object(event.data, new_text_)};
    }

private:
    NewText new_text_;
    TextCache kinds_;
    TextCache communities_;
    TextCache channels_;
    TextCache members_;
};

constexpr std::array<const char*, Values::kCount> kNames{"id",     "kind", "community", "channel",
                                                         "member", "at",   "value",     "data"};

// Makes instances of Event, a subclass of tuple that is Python's.
class EventMaker {
public:
    py::object operator()(const EventView& event) {
        auto values = values_.of(event);
        auto* const type = reinterpret_cast<PyTypeObject*>(type_.ptr());
        py::object made = stolen(type->tp_alloc(type, Values::kCount));
        for (std::size_t i = 0; i < Values::kCount; ++i)
            PyTuple_SET_ITEM(made.ptr(), static_cast<Py_ssize_t>(i), values[i].release().ptr());
        return made;
    }

private:
    static py::object event_type() {
        py::object type = py::module_::import("engagehub_core.processor").attr("Event");
        auto* const raw = reinterpret_cast<PyTypeObject*>(type.ptr());
        if (PyType_Check(type.ptr()) == 0 || PyType_IsSubtype(raw, &PyTuple_Type) == 0 ||
            raw->tp_basicsize != PyTuple_Type.tp_basicsize)
            throw engagehub::InvalidType("Event must be a named tuple, got " + convert::shown(type));
        return type;
    }

    py::object type_ = event_type();
    Values values_;
};

// ---- a sequence ----

py::object item_at(const EventBatch& self, py::handle index) {
    const auto size = static_cast<Py_ssize_t>(self.size());
    if (PySlice_Check(index.ptr())) {
        Py_ssize_t start = 0;
        Py_ssize_t stop = 0;
        Py_ssize_t step = 0;
        if (PySlice_Unpack(index.ptr(), &start, &stop, &step) != 0) throw py::error_already_set();
        const Py_ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
        if (step == 1 || count <= 1) {
            return event_batch::to_python(
                self.slice(count == 0 ? 0 : static_cast<std::size_t>(start), static_cast<std::size_t>(count)));
        }
        auto picked = std::make_shared<EventColumns>();
        picked->reserve(static_cast<std::size_t>(count));
        for (Py_ssize_t i = 0; i < count; ++i) picked->append(self[static_cast<std::size_t>(start + i * step)]);
        return event_batch::to_python(std::make_shared<const EventBatch>(std::move(picked)));
    }
    Py_ssize_t at = PyNumber_AsSsize_t(index.ptr(), PyExc_IndexError);
    if (at == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (at < 0) at += size;
    if (at < 0 || at >= size) throw py::index_error("batch index out of range");
    return EventMaker()(self[static_cast<std::size_t>(at)]);
}

bool are_equal(const EventBatch& a, const EventBatch& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const EventView one = a[i];
        const EventView other = b[i];
        if (one.at != other.at || one.value != other.value) return false;
        for (const auto field : engagehub::kItemFields) {
            if (!(one.*field == other.*field)) return false;
        }
    }
    return true;
}

// ---- columns ----

template <class Text>
py::list item_list(const EventBatch& batch, ItemField field, Text&& text) {
    const ItemColumn& column = batch.columns().items(field);
    py::list list(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        PyList_SET_ITEM(
            list.ptr(), static_cast<Py_ssize_t>(i), item_object(column[batch.first() + i], text).release().ptr());
    }
    return list;
}

py::object seconds_view(const EventBatch& batch) {
    auto seconds = std::make_shared<std::vector<double>>();
    seconds->reserve(batch.size());
    const std::int64_t* const at = batch.columns().at() + batch.first();
    for (std::size_t i = 0; i < batch.size(); ++i) seconds->push_back(convert::seconds(at[i]));
    const double* const values = seconds->data();
    return column_memory::view(values, batch.size(), std::move(seconds));
}

py::dict columns_of(const EventBatch& batch) {
    const auto& shared = batch.shared_columns();
    py::dict columns;
    columns["id"] = item_list(batch, ItemField::kId, NewText());
    columns["kind"] = item_list(batch, ItemField::kKind, TextCache());
    columns["community"] = item_list(batch, ItemField::kCommunity, TextCache());
    columns["channel"] = item_list(batch, ItemField::kChannel, TextCache());
    columns["member"] = item_list(batch, ItemField::kMember, TextCache());
    columns["at"] = seconds_view(batch);
    columns["at_us"] = column_memory::view(batch.columns().at() + batch.first(), batch.size(), shared);
    columns["value"] = column_memory::view(batch.columns().value() + batch.first(), batch.size(), shared);
    columns["data"] = item_list(batch, ItemField::kData, NewText());
    return columns;
}

py::list dicts_of(const EventBatch& batch) {
    std::array<py::object, Values::kCount> names;
    for (std::size_t i = 0; i < Values::kCount; ++i) names[i] = stolen(PyUnicode_InternFromString(kNames[i]));
    Values values_of;
    py::list dicts(batch.size());
    for (std::size_t row = 0; row < batch.size(); ++row) {
        const auto values = values_of.of(batch[row]);
        py::object made = stolen(PyDict_New());
        for (std::size_t i = 0; i < Values::kCount; ++i) {
            if (PyDict_SetItem(made.ptr(), names[i].ptr(), values[i].ptr()) != 0) throw py::error_already_set();
        }
        PyList_SET_ITEM(dicts.ptr(), static_cast<Py_ssize_t>(row), made.release().ptr());
    }
    return dicts;
}

// ---- Arrow ----

py::object schema_capsule(const EventBatch& batch) {
    return OwnedSchema::capsule_of(event_batch_arrow::schema_of(batch));
}

py::tuple arrow_array(const EventBatch& self) {
    return py::make_tuple(schema_capsule(self), OwnedArray::capsule_of(event_batch_arrow::array_of(self)));
}

py::object arrow_stream(const EventBatch& self) { return OwnedStream::capsule_of(event_batch_arrow::stream_of(self)); }

py::object arrow_batch(const py::object& self) {
    PyObject* const module = PyImport_ImportModule("pyarrow");
    if (module == nullptr) {
        if (PyErr_ExceptionMatches(PyExc_ModuleNotFoundError) == 0) throw py::error_already_set();
        py::error_already_set missing;
        py::raise_from(
            missing, PyExc_ModuleNotFoundError, "to_arrow needs pyarrow: pip install \"engagehub-core[arrow]\"");
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(module).attr("record_batch")(self);
}

// clang-format off
constexpr const char* kClassDoc = R"doc(
Events on their way to a sink: a read-only sequence of :class:`Event`, in the order of their acceptance.

Attributes
----------
nbytes : int
    Memory that is kept as long as the batch is, in bytes; a slice keeps that of the whole.

Notes
-----
Thread safety: it never changes, so any thread may read it, and it stays valid for as long as it is held.

The events are kept in columns. An :class:`Event` is made when it is asked for; `columns`, `to_dicts` and `to_arrow`
give all of them at once. A slice is a batch that shares the memory of the whole, unless its step isn't 1. Two batches
are equal if their events are, to the microsecond.

Anything that reads Apache Arrow by its PyCapsule interface takes a batch as it is, with no need for pyarrow:
``polars.DataFrame(batch)``, ``duckdb.from_arrow(batch)``, ``pyarrow.table(batch)``, and ``push_many`` of a processor.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> def sink(batch):
...     print(len(batch), batch[0].kind, [event.member for event in batch], len(batch[1:]))
>>> with EventProcessor(sink) as events:
...     events.push_many({"kind": "message", "member": ["ada", "bob"]})
2
2 message ['ada', 'bob'] 1
)doc";

constexpr const char* kColumnsDoc = R"doc(
Return the batch as columns.

Returns
-------
dict
    Lists for ``id``, ``kind``, ``community``, ``channel``, ``member`` and ``data``, in which equal texts are one object
    (except for ``id`` and ``data``); read-only memoryviews of doubles for ``at`` (Unix seconds) and ``value``, and of
    64-bit integers for ``at_us`` (microseconds, exact).

Notes
-----
O(n) for the lists and ``at``, which are made by the call; ``at_us`` and ``value`` are the memory of the batch itself,
which they keep alive. NumPy takes the memoryviews without a copy. Where every column is wanted without a copy,
`to_arrow` gives it. ``push_many`` of a processor takes the dict as it is.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> batches = []
>>> with EventProcessor(batches.append) as events:
...     events.push("message", "ada", at=1.5)
True
>>> columns = batches[0].columns()
>>> columns["member"], list(columns["at"]), list(columns["at_us"])
(['ada'], [1.5], [1500000])
)doc";

constexpr const char* kDictsDoc = R"doc(
Return the events as dictionaries.

Returns
-------
list of dict
    One for each event, with the fields of :class:`Event` by their names; ``at`` is in Unix seconds.

Notes
-----
O(n).

Examples
--------
>>> from engagehub_core import EventProcessor
>>> batches = []
>>> with EventProcessor(batches.append) as events:
...     events.push("message", "ada", at=1.5)
True
>>> batches[0].to_dicts()[0]["member"]
'ada'
)doc";

constexpr const char* kArrowDoc = R"doc(
Return the events as a record batch of Apache Arrow that shares the memory of this batch.

Returns
-------
pyarrow.RecordBatch
    ``at`` is a timestamp in microseconds of UTC, ``value`` a double, ``kind`` and ``data`` are large_string. ``id``,
    ``community``, ``channel`` and ``member`` are int64 where they are integers, large_string where they are texts, and
    null where the batch has neither. A column of both is a sparse union of ``null``, ``int`` and ``str``.

Raises
------
ModuleNotFoundError
    If pyarrow isn't installed, which the extra ``engagehub-core[arrow]`` brings.

Notes
-----
O(1), and O(n) bits for columns in which None stands beside values; nothing else is copied. Slices of one batch have the
types of the whole. Parquet, pandas and polars know no unions: keep to integers or to texts in a column for them.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> batches = []
>>> with EventProcessor(batches.append) as events:
...     events.push("message", 5, at=1.5)
True
>>> table = batches[0].to_arrow()
>>> table.column("member").to_pylist(), str(table.schema.field("at").type)
([5], 'timestamp[us, tz=UTC]')
)doc";

constexpr const char* kCountDoc = R"doc(
Return how often an event occurs.

Parameters
----------
value : Event
    The event.

Returns
-------
int
    The number of equal events.

Notes
-----
O(n).

Examples
--------
>>> from engagehub_core import EventProcessor
>>> batches = []
>>> with EventProcessor(batches.append) as events:
...     events.push("message", "ada")
True
>>> batches[0].count(batches[0][0])
1
)doc";

constexpr const char* kIndexDoc = R"doc(
Return the place of the first event that is equal.

Parameters
----------
value : Event
    The event.
*range : int
    Where to begin and to stop, as for a list.

Returns
-------
int
    Its index.

Raises
------
ValueError
    If there is none.

Notes
-----
O(n).

Examples
--------
>>> from engagehub_core import EventProcessor
>>> batches = []
>>> with EventProcessor(batches.append) as events:
...     events.push("message", "ada")
True
>>> batches[0].index(batches[0][0])
0
)doc";
// clang-format on

}  // namespace

namespace event_batch {

py::object to_python(const std::shared_ptr<const EventBatch>& batch) {
    return py::cast(std::const_pointer_cast<EventBatch>(batch));
}

py::list events_of(const EventBatch& batch) {
    EventMaker make;
    py::list events(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i)
        PyList_SET_ITEM(events.ptr(), static_cast<Py_ssize_t>(i), make(batch[i]).release().ptr());
    return events;
}

}  // namespace event_batch

void register_event_batch(py::module_& module) {
    py::class_<EventBatch, std::shared_ptr<EventBatch>> type(module, "EventBatch", py::is_final(), kClassDoc);
    type.def("__len__", fastcall::method(&EventBatch::size));
    type.def("__getitem__", fastcall::method(&item_at));
    type.def(
        "__iter__", fastcall::method(+[](const EventBatch& self) { return py::iter(event_batch::events_of(self)); }));
    type.def("__eq__", [](py::handle self, py::handle other) -> py::object {
        const EventBatch& batch = fastcall::checked_self<EventBatch>(self);
        if (!py::isinstance<EventBatch>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
        return py::bool_(are_equal(batch, fastcall::checked_self<EventBatch>(other)));
    });
    type.def("__repr__", fastcall::method(+[](const EventBatch& self) {
                 return "<EventBatch of " + std::to_string(self.size()) + (self.size() == 1 ? " event>" : " events>");
             }));
    type.def("__reduce__", [](const py::object&) -> py::object {
        throw py::type_error("EventBatch can't be pickled or copied: use list(batch)");
    });
    type.def_property_readonly(
        "nbytes", fastcall::method(&EventBatch::memory_bytes),
        "Memory that is kept as long as the batch is, in bytes.");
    type.def("columns", fastcall::method(&columns_of), kColumnsDoc);
    type.def("to_dicts", fastcall::method(&dicts_of), kDictsDoc);
    type.def("to_arrow", &arrow_batch, kArrowDoc);
    type.def("__arrow_c_schema__", fastcall::method(&schema_capsule));
    type.def(
        "__arrow_c_array__",
        fastcall::method(+[](const EventBatch& self, const py::object& /*requested*/) { return arrow_array(self); }),
        py::arg("requested_schema") = py::none());
    type.def(
        "__arrow_c_stream__",
        fastcall::method(+[](const EventBatch& self, const py::object& /*requested*/) { return arrow_stream(self); }),
        py::arg("requested_schema") = py::none());
    type.def(
        "count", fastcall::method(+[](const EventBatch& self, const py::object& value) -> py::object {
            return event_batch::events_of(self).attr("count")(value);
        }),
        py::arg("value"), kCountDoc);
    type.def(
        "index", fastcall::method(+[](const EventBatch& self, const py::object& value, py::args range) -> py::object {
            return event_batch::events_of(self).attr("index")(value, *range);
        }),
        py::arg("value"), kIndexDoc);
}
