// SPDX-License-Identifier: MIT
// Purpose: a door that a thread of the processor waits at until the test opens it.
// Thread safety: any thread. Who passes after it was opened doesn't wait.
#pragma once

#include <condition_variable>
#include <mutex>

namespace engagehub_tests {

class Door {
public:
    void open() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock<std::mutex> lock(mutex_);
        ++arrived_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
    }
    void wait_for_arrival() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return arrived_ != 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_open_ = false;
    int arrived_ = 0;
};

}  // namespace engagehub_tests
