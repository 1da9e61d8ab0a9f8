// SPDX-License-Identifier: MIT
#include "python_sink.hpp"

#include <new>
#include <stdexcept>
#include <utility>

#include <engagehub/base/errors.hpp>

#include "convert.hpp"
#include "event_batch.hpp"
#include "interpreter.hpp"

using engagehub::EventBatch;
using engagehub::InvalidArgument;
using engagehub::WriteResult;

namespace {

std::string text_of(const py::error_already_set& error) {
    std::string text = convert::type_name(error.value());
    PyObject* said =
        interpreter::guarded_call([](PyObject* value, PyObject*) { return PyObject_Str(value); }, error.value().ptr());
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

// Hands the current error to sys.unraisablehook, which is Python code.
void write_unraisable(PyObject* where) {
    interpreter::guarded_call(
        [](PyObject* its_source, PyObject* /*unused*/) -> PyObject* {
            PyErr_WriteUnraisable(its_source);
            return nullptr;
        },
        where);
}

void write_unraisable(PyObject* error, PyObject* where) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
    write_unraisable(where);
}

// A thread that stayed attached would stop all others.
struct Detaching {
    ~Detaching() { interpreter::NativeThread::detach(); }
};

// THROWS: std::exception, if it is no answer.
WriteResult result_of(const py::object& answer, const py::object& type, std::size_t size) {
    if (answer.is_none()) return {size, 0, 0};
    if (!py::isinstance(answer, type)) {
        throw std::runtime_error("the sink's write must return WriteResult or None, got " + convert::type_name(answer));
    }
    const auto number = [&](const char* name) {
        const std::int64_t value = convert::integer(answer.attr(name), name);
        if (value < 0) throw InvalidArgument(std::string(name) + " must be at least 0, got " + std::to_string(value));
        return static_cast<std::uint64_t>(value);
    };
    return {number("written"), number("duplicate"), number("rejected")};
}

}  // namespace

// What happened, to be said without the interpreter.
struct PythonSink::Outcome {
    enum class Kind { kDone, kTransient, kRefused, kBadAnswer } kind = Kind::kDone;
    WriteResult result;
    std::string failure;
};

PythonSink::PythonSink(const py::object& write, const py::object& is_transient)
    : answer_type_(py::object(py::module_::import("engagehub_core.sinks").attr("WriteResult")).release().ptr()),
      write_(write.inc_ref().ptr()),
      is_transient_(is_transient.inc_ref().ptr()) {}

WriteResult PythonSink::write(const std::shared_ptr<const EventBatch>& batch) {
    if (!interpreter::NativeThread::attach()) throw engagehub::TransientError("the interpreter has ended");
    Outcome outcome;
    try {
        const Detaching at_the_end;
        write_attached(batch, outcome);
    } catch (const std::bad_alloc&) {  // for the text of an error
        throw engagehub::TransientError("out of memory");
    }
    switch (outcome.kind) {
        case Outcome::Kind::kDone: return outcome.result;
        case Outcome::Kind::kTransient: throw engagehub::TransientError(outcome.failure);
        case Outcome::Kind::kBadAnswer: throw engagehub::BadAnswer(outcome.failure);
        case Outcome::Kind::kRefused: break;
    }
    throw std::runtime_error(outcome.failure);
}

void PythonSink::thread_ends() noexcept {
    if (!is_orphan_ && !interpreter::NativeThread::was_attached()) return;
    if (!interpreter::NativeThread::attach()) return;
    if (is_orphan_) {
        if (PyObject* error = taken(unreported_)) {
            write_unraisable(error, write_);
            Py_DECREF(error);
        }
        clear();
    }
    interpreter::NativeThread::end();
}

py::object PythonSink::take_error() {
    PyObject* error = taken(unreported_);
    PyObject* newest = taken(newest_);
    if (error == nullptr) std::swap(error, newest);
    Py_XDECREF(newest);
    return error == nullptr ? py::none() : py::reinterpret_steal<py::object>(error);
}

