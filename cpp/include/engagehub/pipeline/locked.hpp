// SPDX-License-Identifier: MIT
// Purpose: a value that threads use one at a time. Thread safety: any thread; the work must not use the same value.
#pragma once

#include <mutex>
#include <utility>

namespace engagehub {

template <class T>
class Locked {
public:
    template <class... Arguments>
    explicit Locked(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

    template <class Work>
    decltype(auto) locked(Work&& work) {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::forward<Work>(work)(value_);
    }
    template <class Work>
    decltype(auto) asked(Work&& work) {
        return locked(std::forward<Work>(work));
    }

private:
    std::mutex mutex_;
    T value_;
};

}  // namespace engagehub
