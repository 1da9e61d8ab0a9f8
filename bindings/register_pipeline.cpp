// SPDX-License-Identifier: MIT
// Purpose: EventProcessor for Python. The object that Python sees and the worker threads share a
// PythonSink. Its references to Python objects are guarded by a PointerMutex and visited by the collector by way of the
// processor, whose __del__ ends the workers before anything is cleared; a worker holds references of its own while it
// is in a call, so what it uses is never garbage.
#include "python.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <engagehub/pipeline/event.hpp>
#include <engagehub/pipeline/event_processor.hpp>

#include "collectable.hpp"
#include "convert.hpp"
#include "errors.hpp"
#include "event_batch.hpp"
#include "event_columns.hpp"
#include "event_data.hpp"
#include "fastcall.hpp"
#include "interpreter.hpp"
#include "pointer_lock.hpp"
#include "register.hpp"

namespace {

using engagehub::Deadline;
using engagehub::EventBatch;
using engagehub::EventPtr;
using engagehub::EventRecord;
using engagehub::EventView;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemKind;
using engagehub::ItemView;
using engagehub::PushOutcome;

// ---- the sink ----

class PythonSink : public engagehub::BatchSink {
public:
    explicit PythonSink(const py::object& write)
        : answer_type_(py::object(py::module_::import("engagehub_core.sinks").attr("WriteResult")).release().ptr()),
          write_(write.inc_ref().ptr()) {}
    // Whoever clears last does so attached: the processor, or the last worker of one that is gone.
    ~PythonSink() override = default;

    engagehub::WriteResult write(const std::shared_ptr<const EventBatch>& batch) override {
        if (!interpreter::NativeThread::attach()) throw std::runtime_error("the interpreter has ended");
        engagehub::WriteResult result;
        std::string failure;
        write_attached(batch, result, failure);
        interpreter::NativeThread::detach();
        if (!failure.empty()) throw std::runtime_error(failure);
        return result;
    }

    void thread_ends(bool is_last) noexcept override {
        const bool is_for_me = is_last && is_orphan_;
        if (!is_for_me && !interpreter::NativeThread::was_attached()) return;
        if (!interpreter::NativeThread::attach()) return;
        if (is_for_me) {
            if (PyObject* error = taken(unreported_)) {
                PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
                Py_DECREF(error);
                PyErr_WriteUnraisable(write_);
            }
            clear();
        }
        interpreter::NativeThread::end();
    }

    // The processor is going away on one of its own threads: what was accepted is still delivered.
    void be_orphan() { is_orphan_ = true; }

    py::object take_error() {
        PyObject* error = taken(unreported_);
        PyObject* newest = taken(newest_);
        if (error == nullptr) std::swap(error, newest);
        Py_XDECREF(newest);
        return error == nullptr ? py::none() : py::reinterpret_steal<py::object>(error);
    }

    // The collector has stopped the other threads.
    int traverse(visitproc visit, void* arg) const {
        Py_VISIT(answer_type_);
        Py_VISIT(write_);
        Py_VISIT(unreported_);
        Py_VISIT(newest_);
        return 0;
    }
    void clear() {
        for (PyObject** member : {&answer_type_, &write_, &unreported_, &newest_}) Py_XDECREF(taken(*member));
    }

private:
    void write_attached(
        const std::shared_ptr<const EventBatch>& batch, engagehub::WriteResult& result, std::string& failure) {
        py::object answer_type;
        py::object write;
        {
            const PointerLock lock(mutex_);
            answer_type = py::reinterpret_borrow<py::object>(answer_type_);
            write = py::reinterpret_borrow<py::object>(write_);
        }
        if (!answer_type || !write) {
            failure = "the processor is gone";
            return;
        }
        try {
            const py::object argument = event_batch::to_python(batch);
            PyObject* answer = interpreter::guarded_call(PyObject_CallOneArg, write.ptr(), argument.ptr());
            if (answer == nullptr) throw py::error_already_set();
            result = result_of(py::reinterpret_steal<py::object>(answer), answer_type, batch->size());
        } catch (py::error_already_set& error) {
            remember(error);
            failure = text_of(error);
        } catch (const std::exception& error) {
            failure = error.what();
        }
    }

