// SPDX-License-Identifier: MIT
// Purpose: leaving and entering the interpreter on threads that may be running when it ends; see thread_exit.hpp.
// Thread safety: every function from any thread, attached or not as it says.
#pragma once

#include "python.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include <engagehub/queue/event_count.hpp>

#include "thread_exit.hpp"

namespace interpreter {

// Runs work() without the interpreter. It must not throw, nor touch a Python object.
template <class Work>
void detached(Work&& work) {
    PyThreadState* state = PyEval_SaveThread();
    work();
    restore_thread(state);
}

// How long a signal may have to wait while a thread waits for something else.
inline constexpr std::chrono::milliseconds kSignalSlice{50};

// Until attempt() is true or the deadline is past: wait(slice) without the interpreter, attempt() with it. The signal
// handlers run in between. THROWS: error_already_set, if one of them raised, after a last attempt() in vain.
template <class Wait, class Attempt>
bool wait_until(engagehub::Deadline deadline, Wait&& wait, Attempt&& attempt) {
    for (;;) {
        const engagehub::Deadline slice = std::min(deadline, std::chrono::steady_clock::now() + kSignalSlice);
        detached([&] { wait(slice); });
        if (attempt()) return true;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (std::chrono::steady_clock::now() >= deadline) return false;
    }
}

// Native threads pass it before they attach; it is shut before the interpreter ends, and then nobody is on the
// threshold.
class Gate {
public:
    static Gate& get() { return *instance().load(); }

    // In the child of a fork the old one may be locked for ever.
    static void renew() { instance().store(new Gate); }

    bool enter() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (is_shut_) return false;
        ++entering_;
        return true;
    }
    void leave() {
        const std::lock_guard<std::mutex> lock(mutex_);
        --entering_;
        changed_.notify_all();
    }
    bool is_shut() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return is_shut_;
    }
    // Call detached: those on the threshold must get in.
    void shut(engagehub::Deadline deadline) {
        std::unique_lock<std::mutex> lock(mutex_);
        is_shut_ = true;
        engagehub::park(changed_, lock, deadline, [this] { return entering_ == 0; });
    }

private:
    static std::atomic<Gate*>& instance() {
        // Never destroyed: native threads may outlive the destructors of static objects.
        static std::atomic<Gate*> gate{new Gate};
        return gate;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_shut_ = false;
    std::size_t entering_ = 0;
};

// The Python side of a native thread: one thread state for its whole life, so that what a sink keeps in threading.local
// (a database connection) is still there at the next batch.
class NativeThread {
public:
    // False when the interpreter is about to end, or has ended.
    static bool attach() {
        if (!Gate::get().enter()) return false;
        PyThreadState*& state = current();
        if (state == nullptr) {
            ensure_thread();
            state = PyThreadState_Get();
        } else {
            restore_thread(state);
        }
        Gate::get().leave();
        return true;
    }
    static void detach() { PyEval_SaveThread(); }
    static bool was_attached() { return current() != nullptr; }
    // Call attached: gives the thread state back, and leaves.
    static void end() {
        current() = nullptr;
        PyGILState_Release(PyGILState_UNLOCKED);
    }

private:
    static PyThreadState*& current() {
        thread_local PyThreadState* state = nullptr;
        return state;
    }
};

}  // namespace interpreter
