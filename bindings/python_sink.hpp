// SPDX-License-Identifier: MIT
// Purpose: a sink that is a Python callable. The object that Python sees and the sink's thread share it.
// Thread safety: write() and thread_ends() on the sink's thread, the rest attached, from any. Its references to Python
// objects are guarded by a PointerMutex and visited by the collector by way of the processor, whose __del__ ends the
// threads before anything is cleared; a thread holds references of its own while it is in a call, so what it uses is
// never garbage. Failure: write() throws as BatchSink says.
#pragma once

#include "python.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <engagehub/pipeline/batch_sink.hpp>
#include <engagehub/pipeline/event_batch.hpp>

#include "pointer_lock.hpp"

class PythonSink : public engagehub::BatchSink {
public:
    // write(batch) answers WriteResult or None; is_transient(error) says whether the same batch may succeed later.
    PythonSink(const py::object& write, const py::object& is_transient);
    // Whoever clears last does so attached: the processor, or the thread of one that is gone.
    ~PythonSink() override = default;

    engagehub::WriteResult write(const std::shared_ptr<const engagehub::EventBatch>& batch) override;
    void thread_ends() noexcept override;

    // The processor is going away on its own thread: what was accepted is still delivered.
    void be_orphan() { is_orphan_ = true; }

    // From the next write on; one at work goes on as it is.
    void replace(const py::object& write, const py::object& is_transient);

    // The first exception for which a batch was refused since the last report, or None.
    py::object take_error();

    // For the owner's traverse() and clear(): the collector has stopped the other threads.
    int traverse(visitproc visit, void* arg) const;
    void clear();

private:
    struct Outcome;

    void write_attached(const std::shared_ptr<const engagehub::EventBatch>& batch, Outcome& outcome);
    // Keeps an error for the next report, if it is the first; else sys.unraisablehook is told, unless the one before
    // said the same.
    void tell(py::error_already_set& error, const std::string& text, const py::object& write);
    PyObject* taken(PyObject*& member);

    PointerMutex mutex_;
    PyObject* answer_type_;  // looked up once: an import runs Python code, which the thread does only to call the sink
    PyObject* write_;
    PyObject* is_transient_;
    PyObject* unreported_ = nullptr;  // the first exception since the last report; none that passed by itself
    PyObject* newest_ = nullptr;      // for a report whose first exception went out with the report before it
    std::string told_;                // what the last one said; of the sink's thread
    std::atomic<bool> is_orphan_{false};
};