    static engagehub::WriteResult result_of(const py::object& answer, const py::object& type, std::size_t size) {
        if (answer.is_none()) return {size, 0, 0};
        if (!py::isinstance(answer, type)) {
            throw std::runtime_error(
                "the sink's write must return WriteResult or None, got " + convert::type_name(answer));
        }
        const auto number = [&](const char* name) {
            const std::int64_t value = convert::integer(answer.attr(name), name);
            if (value < 0)
                throw InvalidArgument(std::string(name) + " must be at least 0, got " + std::to_string(value));
            return static_cast<std::uint64_t>(value);
        };
        return {number("written"), number("duplicate"), number("rejected")};
    }

    void remember(py::error_already_set& error) {
        const py::object value = error.value();
        if (error.trace()) PyException_SetTraceback(value.ptr(), error.trace().ptr());
        PyObject* old = nullptr;
        {
            const PointerLock lock(mutex_);
            if (write_ == nullptr) return;  // cleared meanwhile: nobody would ever drop what is stored now
            if (unreported_ == nullptr) unreported_ = value.inc_ref().ptr();
            old = std::exchange(newest_, value.inc_ref().ptr());
        }
        Py_XDECREF(old);
    }

    PyObject* taken(PyObject*& member) {
        const PointerLock lock(mutex_);
        return std::exchange(member, nullptr);
    }

    static std::string text_of(const py::error_already_set& error) {
        std::string text = convert::type_name(error.value());
        PyObject* said = interpreter::guarded_call(
            [](PyObject* value, PyObject*) { return PyObject_Str(value); }, error.value().ptr());
        if (said == nullptr) {
            PyErr_Clear();
            return text;
        }
        const auto owned = py::reinterpret_steal<py::object>(said);
        Py_ssize_t length = 0;
        const char* bytes = PyUnicode_AsUTF8AndSize(said, &length);
        if (bytes == nullptr) {
            PyErr_Clear();
            return text;
        }
        return length == 0 ? text : text + ": " + std::string(bytes, static_cast<std::size_t>(length));
    }

    PointerMutex mutex_;
    PyObject* answer_type_;  // looked up once: an import runs Python code, which a worker does only to call the sink
    PyObject* write_;
    PyObject* unreported_ = nullptr;  // the first exception since the last report
    PyObject* newest_ = nullptr;      // for a report whose first exception went out with the report before it
    std::atomic<bool> is_orphan_{false};
};

// ---- the processor ----

std::size_t count_of(py::handle object, const char* argument) {
    const std::int64_t value = convert::integer(object, argument);
    if (value < 0) throw InvalidArgument(std::string(argument) + " must not be negative, got " + std::to_string(value));
    return static_cast<std::size_t>(value);
}

class Processor {
public:
    Processor(const py::object& write, const engagehub::ProcessorConfig& config, bool raises, py::object clock)
        : clock_(std::move(clock)), raises_(raises) {
        if (interpreter::Gate::get().is_shut()) {
            PyErr_SetString(PyExc_RuntimeError, "an event processor can't be made while the interpreter ends");
            throw py::error_already_set();
        }
        if (!write.is_none()) sink_ = std::make_shared<PythonSink>(write);
        try {
            core_ = std::make_unique<engagehub::EventProcessor>(config, sink_);
        } catch (...) {
            if (sink_) sink_->clear();
            throw;
        }
    }
    Processor(const Processor&) = delete;
    Processor& operator=(const Processor&) = delete;

    ~Processor() {
        if (core_ == nullptr) {
            if (sink_) sink_->clear();
            return;
        }
        const bool leaves_heirs = core_->is_worker_thread();
        if (leaves_heirs && sink_) sink_->be_orphan();
        interpreter::detached([this] { core_.reset(); });
        if (!leaves_heirs && sink_) sink_->clear();
    }

    engagehub::EventProcessor& core() {
        if (core_ == nullptr)
            errors::raise("Closed", "the event processor belongs to the process that made it, not to its child");
        return *core_;
    }

    bool push(EventPtr event) {
        engagehub::EventProcessor& processor = core();
        std::size_t accepted = 0;
        switch (processor.push_n(&event, 1, accepted, Waiter())) {
            case PushOutcome::kAccepted: return true;
            case PushOutcome::kClosed: errors::raise("Closed", "the event processor is closed");
            case PushOutcome::kRefused: break;
        }
        if (raises_) {
            errors::raise(
                "CapacityExceeded",
                "the queue of the event processor is full with " + std::to_string(processor.capacity()) + " events");
        }
        return false;
    }

