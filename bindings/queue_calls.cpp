// SPDX-License-Identifier: MIT
// The methods of MpmcQueue that are called once an item.
#include "python.hpp"

#include <engagehub/queue/event_count.hpp>

#include "errors.hpp"
#include "fastcall.hpp"
#include "object_queue.hpp"

namespace {

using engagehub::Deadline;
using object_queue::ObjectQueue;

Deadline deadline_of(PyObject* block, PyObject* timeout) {
    const int waits = block == nullptr ? 1 : PyObject_IsTrue(block);
    if (waits < 0) throw py::error_already_set();
    if (waits == 0) return ObjectQueue::kNoWait;
    return convert::deadline(timeout == nullptr ? Py_None : timeout);
}

bool are_alone(Py_ssize_t count, Py_ssize_t expected, PyObject* keywords) {
    return count == expected && (keywords == nullptr || PyTuple_GET_SIZE(keywords) == 0);
}

PyObject* put(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        if (are_alone(count, 1, keywords)) {  // as mostly: nothing is to be bound
            fastcall::self_of<ObjectQueue>(self).put(given[0], engagehub::kNoDeadline);
            Py_RETURN_NONE;
        }
        static constexpr fastcall::Signature<3> kSignature{"put", 1, 3, {"item", "block", "timeout"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        const Deadline deadline = deadline_of(bound[1], bound[2]);
        fastcall::self_of<ObjectQueue>(self).put(bound[0], deadline);
        Py_RETURN_NONE;
    });
}

PyObject* get(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        if (are_alone(count, 0, keywords)) return fastcall::self_of<ObjectQueue>(self).get(engagehub::kNoDeadline);
        static constexpr fastcall::Signature<2> kSignature{"get", 0, 2, {"block", "timeout"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        const Deadline deadline = deadline_of(bound[0], bound[1]);
        return fastcall::self_of<ObjectQueue>(self).get(deadline);
    });
}

PyObject* put_nowait(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"put_nowait", 1, 1, {"item"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        fastcall::self_of<ObjectQueue>(self).put(bound[0], ObjectQueue::kNoWait);
        Py_RETURN_NONE;
    });
}

PyObject* get_nowait(PyObject* self, PyObject* const* /*given*/, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        if (!are_alone(count, 0, keywords)) throw py::type_error("get_nowait() takes no arguments");
        return fastcall::self_of<ObjectQueue>(self).get(ObjectQueue::kNoWait);
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

void object_queue::add_calls(py::handle type) {
    for (PyMethodDef* definition : {&put_definition, &get_definition, &put_nowait_definition, &get_nowait_definition}) {
        fastcall::add(type, *definition);
    }
}
