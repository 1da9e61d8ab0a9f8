// SPDX-License-Identifier: MIT
// Purpose: pybind11's classes share a base that can have no instances of its own: whoever calls it, as copyreg does
// where a class says to be pickled like an object (protocols 0 and 1), has pybind11 end the process. This makes it a
// TypeError.
// Thread safety: call attached, when the module is imported. Complexity: O(1). Failure: none.
#pragma once

#include "python.hpp"

namespace common_base {

inline ternaryfunc original = nullptr;

// The call of every class of pybind11's metaclass, those of other modules too.
inline PyObject* call(PyObject* type, PyObject* arguments, PyObject* keywords) {
    if (type == py::detail::get_internals().instance_base) {
        PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", reinterpret_cast<PyTypeObject*>(type)->tp_name);
        return nullptr;
    }
    return original(type, arguments, keywords);
}

inline void guard() {
    PyTypeObject* const metaclass = py::detail::get_internals().default_metaclass;
    if (metaclass->tp_call == call) return;
    original = metaclass->tp_call;
    metaclass->tp_call = call;
}

}  // namespace common_base