    std::size_t push_many(const py::object& columns) {
        engagehub::EventProcessor& processor = core();
        const EventColumnsGiven given(columns, [this] { return now(); });
        std::vector<EventPtr> events;
        events.reserve(given.size());
        for (std::size_t i = 0; i < given.size(); ++i) events.push_back(EventRecord::make(given[i]));
        std::size_t accepted = 0;
        const PushOutcome outcome = processor.push_n(events.data(), events.size(), accepted, Waiter());
        if (outcome == PushOutcome::kAccepted || (outcome == PushOutcome::kRefused && !raises_)) return accepted;
        const std::string part =
            std::to_string(accepted) + " of " + std::to_string(events.size()) + " events were accepted";
        if (outcome == PushOutcome::kClosed) errors::raise("Closed", "the event processor is closed, " + part);
        errors::raise(
            "CapacityExceeded",
            "the queue of the event processor is full with " + std::to_string(processor.capacity()) + " events, " +
                part);
    }

    std::int64_t now() {
        const py::object clock = clock_;
        if (!clock) errors::raise("Closed", "the event processor is gone");
        PyObject* instant =
            interpreter::guarded_call([](PyObject* call, PyObject*) { return PyObject_CallNoArgs(call); }, clock.ptr());
        if (instant == nullptr) throw py::error_already_set();
        return convert::instant(py::reinterpret_steal<py::object>(instant), "clock()");
    }

    py::tuple stats() {
        const engagehub::ProcessorStats stats = core().stats();
        const py::object error =
            stats.first_error.empty() ? py::object(py::none()) : py::object(text(stats.first_error));
        return py::make_tuple(
            stats.offered(), stats.accepted, stats.refused, stats.queued, stats.in_flight, stats.delivered,
            stats.written, stats.duplicate, stats.rejected, stats.failed, stats.evicted, stats.batches,
            stats.failed_batches, error);
    }

    std::uint64_t request_flush() {
        engagehub::EventProcessor& processor = core();
        std::uint64_t ticket = 0;
        interpreter::detached([&] { ticket = processor.request_flush(); });
        return ticket;
    }

    bool wait_flushed(std::uint64_t ticket, const py::object& timeout) {
        engagehub::EventProcessor& processor = core();
        bool is_flushed = false;
        const auto wait = [&](Deadline slice) { is_flushed = processor.wait_flushed(ticket, slice); };
        // Workers that have ended will not come any further.
        interpreter::wait_until(
            convert::deadline(timeout), wait, [&] { return is_flushed || processor.wait_ended(Deadline{}); });
        return is_flushed;
    }

    bool wait_ended(const py::object& timeout) {
        engagehub::EventProcessor& processor = core();
        bool has_ended = false;
        interpreter::wait_until(
            convert::deadline(timeout), [&](Deadline slice) { has_ended = processor.wait_ended(slice); },
            [&] { return has_ended; });
        return has_ended;
    }

    void stop() {
        engagehub::EventProcessor& processor = core();
        interpreter::detached([&] { processor.stop(); });
    }
    void join() {
        engagehub::EventProcessor& processor = core();
        interpreter::detached([&] { processor.join(); });
    }
    void abandon() {
        engagehub::EventProcessor& processor = core();
        interpreter::detached([&] { processor.abandon(); });
    }

    // (batches, events, text, exception or None) of what failed since the last call, or None.
    py::object take_failures() {
        const engagehub::FailureReport report = core().take_failures();
        if (report.batches == 0) return py::none();
        return py::make_tuple(
            report.batches, report.events, text(report.error), sink_ ? sink_->take_error() : py::none());
    }

    py::list failed_events() {
        py::list events;
        std::vector<std::pair<std::shared_ptr<const EventBatch>, std::size_t>> batches;
        core().visit_failed([&](const std::shared_ptr<const EventBatch>& batch, std::size_t first) {
            batches.emplace_back(batch, first);
        });
        for (const auto& [batch, first] : batches)
            events += event_batch::events_of(*batch->slice(first, batch->size() - first));
        return events;
    }

    // True for one caller only.
    bool claim_end() { return !is_end_claimed_.exchange(true); }

