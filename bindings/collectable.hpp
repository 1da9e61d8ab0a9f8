// SPDX-License-Identifier: MIT
// Purpose: lets the garbage collector see through a bound class: T has traverse(visitproc, void*) and clear(), for the
// Python objects that it holds.
// Thread safety: the collector calls attached, on whatever thread, and at any allocation: also between the moment where
// an instance gets its memory and the one where its C++ object is constructed. Nothing here may allocate.
#pragma once

#include "python.hpp"

namespace collectable {

// The C++ object of an instance, or null while it isn't constructed.
template <class T>
T* constructed(PyObject* self) {
    auto* instance = reinterpret_cast<py::detail::instance*>(self);
    // An instance of a class with several C++ bases has another layout; it is left to reference counts.
    if (!instance->simple_layout || !instance->simple_holder_constructed) return nullptr;
    return static_cast<T*>(instance->simple_value_holder[0]);
}

template <class T>
py::custom_type_setup setup() {
    return py::custom_type_setup([](PyHeapTypeObject* heap_type) {
        PyTypeObject* type = &heap_type->ht_type;
        type->tp_flags |= Py_TPFLAGS_HAVE_GC;
        type->tp_traverse = [](PyObject* self, visitproc visit, void* arg) -> int {
            Py_VISIT(Py_TYPE(self));
            T* object = constructed<T>(self);
            return object == nullptr ? 0 : object->traverse(visit, arg);
        };
        type->tp_clear = [](PyObject* self) -> int {
            if (T* object = constructed<T>(self)) object->clear();
            return 0;
        };
    });
}

}  // namespace collectable
