// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <engagehub/queue/mpmc_queue.hpp>

#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "object_queue.hpp"
#include "register.hpp"

using object_queue::ObjectQueue;

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
    object_queue::add_calls(type);
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
