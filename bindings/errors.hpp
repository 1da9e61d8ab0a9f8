// SPDX-License-Identifier: MIT
// Purpose: the errors of engagehub_core.errors, and the timeouts, that only the bindings know.
#pragma once

#include "python.hpp"

#include <string>

#include <engagehub/queue/event_count.hpp>

#include "convert.hpp"

namespace errors {

[[noreturn]] inline void raise_from(const char* module, const char* name, const std::string& text) {
    const py::object type = py::module_::import(module).attr(name);
    PyErr_SetString(type.ptr(), text.c_str());
    throw py::error_already_set();
}

[[noreturn]] inline void raise(const char* name, const std::string& text) {
    raise_from("engagehub_core.errors", name, text);
}

}  // namespace errors

namespace convert {

// None waits for ever.
inline engagehub::Deadline deadline(py::handle timeout, const char* argument = "timeout") {
    if (timeout.is_none()) return engagehub::kNoDeadline;
    const double seconds = number(timeout, argument);
    if (seconds < 0)
        throw engagehub::InvalidArgument(std::string(argument) + " must be at least 0 seconds, got " + shown(timeout));
    return engagehub::deadline_after(seconds);
}

}  // namespace convert
