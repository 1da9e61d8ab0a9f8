// SPDX-License-Identifier: MIT
// The methods of EventProcessor that are called once an event: see fastcall.hpp.
#include "python.hpp"

#include <engagehub/base/errors.hpp>
#include <engagehub/pipeline/event.hpp>

#include "convert.hpp"
#include "event_data.hpp"
#include "fastcall.hpp"
#include "processor.hpp"

using engagehub::EventView;
using engagehub::InvalidType;
using engagehub::ItemView;

namespace processor {

namespace {

fastcall::Signature<8> push_signature{
    "push", 2, 3, {"kind", "member", "channel", "at", "community", "id", "value", "data"}};

// Calls take(processor, event) with what the arguments say.
template <class Take>
PyObject* with_event(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords, const Take& take) {
    return fastcall::call([&]() -> PyObject* {
        const auto bound = fastcall::bind(push_signature, given, count, keywords);
        const auto is_given = [](PyObject* object) { return object != nullptr && object != Py_None; };
        auto& processor = fastcall::self_of<Processor>(self);
        EventView event;
        if (!PyUnicode_Check(bound[0])) throw InvalidType("kind must be str, got " + convert::type_name(bound[0]));
        event.kind = ItemView::of(convert::text(bound[0], "kind"));
        event.member = convert::item(bound[1], "member");
        if (is_given(bound[2])) event.channel = convert::item(bound[2], "channel");
        event.community = bound[4] == nullptr ? ItemView::of(std::string_view()) : convert::item(bound[4], "community");
        if (is_given(bound[5])) event.id = convert::item(bound[5], "id");
        if (bound[6] != nullptr) event.value = convert::number(bound[6], "value");
        py::object data;
        if (is_given(bound[7])) {
            data = event_data::text_of(bound[7]);
            event.data = event_data::view(data);
        }
        event.at = processor.instant(bound[3] == nullptr ? Py_None : bound[3]);
        return take(processor, event);
    });
}

PyObject* push(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return with_event(self, given, count, keywords, [](Processor& processor, const EventView& event) {
        return PyBool_FromLong(processor.push(event) ? 1 : 0);
    });
}

PyObject* offer(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return with_event(self, given, count, keywords, [](Processor& processor, const EventView& event) {
        return processor.offer(event).release().ptr();
    });
}

// clang-format off
PyMethodDef push_definition = fastcall::definition("push", push,
R"doc(push($self, /, kind, member, channel=None, *, at=None, community='', id=None, value=1.0, data=None)
--

Accept one event.

Parameters
----------
kind : str
    What happened, such as ``"message"``.
member : int or str
    Who did it.
channel : int or str, optional
    Where.
at : float, int or datetime.datetime, optional
    When: Unix seconds or an aware datetime; None asks the processor's clock.
community : int or str, default ""
    In which community.
id : int or str, optional
    What makes the event one of a kind in its community. One that was accepted within `dedupe_horizon` is a duplicate.
    An event without gets one when it is handed to the sink, of the processor's run and its number: the same however
    often the batch is tried, but the caller's own repeats are not recognised.
value : float, default 1.0
    How much of it.
data : str or what json.dumps takes, optional
    Anything else: a str as it is, other things as JSON. At most 65,536 bytes.

Returns
-------
bool
    True if the event was accepted: it changes the structures, and is delivered or set aside with its reason. False if
    it is a duplicate or there was no room; `stats` counts each.

Raises
------
Closed
    If the processor was closed.
CapacityExceeded
    If there was no room and `overflow` is ``"raise"``.
InvalidType, InvalidArgument
    If an argument can't be taken: wrong type, NaN, a lone surrogate, more than 65,536 bytes of text, an integer of more
    than 64 bits, an instant outside of the years 1 to 9999. Or if `at` is more than `max_skew` ahead of the clock:
    that is counted as refused.
RuntimeError
    If it would have to wait for room on the thread of a running asyncio loop: use `apush`.

Notes
-----
O(bytes of the event). With ``overflow="block"`` it may wait; Ctrl-C interrupts that, and the event counts as refused.
On the thread that calls the sink it never waits.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> with EventProcessor() as events:
...     events.push("message", "ada", "general", at=1_700_000_000)
True
)doc");

PyMethodDef offer_definition = fastcall::definition("_offer", offer,
R"doc(_offer($self, /, kind, member, channel=None, *, at=None, community='', id=None, value=1.0, data=None)
--

As push(), but at once, and None where there is no room, which it doesn't count.
)doc");
// clang-format on

}  // namespace

void add_push_calls(py::handle type) {
    fastcall::remember_names(push_signature);
    fastcall::add(type, push_definition);
    fastcall::add(type, offer_definition);
}

}  // namespace processor
