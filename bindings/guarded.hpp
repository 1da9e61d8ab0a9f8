// SPDX-License-Identifier: MIT
// Purpose: a native structure and the lock that guards it, for use from Python threads. The structures themselves are
// not synchronised; batch methods let go of the GIL, and free-threaded Python has none.
// Thread safety: every access goes through with(), with_released() or, on threads that aren't attached,
// with_native(), which takes a value that was made for NativeThreads.
// Invariants: (1) nobody waits for the lock while attached to the interpreter, so a thread that holds the lock may
// attach; (2) no Python code runs inside: callers convert arguments before and build results after; (3) work in
// with() never lets go of the interpreter, for with the GIL that is what keeps others out. A value that is shared with
// native threads is locked by each access, and nobody attaches meanwhile: a worker would wait for the interpreter then.
#pragma once

#include "python.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "errors.hpp"
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

// How many forks lie between this process and the one that imported the module. A lock that another thread held at a
// fork is held for ever in the child, and what it guards may be half changed.
inline std::atomic<std::uint32_t> fork_generation{0};

struct NativeThreads {};

#ifdef _MSC_VER
#define GUARDED_NOINLINE __declspec(noinline)
#else
#define GUARDED_NOINLINE __attribute__((noinline))
#endif

template <class T>
class Guarded {
public:
    template <class... Arguments>
    explicit Guarded(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}
    template <class... Arguments>
    explicit Guarded(NativeThreads /*tag*/, Arguments&&... arguments)
        : is_native_(true), is_away_(true), value_(std::forward<Arguments>(arguments)...) {}
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    // Whether threads use it that have nothing to do with the interpreter.
    bool is_native() const { return is_native_; }

    // For short work: stays attached, unless a native thread is at it. Who holds the GIL is alone with the object,
    // unless a thread is away with it.
    template <class Work>
    decltype(auto) with(Work&& work) {
        const Entry entry{*this, may_enter() ? Waited() : enter()};
        return std::forward<Work>(work)(value_);
    }

    // For long work: lets other Python threads run meanwhile. The work must not touch a Python object.
    template <class Work>
    decltype(auto) with_released(Work&& work) {
        if (is_native_) return wait_released(std::forward<Work>(work));
        auto acquired = acquire();
        is_away_.store(true, std::memory_order_relaxed);  // still attached, so that nobody is in with()
        const Released released;
        // Let go of before the interpreter is entered again: that may take long, and at its end never happen.
        const auto lock = std::move(acquired);
        const Return back{is_away_};
        return std::forward<Work>(work)(value_);
    }

    // For threads that aren't attached, and come back at once: they let those pass who wait.
    template <class Work>
    decltype(auto) with_native(Work&& work) {
        for (int i = 0; i < kMostYields && waiting_.load(std::memory_order_relaxed) != 0; ++i)
            std::this_thread::yield();
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::forward<Work>(work)(value_);
    }

private:
    // The scheduler's round, so that whoever was woken has had the lock. A mutex isn't fair by itself.
    static constexpr int kMostYields = 100;

    struct Return {
        std::atomic<bool>& is_away;
        ~Return() { is_away.store(false, std::memory_order_release); }
    };

    // What it took to be alone with the value: the lock and, where a native thread had it, the interpreter.
    struct Waited {
        bool is_locked = false;
        PyThreadState* state = nullptr;
    };
    struct Entry {
        Guarded& guarded;
        Waited waited;
        ~Entry() {
            if (waited.is_locked) guarded.leave(waited.state);
        }
    };

    // Who holds the GIL is alone with the value, unless a thread may be away with it.
    bool may_enter() const {
#ifdef Py_GIL_DISABLED
        return false;
#else
        return !is_away_.load(std::memory_order_acquire);
#endif
    }

    // Kept out of the callers, whose short way is mostly taken.
    GUARDED_NOINLINE Waited enter() {
        if (!is_native_) {
            acquire().release();
            return {true, nullptr};
        }
        auto lock = try_acquire();
        PyThreadState* state = nullptr;
        if (!lock.owns_lock()) {
            state = PyEval_SaveThread();
            wait(lock);
        }
        lock.release();
        return {true, state};
    }
    GUARDED_NOINLINE void leave(PyThreadState* state) {
        mutex_.unlock();
        if (state != nullptr) interpreter::restore_thread(state);
    }

    std::unique_lock<std::mutex> try_acquire() {
        std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock() && generation_.load() != fork_generation.load()) wait_for_survivor(lock);
        if (lock.owns_lock()) note_generation();
        return lock;
    }

    std::unique_lock<std::mutex> acquire() {
        auto lock = try_acquire();
        if (!lock.owns_lock()) {
            {
                const Released released;
                lock.lock();
            }
            note_generation();
        }
        return lock;
    }

    // Waits, and works, without the interpreter.
    template <class Work>
    decltype(auto) wait_released(Work&& work) {
        auto acquired = try_acquire();
        const Released released;
        auto lock = std::move(acquired);  // let go of before the interpreter is entered again
        if (!lock.owns_lock()) wait(lock);
        return std::forward<Work>(work)(value_);
    }

    // For a thread of the interpreter that isn't attached.
    void wait(std::unique_lock<std::mutex>& lock) {
        waiting_.fetch_add(1, std::memory_order_relaxed);
        lock.lock();
        waiting_.fetch_sub(1, std::memory_order_relaxed);
        note_generation();
    }

    // Relaxed: a thread that reads an old value only waits a moment longer, above.
    void note_generation() { generation_.store(fork_generation.load(), std::memory_order_relaxed); }

    // In the child of a fork: if a thread of the child holds the lock, it is about to say so; else nobody will let go.
    void wait_for_survivor(std::unique_lock<std::mutex>& lock) {
        for (int i = 0; i < 50; ++i) {
            {
                const Released released;
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            }
            if (lock.try_lock() || generation_.load() == fork_generation.load()) return;
        }
        errors::raise("Closed", "the object must not be in use by another thread at the fork that made this process");
    }

    const bool is_native_ = false;
    std::atomic<bool> is_away_{false};  // whether a thread may work on the value without the interpreter
    std::atomic<std::uint32_t> waiting_{0};
    std::atomic<std::uint32_t> generation_{fork_generation.load()};
    std::mutex mutex_;
    T value_;
};
