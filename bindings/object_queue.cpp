// SPDX-License-Identifier: MIT
#include "object_queue.hpp"

#include <algorithm>
#include <string>

#include "convert.hpp"
#include "errors.hpp"
#include "interpreter.hpp"

namespace object_queue {

using engagehub::InvalidArgument;

namespace {

// A new reference to each element, taken before the first claim; the destructor drops those that found no place.
struct References {
    explicit References(const py::tuple& of) : tuple(of) {
        for (std::size_t i = 0; i < tuple.size(); ++i)
            Py_INCREF(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)));
    }
    References(const References&) = delete;
    References& operator=(const References&) = delete;
    ~References() {
        for (std::size_t i = given_away; i < tuple.size(); ++i)
            Py_DECREF(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)));
    }
    const py::tuple& tuple;
    mutable std::size_t given_away = 0;
};

// Copies the pointers of a tuple, which keeps its own.
struct Reader {
    PyObject** at;
    PyObject* operator*() const { return *at; }
    Reader& operator++() {
        ++at;
        return *this;
    }
    Reader& operator+=(std::ptrdiff_t by) {
        at += by;
        return *this;
    }
};

[[noreturn]] void refuse_after_shutdown() { errors::raise("ShutDown", ""); }

}  // namespace

void ObjectQueue::put_late(PyObject* owned, QueueStatus status, Deadline deadline) {
    py::object item = py::reinterpret_steal<py::object>(owned);
    if (status == QueueStatus::kFull && deadline != kNoWait) {
        PyObject* pointer = item.ptr();
        interpreter::wait_until(
            deadline, [this](Deadline slice) { queue_.wait_for_space(slice); },
            [&] { return (status = queue_.try_push(std::move(pointer))) != QueueStatus::kFull; });
    }
    if (status == QueueStatus::kClosed) refuse_after_shutdown();
    if (status == QueueStatus::kFull) errors::raise_from("queue", "Full", "");
    item.release();
}

PyObject* ObjectQueue::get_late(QueueStatus status, Deadline deadline) {
    PyObject* item = nullptr;
    if (status == QueueStatus::kEmpty && deadline != kNoWait) {
        interpreter::wait_until(
            deadline, [this](Deadline slice) { queue_.wait_for_item(slice); },
            [&] { return (status = queue_.try_pop(item)) != QueueStatus::kEmpty; });
    }
    if (status == QueueStatus::kClosed) refuse_after_shutdown();
    if (status == QueueStatus::kEmpty) errors::raise_from("queue", "Empty", "");
    return item;
}

std::size_t ObjectQueue::put_many(const py::object& items, const py::object& timeout) {
    const Deadline deadline = convert::deadline(timeout);
    const auto tuple = py::reinterpret_steal<py::tuple>(
        interpreter::guarded_call([](PyObject* given, PyObject*) { return PySequence_Tuple(given); }, items.ptr()));
    if (!tuple) throw py::error_already_set();
    const References references(tuple);
    PyObject** const all = PySequence_Fast_ITEMS(tuple.ptr());
    const std::size_t count = tuple.size();
    std::size_t done = 0;
    QueueStatus status = QueueStatus::kDone;
    const auto attempt = [&] {
        const auto claim = queue_.try_push_n(Reader{all + done}, count - done);
        done += claim.count;
        references.given_away = done;
        status = claim.status;
        return status != QueueStatus::kFull;
    };
    if (!attempt()) {
        interpreter::wait_until(deadline, [this](Deadline slice) { queue_.wait_for_space(slice); }, attempt);
    }
    if (status == QueueStatus::kClosed && done == 0 && count != 0) refuse_after_shutdown();
    return done;
}

py::list ObjectQueue::get_many(py::handle most, const py::object& timeout) {
    const std::int64_t wanted = convert::integer(most, "max");
    if (wanted < 1) throw InvalidArgument("max must be at least 1, got " + std::to_string(wanted));
    const Deadline deadline = convert::deadline(timeout);
    QueueStatus status = QueueStatus::kEmpty;
    py::list items;
    const auto attempt = [&] {
        // Memory first: nothing may fail once an item was taken. At least one place, for an item that comes just
        // now.
        const std::size_t room = std::max<std::size_t>(std::min(static_cast<std::size_t>(wanted), size()), 1);
        auto list = py::reinterpret_steal<py::list>(PyList_New(static_cast<Py_ssize_t>(room)));
        if (!list) throw py::error_already_set();
        Py_ssize_t taken = 0;
        status = queue_.try_pop_n(room, [&](PyObject*&& item) noexcept { PyList_SET_ITEM(list.ptr(), taken++, item); })
                     .status;
        if (static_cast<std::size_t>(taken) != room &&
            PyList_SetSlice(list.ptr(), taken, static_cast<Py_ssize_t>(room), nullptr) != 0) {
            throw py::error_already_set();
        }
        if (taken != 0) status = QueueStatus::kDone;
        items = std::move(list);
        return status != QueueStatus::kEmpty;
    };
    if (!attempt()) {
        interpreter::wait_until(deadline, [this](Deadline slice) { queue_.wait_for_item(slice); }, attempt);
    }
    if (status == QueueStatus::kClosed) refuse_after_shutdown();
    return items;
}

void ObjectQueue::task_done() {
    if (finish(1) == 0) throw py::value_error("task_done() called too many times");
}

void ObjectQueue::join() {
    const auto is_over = [this] { return unfinished() == 0; };
    if (is_over()) return;
    interpreter::wait_until(engagehub::kNoDeadline, [&](Deadline slice) { all_done_.wait(slice, is_over); }, is_over);
}

void ObjectQueue::shutdown(bool immediate) {
    queue_.close();
    if (!immediate) return;
    std::vector<PyObject*> taken;
    take_all(taken);
    finish(taken.size());
    for (PyObject* item : taken) Py_DECREF(item);
}

void ObjectQueue::take_all(std::vector<PyObject*>& taken) {
    for (std::size_t left = size(); left != 0; left = size()) {
        taken.reserve(taken.size() + left);
        queue_.try_pop_n(left, [&](PyObject*&& item) noexcept { taken.push_back(item); });
    }
}

std::uint64_t ObjectQueue::finish(std::uint64_t tasks) {
    std::uint64_t done = done_.load(std::memory_order_seq_cst);
    for (;;) {
        const std::uint64_t put = queue_.ring().pushed();
        const std::uint64_t counted = std::min(tasks, put - done);
        if (!done_.compare_exchange_weak(done, done + counted, std::memory_order_seq_cst)) continue;
        if (done + counted == put) all_done_.notify_all();
        return counted;
    }
}

}  // namespace object_queue