    bool is_worker_thread() const { return core_ != nullptr && core_->is_worker_thread(); }
    std::size_t capacity() { return core().capacity(); }
    bool is_closed() const { return core_ == nullptr || core_->is_closed(); }

    // In the child of a fork: the threads are gone, and their locks with them. What can't be destroyed is left in
    // place.
    void forget() {
        if (core_ == nullptr) return;
        core_->disown();
        static_cast<void>(core_.release());
    }

    int traverse(visitproc visit, void* arg) const {
        Py_VISIT(clock_.ptr());
        return sink_ ? sink_->traverse(visit, arg) : 0;
    }
    void clear() {
        clock_ = py::object();
        if (sink_) sink_->clear();
    }

private:
    // How a producer waits for room: without the interpreter, in slices, so that signals are seen.
    struct Waiter {
        template <class Block>
        void operator()(Deadline deadline, Block&& block) const {
            bool may_go_on = false;
            interpreter::wait_until(
                deadline, [&](Deadline slice) { may_go_on = block(slice); }, [&] { return may_go_on; });
        }
    };

    static py::str text(const std::string& bytes) {
        PyObject* decoded = PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace");
        if (decoded == nullptr) throw py::error_already_set();
        return py::reinterpret_steal<py::str>(decoded);
    }

