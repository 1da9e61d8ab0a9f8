// SPDX-License-Identifier: MIT
// Purpose: MpmcQueue for Python. The ring holds strong references as plain pointers. A thread touches the ring only
// while it is attached, and lets go of the interpreter only to wait: so the collector, which runs attached or with the
// world stopped, never sees a claim without its publication, and no Python code can run between the two.
#include "python.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <engagehub/queue/blocking_queue.hpp>

#include "collectable.hpp"
#include "convert.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "interpreter.hpp"
#include "register.hpp"

namespace {

using engagehub::Deadline;
using engagehub::InvalidArgument;
using engagehub::QueueStatus;

class ObjectQueue {
public:
    explicit ObjectQueue(std::size_t capacity) : queue_(capacity) {}
    ObjectQueue(const ObjectQueue&) = delete;
    ObjectQueue& operator=(const ObjectQueue&) = delete;
    ~ObjectQueue() { clear(); }

    std::size_t capacity() const { return queue_.ring().capacity(); }
    std::size_t size() const { return queue_.ring().size(); }
    bool is_empty() const { return size() == 0; }
    bool is_full() const { return size() == capacity(); }
    bool is_shut_down() const { return queue_.ring().is_closed(); }

    void put(py::handle item, bool block, py::handle timeout) {
        const Deadline deadline = block ? convert::deadline(timeout) : Deadline{};
        py::object owned = py::reinterpret_borrow<py::object>(item);
        PyObject* pointer = item.ptr();
        QueueStatus status = queue_.try_push(std::move(pointer));
        if (status == QueueStatus::kFull && block) {
            interpreter::wait_until(
                deadline, [this](Deadline slice) { queue_.wait_for_space(slice); },
                [&] { return (status = queue_.try_push(std::move(pointer))) != QueueStatus::kFull; });
        }
        if (status == QueueStatus::kClosed) refuse_after_shutdown();
        if (status == QueueStatus::kFull) errors::raise_from("queue", "Full", "");
        owned.release();
    }

    PyObject* get(bool block, py::handle timeout) {
        const Deadline deadline = block ? convert::deadline(timeout) : Deadline{};
        PyObject* item = nullptr;
        QueueStatus status = queue_.try_pop(item);
        if (status == QueueStatus::kEmpty && block) {
            interpreter::wait_until(
                deadline, [this](Deadline slice) { queue_.wait_for_item(slice); },
                [&] { return (status = queue_.try_pop(item)) != QueueStatus::kEmpty; });
        }
        if (status == QueueStatus::kClosed) refuse_after_shutdown();
        if (status == QueueStatus::kEmpty) errors::raise_from("queue", "Empty", "");
        return item;
    }

    std::size_t put_many(const py::object& items, const py::object& timeout) {
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

    py::list get_many(py::handle most, const py::object& timeout) {
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
            status =
                queue_.try_pop_n(room, [&](PyObject*&& item) noexcept { PyList_SET_ITEM(list.ptr(), taken++, item); })
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

    std::uint64_t unfinished() const {
        const std::uint64_t done =
            done_.load(std::memory_order_seq_cst);  // first, so that the difference can't be negative
        return queue_.ring().pushed() - done;
    }

    void task_done() {
        if (finish(1) == 0) throw py::value_error("task_done() called too many times");
    }

    void join() {
        const auto is_over = [this] { return unfinished() == 0; };
        if (is_over()) return;
        interpreter::wait_until(
            engagehub::kNoDeadline, [&](Deadline slice) { all_done_.wait(slice, is_over); }, is_over);
    }

    void shutdown(bool immediate) {
        queue_.close();
        if (!immediate) return;
        std::vector<PyObject*> taken;
        take_all(taken);
        finish(taken.size());
        for (PyObject* item : taken) Py_DECREF(item);
    }

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

    [[noreturn]] static void refuse_after_shutdown() { errors::raise("ShutDown", ""); }

    void take_all(std::vector<PyObject*>& taken) {
        for (std::size_t left = size(); left != 0; left = size()) {
            taken.reserve(taken.size() + left);
            queue_.try_pop_n(left, [&](PyObject*&& item) noexcept { taken.push_back(item); });
        }
    }

    // Counts up to `tasks` as done, never more than were put; returns how many.
    std::uint64_t finish(std::uint64_t tasks) {
        std::uint64_t done = done_.load(std::memory_order_seq_cst);
        for (;;) {
            const std::uint64_t put = queue_.ring().pushed();
            const std::uint64_t counted = std::min(tasks, put - done);
            if (!done_.compare_exchange_weak(done, done + counted, std::memory_order_seq_cst)) continue;
            if (done + counted == put) all_done_.notify_all();
            return counted;
        }
    }

    engagehub::BlockingQueue<PyObject*> queue_;
    std::atomic<std::uint64_t> done_{0};
    engagehub::EventCount all_done_;
};

bool truth(PyObject* given) {
    if (given == nullptr) return true;
    const int answer = PyObject_IsTrue(given);
    if (answer < 0) throw py::error_already_set();
    return answer != 0;
}

py::handle or_none(PyObject* given) { return given == nullptr ? Py_None : given; }

PyObject* put(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"put", 1, 3, {"item", "block", "timeout"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        const bool block = truth(bound[1]);
        fastcall::self_of<ObjectQueue>(self).put(bound[0], block, or_none(bound[2]));
        Py_RETURN_NONE;
    });
}

PyObject* get(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"get", 0, 2, {"block", "timeout"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        const bool block = truth(bound[0]);
        return fastcall::self_of<ObjectQueue>(self).get(block, or_none(bound[1]));
    });
}

PyObject* put_nowait(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"put_nowait", 1, 1, {"item"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        fastcall::self_of<ObjectQueue>(self).put(bound[0], false, Py_None);
        Py_RETURN_NONE;
    });
}

