// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>

#include "collectable.hpp"
#include "convert.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "interpreter.hpp"
#include "processor.hpp"
#include "projections.hpp"
#include "register.hpp"

using engagehub::InvalidArgument;
using engagehub::Overflow;
using processor::Full;
using processor::Processor;

namespace {

constexpr const char* kPushManyDoc = R"doc(
Accept many events, given as columns.

Parameters
----------
columns : mapping, or anything with the Arrow interface
    Columns by the names of the arguments of `push`: a mapping, a pyarrow or polars table, a pandas frame. `kind` and
    `member` are needed. A column is a sequence, an Arrow array or, where it holds numbers, any contiguous buffer; a
    single value stands for all events, except for `member`. ``at_us`` gives integer microseconds instead of ``at``, and
    goes first where there are both, so that `EventBatch.columns` fits.

Returns
-------
int
    How many were accepted. Duplicates are passed over; where there was no room, that event and all behind it were
    refused.

Raises
------
Closed
    If the processor was closed; the text says how many were accepted before.
CapacityExceeded
    If there was no room for all and `overflow` is ``"raise"``; the text says how many were accepted before.
InvalidType, InvalidArgument
    If a column can't be taken; then no event was accepted. Or if an instant is more than `max_skew` ahead of the clock:
    then all are counted as refused.
RuntimeError
    If it would have to wait for room on the thread of a running asyncio loop.

Notes
-----
O(bytes of the events). All are looked at before the first is accepted.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> with EventProcessor() as events:
...     events.push_many({"kind": "message", "member": ["ada", "bob"], "at": [1_700_000_000, 1_700_000_001.5]})
2
)doc";

std::size_t count_of(py::handle object, const char* argument) {
    const std::int64_t value = convert::integer(object, argument);
    if (value < 0) throw InvalidArgument(std::string(argument) + " must not be negative, got " + std::to_string(value));
    return static_cast<std::size_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(value), SIZE_MAX));
}

double seconds_or_for_ever(py::handle object, const char* argument) {
    return object.is_none() ? std::numeric_limits<double>::infinity() : convert::number(object, argument);
}

std::unique_ptr<Processor> make_processor(
    const py::object& write, const py::object& is_transient, const Projections& projections, py::handle capacity,
    py::handle workers, py::handle batch_size, py::handle flush_interval, const std::string& overflow,
    py::handle block_timeout, py::handle retry_first, py::handle retry_max, py::handle sink_timeout,
    py::handle keep_dead, std::optional<std::int64_t> dedupe_horizon, py::handle max_identities,
    std::optional<std::int64_t> max_skew, const std::string& run, const py::object& clock) {
    engagehub::ProcessorConfig config;
    config.capacity = count_of(capacity, "capacity");
    config.workers = count_of(workers, "workers");
    config.batch_size = count_of(batch_size, "batch_size");
    config.flush_interval = convert::number(flush_interval, "flush_interval");
    config.block_timeout = seconds_or_for_ever(block_timeout, "block_timeout");
    config.overflow = overflow == "block" ? Overflow::kBlock
        : overflow == "drop_oldest"       ? Overflow::kDropOldest
                                          : Overflow::kRefuse;
    config.delivery.retry_first = convert::number(retry_first, "retry_first");
    config.delivery.retry_max = convert::number(retry_max, "retry_max");
    config.delivery.sink_timeout = seconds_or_for_ever(sink_timeout, "sink_timeout");
    config.delivery.keep_dead = count_of(keep_dead, "keep_dead");
    config.dedupe_horizon = dedupe_horizon;
    config.max_identities = count_of(max_identities, "max_identities");
    config.run = run;
    return std::make_unique<Processor>(
        write, is_transient, projections.all(), config, overflow == "raise" ? Full::kRaises : Full::kAnswers,
        Clock(clock, max_skew));
}

}  // namespace

void register_processor(py::module_& module) {
    py::class_<Processor> type(
        module, "EventProcessor", "See engagehub_core.EventProcessor.", collectable::setup<Processor>());
    type.def(
        py::init(&make_processor), py::arg("write"), py::arg("is_transient"), py::arg("projections"), py::kw_only(),
        py::arg("capacity"), py::arg("workers"), py::arg("batch_size"), py::arg("flush_interval"), py::arg("overflow"),
        py::arg("block_timeout"), py::arg("retry_first"), py::arg("retry_max"), py::arg("sink_timeout"),
        py::arg("keep_dead"), py::arg("dedupe_horizon"), py::arg("max_identities"), py::arg("max_skew"), py::arg("run"),
        py::arg("clock"));
    processor::add_push_calls(type);
    type.def("push_many", fastcall::method(&Processor::push_many), py::arg("columns"), kPushManyDoc);
    type.def_property_readonly(
        "capacity", fastcall::method(&Processor::capacity), "How many events there is room for: a power of two.");
    type.def_property_readonly(
        "is_closed", fastcall::method(&Processor::is_closed), "Whether events are accepted no more.");
    type.def("_stats", fastcall::method(&Processor::stats));
    type.def("_count_timeout", fastcall::method(&Processor::count_timeout));
    type.def("_request_flush", fastcall::method(&Processor::request_flush));
    type.def("_wait_flushed", fastcall::method(&Processor::wait_flushed));
    type.def("_stop", fastcall::method(&Processor::stop));
    type.def("_wait_ended", fastcall::method(&Processor::wait_ended));
    type.def("_join", fastcall::method(&Processor::join));
    type.def("_abandon", fastcall::method(&Processor::abandon));
    type.def("_claim_end", fastcall::method(&Processor::claim_end));
    type.def("_take_failures", fastcall::method(&Processor::take_failures));
    type.def("_is_sink_stalled", fastcall::method(&Processor::is_sink_stalled));
    type.def("_dead_letters", fastcall::method(&Processor::dead_letters));
    type.def("_take_dead", fastcall::method(&Processor::take_dead));
    type.def("_replay_dead", fastcall::method(&Processor::replay_dead));
    type.def("_replace_sink", fastcall::method(&Processor::replace_sink));
    type.def("_is_own_thread", fastcall::method(&Processor::is_own_thread));
    type.def("_forget", fastcall::method(&Processor::forget));

    module.def(
        "write_unraisable",
        [](const py::object& error, const py::object& where) {
            PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
            PyErr_WriteUnraisable(where.ptr());
        },
        "Hand an error that nobody else can be told of to sys.unraisablehook.");
    module.def(
        "shut_interpreter",
        [](double seconds) {
            interpreter::detached([&] { interpreter::Gate::get().shut(engagehub::deadline_after(seconds)); });
        },
        "Let no native thread into the interpreter any more: it is about to end.");
    module.def(
        "renew_after_fork", [] { interpreter::Gate::renew(); },
        "Forget what other threads were doing: this is the child of a fork.");
}
