// SPDX-License-Identifier: MIT
#include "column_memory.hpp"

#include <new>
#include <utility>

#include <pybind11/gil_safe_call_once.h>

namespace column_memory {

namespace {

// The object whose buffer a memoryview shows. Python code can't make one: the class is known here only.
struct Column {
    PyObject_HEAD std::shared_ptr<const void> owner;
    const void* values;
    Py_ssize_t count;
    const char* format;
};

// Where an empty column points to: there must be something.
constexpr std::int64_t kNothing = 0;
constexpr Py_ssize_t kItemSize = 8;

int get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
    auto* const column = reinterpret_cast<Column*>(self);
    void* const values = const_cast<void*>(column->values);
    if (PyBuffer_FillInfo(buffer, self, values, column->count * kItemSize, 1, flags) != 0) return -1;
    buffer->itemsize = kItemSize;
    if ((flags & PyBUF_FORMAT) != 0) buffer->format = const_cast<char*>(column->format);
    if ((flags & PyBUF_ND) != 0) buffer->shape = &column->count;
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES) buffer->strides = &buffer->itemsize;
    return 0;
}

void destroy(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    reinterpret_cast<Column*>(self)->owner.~shared_ptr();
    type->tp_free(self);
    Py_DECREF(type);
}

PyTypeObject* column_type() {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
    const py::object& type = storage
                                 .call_once_and_store_result([] {
                                     static PyType_Slot slots[] = {
                                         {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
                                         {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                                         {0, nullptr}};
                                     static PyType_Spec spec = {
                                         "engagehub_core._native._Column", sizeof(Column), 0,
                                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
                                     PyObject* made = PyType_FromSpec(&spec);
                                     if (made == nullptr) throw py::error_already_set();
                                     return py::reinterpret_steal<py::object>(made);
                                 })
                                 .get_stored();
    return reinterpret_cast<PyTypeObject*>(type.ptr());
}

py::object view_of(const void* values, std::size_t count, const char* format, std::shared_ptr<const void> owner) {
    PyTypeObject* const type = column_type();
    PyObject* const made = type->tp_alloc(type, 0);
    if (made == nullptr) throw py::error_already_set();
    const auto object = py::reinterpret_steal<py::object>(made);
    auto* const column = reinterpret_cast<Column*>(made);
    new (&column->owner) std::shared_ptr<const void>(std::move(owner));
    column->values = count == 0 ? &kNothing : values;
    column->count = static_cast<Py_ssize_t>(count);
    column->format = format;
    PyObject* const shown = PyMemoryView_FromObject(made);
    if (shown == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(shown);
}

}  // namespace

py::object view(const std::int64_t* values, std::size_t count, std::shared_ptr<const void> owner) {
    return view_of(values, count, "q", std::move(owner));
}

py::object view(const double* values, std::size_t count, std::shared_ptr<const void> owner) {
    return view_of(values, count, "d", std::move(owner));
}

}  // namespace column_memory