PyObject* get_nowait(PyObject* self, PyObject* const* /*given*/, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<0> kSignature{"get_nowait", 0, 0, {}};
        if (count != 0 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) != 0)) {
            throw py::type_error(std::string(kSignature.name) + "() takes no arguments");
        }
        return fastcall::self_of<ObjectQueue>(self).get(false, Py_None);
    });
}

// clang-format off
PyMethodDef put_definition = fastcall::definition("put", put, R"doc(put($self, /, item, block=True, timeout=None)
--

Put an item at the end of the queue.

Parameters
----------
item : object
    Anything; the queue holds a reference until it is taken.
block : bool, default True
    Wait for room. If false, raise at once when there is none, and ignore `timeout`.
timeout : float, optional
    Seconds to wait at most; None waits for ever.

Raises
------
queue.Full
    If there was no room in time.
ShutDown
    If the queue was shut down, before or during the wait.
InvalidArgument
    If `timeout` is negative, NaN or infinite.

Notes
-----
O(1). Waiting lets other threads run, and Ctrl-C interrupts it.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put("ada")
>>> queue.put("bob", timeout=0.5)
>>> queue.put("cleo", block=False)
Traceback (most recent call last):
queue.Full
)doc");

PyMethodDef get_definition = fastcall::definition("get", get, R"doc(get($self, /, block=True, timeout=None)
--

Take the oldest item.

Parameters
----------
block : bool, default True
    Wait for an item. If false, raise at once when there is none, and ignore `timeout`.
timeout : float, optional
    Seconds to wait at most; None waits for ever.

Returns
-------
object
    The item.

Raises
------
queue.Empty
    If no item came in time.
ShutDown
    If the queue was shut down and is empty, before or during the wait.
InvalidArgument
    If `timeout` is negative, NaN or infinite.

Notes
-----
O(1). Waiting lets other threads run, and Ctrl-C interrupts it.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put("ada")
>>> queue.get()
'ada'
>>> queue.get(timeout=0.01)
Traceback (most recent call last):
_queue.Empty
)doc");

PyMethodDef put_nowait_definition = fastcall::definition("put_nowait", put_nowait, R"doc(put_nowait($self, /, item)
--

Put an item at the end of the queue if there is room.

Parameters
----------
item : object
    Anything.

Raises
------
queue.Full
    If there is no room.
ShutDown
    If the queue was shut down.

Notes
-----
O(1). «Full» is an answer that was true at one moment of the call: for a slot that another thread is just emptying it
waits.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put_nowait("ada")
>>> queue.qsize()
1
)doc");

PyMethodDef get_nowait_definition = fastcall::definition("get_nowait", get_nowait, R"doc(get_nowait($self, /)
--

Take the oldest item if there is one.

Returns
-------
object
    The item.

Raises
------
queue.Empty
    If there is none.
ShutDown
    If the queue was shut down and is empty.

Notes
-----
O(1). «Empty» is an answer that was true at one moment of the call: for an item that another thread is just putting it
waits.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put("ada")
>>> queue.get_nowait()
'ada'
)doc");
// clang-format on

}  // namespace

