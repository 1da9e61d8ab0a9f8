// SPDX-License-Identifier: MIT
// Purpose: the injectable clock of an object: answers at=None, and refuses stamps too far ahead of it. The default,
// time.time, is read without a call of Python: it would cost as much as a change of a board.
// Thread safety: call attached and outside any lock, for the clock is Python code.
#pragma once

#include "python.hpp"

#include <time.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/shown.hpp>

#include "convert.hpp"
#include "thread_exit.hpp"

// time.time as the interpreter was born with it. Libraries that let tests travel in time put another function into it
// or another object in its place; either way it isn't the system's clock any more.
class SystemTime {
public:
    static bool is(PyObject* callable) {
        return callable != nullptr && callable == original().object &&
            PyCFunction_GET_FUNCTION(callable) == original().function;
    }
    static std::int64_t now() {
        using std::chrono::system_clock;
        const auto since_epoch = system_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
    }
    // Some milliseconds ago at the most, and never ahead: for a fraction of what the exact time costs, where it can be
    // had.
    static std::int64_t lately() {
#ifdef CLOCK_REALTIME_COARSE
        timespec tick{};
        if (clock_gettime(CLOCK_REALTIME_COARSE, &tick) == 0)
            return static_cast<std::int64_t>(tick.tv_sec) * 1'000'000 + tick.tv_nsec / 1'000;
#endif
        return now();
    }
    // When the module is imported.
    static void remember() {
        const py::object time = py::module_::import("time").attr("time");
        if (PyCFunction_CheckExact(time.ptr()))
            original() = {time.inc_ref().ptr(), PyCFunction_GET_FUNCTION(time.ptr())};
    }

private:
    struct Original {
        PyObject* object = nullptr;  // never released: it lives as long as the interpreter
        PyCFunction function = nullptr;
    };
    static Original& original() {
        static Original original;
        return original;
    }
};

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
        if (SystemTime::is(callable_.ptr())) return SystemTime::now();
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
        require(given, "at");
        return given;
    }

    convert::InstantBatch change_instants(py::handle at, std::size_t size) const {
        if (at.is_none()) return convert::InstantBatch::repeated(now());
        convert::InstantBatch given(at, "at", size);
        if (given.size() != 0) {
            const auto [newest, name] = given.newest();
            require(newest, name);
        }
        return given;
    }

    // Now, or some milliseconds ago: for a fraction of the cost where it is the system's time.
    std::int64_t lately() const { return SystemTime::is(callable_.ptr()) ? SystemTime::lately() : now(); }

    bool is_too_far_ahead(std::int64_t given) const {
        if (!max_skew_) return false;
        if (SystemTime::is(callable_.ptr()) && given - *max_skew_ <= SystemTime::lately()) return false;
        return given - now() > *max_skew_;
    }
    // REQUIRES: it is. THROWS: InvalidArgument, which says so.
    [[noreturn]] void refuse(std::int64_t given, convert::Argument argument) const {
        throw engagehub::InvalidArgument(
            std::string(argument) + " must be at most " + engagehub::shown(convert::seconds(*max_skew_)) +
            " s ahead of the clock (max_skew), got " + engagehub::shown(convert::seconds(given - now())) +
            " s ahead; are the stamps in another unit than seconds?");
    }

    const py::object& callable() const { return callable_; }
    py::object max_skew_seconds() const {
        if (!max_skew_) return py::none();
        return py::float_(convert::seconds(*max_skew_));
    }

    // For the owner's traverse() and clear(), as collectable.hpp wants them: a clock may refer back to its owner.
    int traverse(visitproc visit, void* arg) const {  // Py_VISIT wants these very names
        Py_VISIT(callable_.ptr());
        return 0;
    }
    void clear() { callable_ = py::none(); }

private:
    void require(std::int64_t given, convert::Argument argument) const {
        if (is_too_far_ahead(given)) refuse(given, argument);
    }

    py::object callable_;
    std::optional<std::int64_t> max_skew_;
};

// The clock of what may decay. Without a half-life the instant doesn't matter, so the clock isn't asked; but one that
// is given must be one.
class DecayClock {
public:
    DecayClock(Clock clock, bool decays) : clock_(std::move(clock)), decays_(decays) {}

    bool decays() const { return decays_; }
    const Clock& clock() const { return clock_; }

    std::int64_t instant(py::handle at) const {
        if (at.is_none()) return decays_ ? clock_.now() : 0;
        return convert::instant(at);
    }
    std::int64_t change_instant(py::handle at) const { return decays_ ? clock_.change_instant(at) : instant(at); }
    convert::InstantBatch change_instants(py::handle at, std::size_t size) const {
        if (decays_) return clock_.change_instants(at, size);
        return at.is_none() ? convert::InstantBatch::repeated(0) : convert::InstantBatch(at, "at", size);
    }

    int traverse(visitproc visit, void* arg) const { return clock_.traverse(visit, arg); }
    void clear() { clock_.clear(); }

private:
    Clock clock_;
    bool decays_;
};