    py::object clock_;
    bool raises_;
    std::atomic<bool> is_end_claimed_{false};
    std::shared_ptr<PythonSink> sink_;
    std::unique_ptr<engagehub::EventProcessor> core_;
};

PyObject* push(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<8> kSignature{
            "push", 2, 3, {"kind", "member", "channel", "at", "community", "id", "value", "data"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        const auto is_given = [](PyObject* object) { return object != nullptr && object != Py_None; };
        auto& processor = fastcall::self_of<Processor>(self);
        EventView view;
        if (!PyUnicode_Check(bound[0])) throw InvalidType("kind must be str, got " + convert::type_name(bound[0]));
        view.kind = ItemView::of(convert::text(bound[0], "kind"));
        view.member = convert::item(bound[1], "member");
        if (is_given(bound[2])) view.channel = convert::item(bound[2], "channel");
        view.at = is_given(bound[3]) ? convert::instant(bound[3]) : processor.now();
        view.community = bound[4] == nullptr ? ItemView::of(std::string_view()) : convert::item(bound[4], "community");
        if (is_given(bound[5])) view.id = convert::item(bound[5], "id");
        if (bound[6] != nullptr) view.value = convert::number(bound[6], "value");
        const py::object data = bound[7] == nullptr ? py::none() : event_data::text_of(bound[7]);
        view.data = event_data::view(data);
        return PyBool_FromLong(processor.push(EventRecord::make(view)) ? 1 : 0);
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
    What makes the event one of a kind, for sinks that recognise repeats.
value : float, default 1.0
    How much of it.
data : str or JSON, optional
    Anything else: text as it is, or an object of JSON (a dictionary, a list, a number, a bool) that becomes its text
    now, without spaces.

Returns
-------
bool
    True if the event was accepted: it will be delivered, or counted as failed. False if there was no room for it.

Raises
------
Closed
    If the processor was closed.
CapacityExceeded
    If there was no room and `overflow` is ``"raise"``.
InvalidType, InvalidArgument
    If an argument can't be taken: wrong type, NaN, a lone surrogate, more than 65,536 bytes of text, an integer of more
    than 64 bits, an instant outside of the years 1 to 9999, `data` that JSON has no form of.

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

constexpr const char* kPushManyDoc = R"doc(
Accept many events, given as columns.

Parameters
----------
columns : mapping or table of Arrow
    Columns by the names of the arguments of `push`; `kind` and `member` are needed. In a mapping, a column is a list or
    another sequence, a contiguous buffer of numbers such as a NumPy array, or anything with the Arrow PyCapsule
    interface, such as a pyarrow.Array or a polars.Series; a single value stands for all events, except for `member`. A
    table is anything with that interface that has columns: a pyarrow.Table or RecordBatch, a DataFrame of polars or
    pandas, an `EventBatch`. ``at_us`` gives integer microseconds instead of ``at``, and goes first where there are
    both, so that `EventBatch.columns` fits; of Arrow, ``at`` may be timestamps with a time zone.

Returns
-------
int
    How many were accepted: the first ones. The others were refused for want of room.

Raises
------
Closed
    If the processor was closed; the text says how many were accepted before.
CapacityExceeded
    If there was no room for all and `overflow` is ``"raise"``; the text says how many were accepted before.
InvalidType, InvalidArgument
    If a column can't be taken, with the row that is at fault; then no event was accepted.

Notes
-----
O(bytes of the events). All are converted before the first is accepted.

Examples
--------
>>> from engagehub_core import EventProcessor
>>> with EventProcessor() as events:
...     events.push_many({"kind": "message", "member": ["ada", "bob"], "at": [1_700_000_000, 1_700_000_001.5]})
2
)doc";

constexpr const char* kFailedDoc = R"doc(
Return the events of batches that failed, oldest first.

Returns
-------
list of Event
    At most `keep_failed`; of those that left the list before, only the number is known (`evicted`).

Notes
-----
O(failed events).

Examples
--------
>>> from engagehub_core import EventProcessor
>>> from engagehub_core.errors import SinkError
>>> def broken(batch):
...     raise OSError("disk full")
>>> events = EventProcessor(broken)
>>> events.push("message", "ada", at=0)
True
>>> try:
...     events.close()
... except SinkError as error:
...     print(error)
1 batch of 1 event failed in the sink, the first with OSError: disk full
>>> [event.member for event in events.failed_events()]
['ada']
)doc";
// clang-format on

std::unique_ptr<Processor> make_processor(
    const py::object& write, py::handle capacity, py::handle workers, py::handle batch_size, py::handle flush_interval,
    py::handle overflow, py::handle block_timeout, py::handle keep_failed, const py::object& clock) {
    engagehub::ProcessorConfig config;
    config.capacity = count_of(capacity, "capacity");
    config.workers = count_of(workers, "workers");
    config.batch_size = count_of(batch_size, "batch_size");
    config.flush_interval = convert::number(flush_interval, "flush_interval");
    config.keep_failed = count_of(keep_failed, "keep_failed");
    if (!block_timeout.is_none()) config.block_timeout = convert::number(block_timeout, "block_timeout");
    const std::string_view policy =
        PyUnicode_Check(overflow.ptr()) ? convert::text(overflow, "overflow") : std::string_view();
    if (policy != "refuse" && policy != "block" && policy != "raise") {
        throw InvalidArgument("overflow must be 'refuse', 'block' or 'raise', got " + convert::shown(overflow));
    }
    if (policy == "block") config.overflow = engagehub::Overflow::kBlock;
    if (PyCallable_Check(clock.ptr()) == 0)
        throw InvalidType("clock must be callable, got " + convert::type_name(clock));
    return std::make_unique<Processor>(write, config, policy == "raise", clock);
}

}  // namespace

void register_pipeline(py::module_& module) {
    py::class_<Processor> type(
        module, "EventProcessor", "See engagehub_core.EventProcessor.", collectable::setup<Processor>());
    type.def(
        py::init(&make_processor), py::arg("write"), py::kw_only(), py::arg("capacity"), py::arg("workers"),
        py::arg("batch_size"), py::arg("flush_interval"), py::arg("overflow"), py::arg("block_timeout"),
        py::arg("keep_failed"), py::arg("clock"));
    fastcall::add(type, push_definition);
    type.def("push_many", fastcall::method(&Processor::push_many), py::arg("columns"), kPushManyDoc);
    type.def("failed_events", fastcall::method(&Processor::failed_events), kFailedDoc);
    type.def_property_readonly(
        "capacity", fastcall::method(&Processor::capacity), "How many events there is room for: a power of two.");
    type.def_property_readonly(
        "is_closed", fastcall::method(&Processor::is_closed), "Whether events are accepted no more.");
    type.def("_stats", fastcall::method(&Processor::stats));
    type.def("_request_flush", fastcall::method(&Processor::request_flush));
    type.def("_wait_flushed", fastcall::method(&Processor::wait_flushed));
    type.def("_stop", fastcall::method(&Processor::stop));
    type.def("_wait_ended", fastcall::method(&Processor::wait_ended));
    type.def("_join", fastcall::method(&Processor::join));
    type.def("_abandon", fastcall::method(&Processor::abandon));
    type.def("_claim_end", fastcall::method(&Processor::claim_end));
    type.def("_take_failures", fastcall::method(&Processor::take_failures));
    type.def("_is_worker_thread", fastcall::method(&Processor::is_worker_thread));
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