void register_queue(py::module_& module) {
    py::class_<ObjectQueue> type(
        module, "MpmcQueue", "See engagehub_core.MpmcQueue.", collectable::setup<ObjectQueue>());
    type.def(
        py::init([](py::handle capacity) {
            const std::int64_t slots = convert::integer(capacity, "capacity");
            // The ring looks at all other sizes itself.
            if (slots < 0) {
                throw engagehub::InvalidArgument(
                    "capacity must be between 2 and " + std::to_string(engagehub::MpmcQueue<PyObject*>::kMaxCapacity) +
                    ", got " + std::to_string(slots));
            }
            return std::make_unique<ObjectQueue>(static_cast<std::size_t>(slots));
        }),
        py::arg("capacity") = 16'384);
    fastcall::add(type, put_definition);
    fastcall::add(type, get_definition);
    fastcall::add(type, put_nowait_definition);
    fastcall::add(type, get_nowait_definition);
    // clang-format off
    type.def("put_many", fastcall::method(&ObjectQueue::put_many), py::arg("items"), py::arg("timeout") = py::none(), R"doc(
Put many items, in order.

Parameters
----------
items : iterable
    The items; read to its end before the first one is put.
timeout : float, optional
    Seconds to wait for room at most; None waits until all are in, 0 doesn't wait.

Returns
-------
int
    How many were put: the first ones of `items`. Fewer than all only when the time was over or the queue was shut down.

Raises
------
ShutDown
    If the queue was shut down before the first item was in.
InvalidArgument
    If `timeout` is negative, NaN or infinite.

Notes
-----
O(n). Neighbouring places are claimed together, so items of one call stay neighbours as far as there is room.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(4)
>>> queue.put_many(["ada", "bob"])
2
>>> queue.put_many(range(10), timeout=0)
2
)doc");
    type.def("get_many", fastcall::method(&ObjectQueue::get_many), py::arg("max"), py::arg("timeout") = py::none(), R"doc(
Take up to `max` of the oldest items: wait for the first one, then take what is there.

Parameters
----------
max : int
    How many at the most, at least 1.
timeout : float, optional
    Seconds to wait for the first item; None waits for ever, 0 doesn't wait.

Returns
-------
list
    The items, oldest first; empty if none came in time.

Raises
------
ShutDown
    If the queue was shut down and is empty.
InvalidArgument
    If `max` is less than 1, or `timeout` is negative, NaN or infinite.

Notes
-----
O(n).

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(4)
>>> queue.put_many("abc")
3
>>> queue.get_many(2)
['a', 'b']
>>> queue.get_many(10), queue.get_many(10, timeout=0)
(['c'], [])
)doc");
    type.def("qsize", fastcall::method(&ObjectQueue::size), R"doc(
Return the number of items; while other threads are at work, a number that was right a moment ago.

Returns
-------
int
    Between 0 and the capacity.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> MpmcQueue(2).qsize()
0
)doc");
    type.def("empty", fastcall::method(&ObjectQueue::is_empty), R"doc(
Return whether there is no item; while other threads are at work, an answer that was right a moment ago.

Returns
-------
bool
    True if `qsize()` is 0.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> MpmcQueue(2).empty()
True
)doc");
    type.def("full", fastcall::method(&ObjectQueue::is_full), R"doc(
Return whether there is no room; while other threads are at work, an answer that was right a moment ago.

Returns
-------
bool
    True if `qsize()` is the capacity.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> MpmcQueue(2).full()
False
)doc");
    type.def("task_done", fastcall::method(&ObjectQueue::task_done), R"doc(
Say that the work on one item that was taken is done.

Raises
------
ValueError
    If it is called more often than items were put.

See Also
--------
join : Waits for it.

Notes
-----
O(1).

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put("ada")
>>> item = queue.get()
>>> queue.task_done()
>>> queue.join()
)doc");
    type.def("join", fastcall::method(&ObjectQueue::join), R"doc(
Wait until `task_done` was called for every item that was put.

See Also
--------
task_done : Ends it.

Notes
-----
Waiting lets other threads run, and Ctrl-C interrupts it.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> MpmcQueue(2).join()
)doc");
    type.def("shutdown", fastcall::method(&ObjectQueue::shutdown), py::arg("immediate") = false, R"doc(
Close the queue: every put raises from now on, and every get as soon as the queue is empty.

Parameters
----------
immediate : bool, default False
    Also drop the items that are in the queue, as if each had been taken and its task done.

Notes
-----
It can't be undone. All who wait are woken. No put slips past it: what was put before can be taken.

Examples
--------
>>> from engagehub_core import MpmcQueue
>>> queue = MpmcQueue(2)
>>> queue.put("ada")
>>> queue.shutdown()
>>> queue.get()
'ada'
>>> from engagehub_core.errors import ShutDown
>>> try:
...     queue.get()
... except ShutDown:
...     print("over")
over
)doc");
    // clang-format on
    type.def_property_readonly(
        "capacity", fastcall::method(&ObjectQueue::capacity), "How many items there is room for: a power of two.");
    type.def_property_readonly(
        "maxsize", fastcall::method(&ObjectQueue::capacity), "The capacity, by the name that queue.Queue has for it.");
    type.def_property_readonly(
        "unfinished_tasks", fastcall::method(&ObjectQueue::unfinished),
        "Items that were put and whose task is not done.");
    type.def_property_readonly(
        "is_shutdown", fastcall::method(&ObjectQueue::is_shut_down), "Whether the queue was shut down.");
    const py::object generic_alias = py::module_::import("types").attr("GenericAlias");
    type.attr("__class_getitem__") = py::reinterpret_steal<py::object>(PyClassMethod_New(generic_alias.ptr()));
}
