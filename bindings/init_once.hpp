// SPDX-License-Identifier: MIT
// Purpose: an object is constructed once, whoever calls its __init__ how often and on how many threads. pybind11 looks
// whether an instance is constructed, converts the arguments, which may run Python code and let other threads run, and
// then constructs: two calls that overlap would put two C++ objects into one instance, and one of them would be lost
// while it is in use. guard() claims the instance before anybody looks at the arguments.
// Thread safety: call attached. The lock is held over look-ups only: nothing in there attaches, detaches or runs Python
// code, so whoever waits for it waits for a thread that is about to let go.
// Complexity: O(constructions that are going on). Failure: InvalidType for a call during another one, or after one that
// succeeded; std::bad_alloc.
#pragma once

#include "python.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include <engagehub/base/errors.hpp>

#include "fastcall.hpp"

namespace init_once {

class Claim {
public:
    // REQUIRES: self is an instance of a bound class.
    explicit Claim(PyObject* self) : self_(self) {
        const std::lock_guard<std::mutex> lock(claims().mutex);
        // With the lock held, so that what another thread has constructed is seen.
        auto& instances = claims().instances;
        if (is_constructed(self) || std::find(instances.begin(), instances.end(), self) != instances.end()) {
            throw engagehub::InvalidType(std::string(Py_TYPE(self)->tp_name) + ".__init__() must be called only once");
        }
        instances.push_back(self);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() {
        const std::lock_guard<std::mutex> lock(claims().mutex);
        auto& instances = claims().instances;
        *std::find(instances.begin(), instances.end(), self_) = instances.back();
        instances.pop_back();
    }

private:
    struct Claims {
        std::mutex mutex;
        std::vector<PyObject*> instances;  // whose __init__ is running: hardly more than there are threads
    };

    static Claims& claims() {
        static auto* const claims = new Claims;  // never destroyed: threads may outlive the destructors of statics
        return *claims;
    }
    static bool is_constructed(PyObject* self) {
        const auto* instance = reinterpret_cast<py::detail::instance*>(self);
        // An instance of a class with several C++ bases has another layout; it is left to pybind11.
        return instance->simple_layout && instance->simple_holder_constructed;
    }

    PyObject* self_;
};

// owner is a tuple of the class and the __init__ that pybind11 made for it.
inline PyObject* init(PyObject* owner, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        auto* const type = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(owner, 0));
        if (count == 0 || PyObject_TypeCheck(given[0], type) == 0) {
            throw py::type_error(std::string(type->tp_name) + ".__init__() must be called with an instance");
        }
        const Claim claim(given[0]);
        return PyObject_Vectorcall(PyTuple_GET_ITEM(owner, 1), given, static_cast<std::size_t>(count), keywords);
    });
}

// REQUIRES: the class has all its constructors.
inline void guard(const py::object& type) {
    static PyMethodDef definition = fastcall::definition("__init__", init, nullptr);
    const py::tuple owner = py::make_tuple(type, type.attr("__init__"));
    const auto function = py::reinterpret_steal<py::object>(PyCFunction_New(&definition, owner.ptr()));
    if (!function) throw py::error_already_set();
    const auto method = py::reinterpret_steal<py::object>(PyInstanceMethod_New(function.ptr()));
    if (!method) throw py::error_already_set();
    type.attr("__init__") = method;
}

}  // namespace init_once
