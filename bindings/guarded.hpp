// SPDX-License-Identifier: MIT
// Purpose: a native structure and the lock that guards it, for use from Python threads. The structures themselves are
// not synchronised; batch methods let go of the GIL, and free-threaded Python has none.
// Thread safety: every access goes through with() or with_released().
// Invariants: (1) nobody waits for the lock while attached to the interpreter, so a thread that holds the lock may
// attach; (2) no Python code runs inside: callers convert arguments before and build results after.
#pragma once

#include "python.hpp"

#include <mutex>
#include <utility>

#include "thread_exit.hpp"

// Without the interpreter while it lives. Unlike pybind11's own it survives that the interpreter ends meanwhile.
class Released {
public:
    Released() : state_(PyEval_SaveThread()) {}
    Released(const Released&) = delete;
    Released& operator=(const Released&) = delete;
    ~Released() { interpreter::restore_thread(state_); }

private:
    PyThreadState* state_;
};

template <class T>
class Guarded {
public:
    template <class... Arguments>
    explicit Guarded(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    // For short work: stays attached.
    template <class Work>
    decltype(auto) with(Work&& work) {
        const auto lock = acquire();
        return std::forward<Work>(work)(value_);
    }

    // For long work: lets other Python threads run meanwhile. The work must not touch a Python object.
    template <class Work>
    decltype(auto) with_released(Work&& work) {
        const Released released;
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::forward<Work>(work)(value_);
    }

private:
    std::unique_lock<std::mutex> acquire() {
        std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock()) {
            const Released released;
            lock.lock();
        }
        return lock;
    }

    std::mutex mutex_;
    T value_;
};
