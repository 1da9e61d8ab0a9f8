// SPDX-License-Identifier: MIT
// Purpose: what MpmcQueue is for Python. The ring holds strong references as plain pointers. A thread touches the ring
// only while it is attached, and lets go of the interpreter only to wait: so the collector, which runs attached or with
// the world stopped, never sees a claim without its publication, and no Python code can run between the two.
// Thread safety: every method from any thread that is attached.
// Failure: queue.Full, queue.Empty, ShutDown and what the ring throws.
#pragma once

#include "python.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <engagehub/queue/blocking_queue.hpp>

namespace object_queue {

using engagehub::Deadline;
using engagehub::QueueStatus;

class ObjectQueue {
public:
    static constexpr Deadline kNoWait{};

    explicit ObjectQueue(std::size_t capacity) : queue_(capacity) {}
    ObjectQueue(const ObjectQueue&) = delete;
    ObjectQueue& operator=(const ObjectQueue&) = delete;
    ~ObjectQueue() { clear(); }

    std::size_t capacity() const { return queue_.ring().capacity(); }
    std::size_t size() const { return queue_.ring().size(); }
    bool is_empty() const { return size() == 0; }
    bool is_full() const { return size() == capacity(); }
    bool is_shut_down() const { return queue_.ring().is_closed(); }

    // Waits for room until the deadline; with kNoWait not at all.
    void put(PyObject* item, Deadline deadline) {
        PyObject* pointer = Py_NewRef(item);
        const QueueStatus status = queue_.try_push(std::move(pointer));
        if (status != QueueStatus::kDone) put_late(item, status, deadline);
    }

    // Returns a new reference; waits for an item as put() waits for room.
    PyObject* get(Deadline deadline) {
        PyObject* item = nullptr;
        const QueueStatus status = queue_.try_pop(item);
        return status == QueueStatus::kDone ? item : get_late(status, deadline);
    }

    std::size_t put_many(const py::object& items, const py::object& timeout);
    py::list get_many(py::handle most, const py::object& timeout);

    std::uint64_t unfinished() const {
        const std::uint64_t done =
            done_.load(std::memory_order_seq_cst);  // first, so that the difference can't be negative
        return queue_.ring().pushed() - done;
    }

    void task_done();
    void join();
    void shutdown(bool immediate);

    int traverse(visitproc visit, void* argument) const {
        int stopped = 0;
        queue_.visit([&](PyObject* item) { return (stopped = visit(item, argument)) == 0; });
        return stopped;
    }

    // The items are let go one by one, each outside of any operation: their destructors may use the queue.
    void clear() {
        PyObject* item = nullptr;
        while (queue_.try_pop(item) == QueueStatus::kDone) Py_DECREF(item);
    }

private:
    // What is left to do when the first attempt failed; the reference to the item is ours.
    void put_late(PyObject* owned, QueueStatus status, Deadline deadline);
    PyObject* get_late(QueueStatus status, Deadline deadline);

    void take_all(std::vector<PyObject*>& taken);
    // Counts up to `tasks` as done, never more than were put; returns how many.
    std::uint64_t finish(std::uint64_t tasks);

    engagehub::BlockingQueue<PyObject*> queue_;
    std::atomic<std::uint64_t> done_{0};
    engagehub::EventCount all_done_;
};

// The methods that are called once an item.
void add_calls(py::handle type);

}  // namespace object_queue
