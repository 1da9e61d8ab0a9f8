// SPDX-License-Identifier: MIT
// Purpose: the injectable clock of an object: answers at=None, and refuses stamps too far ahead of it.
// Thread safety: call attached and outside any lock, for the clock is Python code.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <engagehub/base/errors.hpp>

#include "convert.hpp"
#include "thread_exit.hpp"

class Clock {
public:
    // REQUIRES: callable is a Python callable without arguments; max_skew is in microseconds, none trusts every stamp.
    Clock(py::object callable, std::optional<std::int64_t> max_skew)
        : callable_(std::move(callable)), max_skew_(max_skew) {
        if (PyCallable_Check(callable_.ptr()) == 0) {
            throw engagehub::InvalidType("clock must be callable, got " + convert::type_name(callable_));
        }
    }

    std::int64_t now() const {
        PyObject* answer = interpreter::guarded_call(
            [](PyObject* callable, PyObject* /*unused*/) { return PyObject_CallNoArgs(callable); }, callable_.ptr());
        if (answer == nullptr) throw py::error_already_set();
        return convert::instant(py::reinterpret_steal<py::object>(answer), "clock()");
    }

    // For queries: any instant, or now.
    std::int64_t instant(py::handle at) const { return at.is_none() ? now() : convert::instant(at); }

    // For changes: an instant that isn't further ahead of the clock than max_skew.
    std::int64_t change_instant(py::handle at) const {
        if (at.is_none()) return now();
        const std::int64_t given = convert::instant(at);
        if (max_skew_) require(given, now());
        return given;
    }

    convert::InstantBatch change_instants(py::handle at, std::size_t size) const {
        if (at.is_none()) return convert::InstantBatch::repeated(now());
        convert::InstantBatch given(at, "at", size);
        if (max_skew_ && given.size() != 0) require(given.newest(), now());
        return given;
    }

    const py::object& callable() const { return callable_; }
    const std::optional<std::int64_t>& max_skew() const { return max_skew_; }

    // For the owner's tp_traverse and tp_clear: a clock may refer back to its owner.
    int traverse(visitproc visit, void* arg) const {  // Py_VISIT wants these very names
        Py_VISIT(callable_.ptr());
        return 0;
    }
    void clear() { callable_ = py::none(); }

private:
    void require(std::int64_t given, std::int64_t now) const {
        if (given - now > *max_skew_) {
            throw engagehub::InvalidArgument(
                "at must be at most " + std::to_string(convert::seconds(*max_skew_)) +
                " s ahead of the clock (max_skew), got " + std::to_string(convert::seconds(given - now)) +
                " s ahead; are the stamps in another unit than seconds?");
        }
    }

    py::object callable_;
    std::optional<std::int64_t> max_skew_;
};

// Lets the garbage collector see through a bound class that holds a Clock as its member `clock`.
template <class T>
py::custom_type_setup collects_clock() {
    return py::custom_type_setup([](PyHeapTypeObject* heap_type) {
        PyTypeObject* type = &heap_type->ht_type;
        type->tp_flags |= Py_TPFLAGS_HAVE_GC;
        type->tp_traverse = [](PyObject* self, visitproc visit, void* arg) -> int {
            Py_VISIT(Py_TYPE(self));
            if (!py::detail::is_holder_constructed(self)) return 0;
            return py::cast<T&>(py::handle(self)).clock.traverse(visit, arg);
        };
        type->tp_clear = [](PyObject* self) -> int {
            if (py::detail::is_holder_constructed(self)) py::cast<T&>(py::handle(self)).clock.clear();
            return 0;
        };
    });
}