void PythonSink::replace(const py::object& write, const py::object& is_transient) {
    PyObject* old_write = write.inc_ref().ptr();
    PyObject* old_is_transient = is_transient.inc_ref().ptr();
    {
        const PointerLock lock(mutex_);
        std::swap(write_, old_write);
        std::swap(is_transient_, old_is_transient);
    }
    Py_XDECREF(old_write);
    Py_XDECREF(old_is_transient);
}

int PythonSink::traverse(visitproc visit, void* arg) const {
    Py_VISIT(answer_type_);
    Py_VISIT(write_);
    Py_VISIT(is_transient_);
    Py_VISIT(unreported_);
    Py_VISIT(newest_);
    return 0;
}

void PythonSink::clear() {
    for (PyObject** member : {&answer_type_, &write_, &is_transient_, &unreported_, &newest_})
        Py_XDECREF(taken(*member));
}

void PythonSink::write_attached(const std::shared_ptr<const EventBatch>& batch, Outcome& outcome) {
    py::object answer_type;
    py::object write;
    py::object is_transient;
    {
        const PointerLock lock(mutex_);
        answer_type = py::reinterpret_borrow<py::object>(answer_type_);
        write = py::reinterpret_borrow<py::object>(write_);
        is_transient = py::reinterpret_borrow<py::object>(is_transient_);
    }
    outcome.kind = Outcome::Kind::kTransient;
    if (!write || !is_transient) {
        outcome.failure = "the processor is gone";
        return;
    }
    py::object answer;
    try {
        const py::object argument = py::cast(std::const_pointer_cast<EventBatch>(batch));
        PyObject* answered = interpreter::guarded_call(PyObject_CallOneArg, write.ptr(), argument.ptr());
        if (answered == nullptr) throw py::error_already_set();
        answer = py::reinterpret_steal<py::object>(answered);
    } catch (py::error_already_set& error) {
        outcome.failure = text_of(error);
        PyObject* said = interpreter::guarded_call(PyObject_CallOneArg, is_transient.ptr(), error.value().ptr());
        const bool passes = said == Py_True;
        if (said == nullptr) write_unraisable(is_transient.ptr());  // a sink that can't say is not asked again
        Py_XDECREF(said);
        if (passes) return;
        outcome.kind = Outcome::Kind::kRefused;
        tell(error, outcome.failure, write);
        return;
    } catch (const std::exception& error) {
        outcome.failure = error.what();  // no memory for the batch's object: the next time, there may be
        return;
    }
    outcome.kind = Outcome::Kind::kBadAnswer;
    try {
        outcome.result = result_of(answer, answer_type, batch->size());
        outcome.kind = Outcome::Kind::kDone;
    } catch (py::error_already_set& error) {
        outcome.failure = text_of(error);
        tell(error, outcome.failure, write);
    } catch (const std::exception& error) {
        outcome.failure = error.what();
    }
}

// Of one bad event the splitting of its batch brings the same error many times.
void PythonSink::tell(py::error_already_set& error, const std::string& text, const py::object& write) {
    const py::object value = error.value();
    if (error.trace()) PyException_SetTraceback(value.ptr(), error.trace().ptr());
    PyObject* old = nullptr;
    bool is_first = false;
    {
        const PointerLock lock(mutex_);
        if (write_ == nullptr) return;  // cleared meanwhile: nobody would ever drop what is stored now
        is_first = unreported_ == nullptr;
        if (is_first) unreported_ = value.inc_ref().ptr();
        old = std::exchange(newest_, value.inc_ref().ptr());
    }
    Py_XDECREF(old);
    const bool is_same = text == told_;
    told_ = text;
    if (!is_first && !is_same) write_unraisable(value.ptr(), write.ptr());
}

PyObject* PythonSink::taken(PyObject*& member) {
    const PointerLock lock(mutex_);
    return std::exchange(member, nullptr);
}
