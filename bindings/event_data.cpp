// SPDX-License-Identifier: MIT
#include "event_data.hpp"

#include <string>

#include <pybind11/gil_safe_call_once.h>

#include <engagehub/base/errors.hpp>

#include "convert.hpp"
#include "interpreter.hpp"

namespace event_data {

using engagehub::InvalidArgument;
using engagehub::InvalidType;

namespace {

// JSONEncoder(...).encode. Never released: events may be pushed as long as the interpreter runs.
const py::object& encode() {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
    return storage
        .call_once_and_store_result([] {
            using py::literals::operator""_a;
            return py::object(
                py::module_::import("json")
                    .attr("JSONEncoder")(
                        "ensure_ascii"_a = false, "allow_nan"_a = false, "separators"_a = py::make_tuple(",", ":"))
                    .attr("encode"));
        })
        .get_stored();
}

}  // namespace

py::object text_of(py::handle given, convert::Argument argument) {
    if (given.is_none() || PyUnicode_Check(given.ptr())) return py::reinterpret_borrow<py::object>(given);
    // An integer of NumPy is one for us, and none for json.
    const bool stands_for_int = convert::is_integer(given) && PyLong_Check(given.ptr()) == 0;
    const py::object object =
        stands_for_int ? convert::whole(given, argument) : py::reinterpret_borrow<py::object>(given);
    PyObject* const made = interpreter::guarded_call(PyObject_CallOneArg, encode().ptr(), object.ptr());
    if (made != nullptr) return py::reinterpret_steal<py::object>(made);
    const bool is_of_wrong_type = PyErr_ExceptionMatches(PyExc_TypeError) != 0;
    if (!is_of_wrong_type && PyErr_ExceptionMatches(PyExc_ValueError) == 0 &&
        PyErr_ExceptionMatches(PyExc_RecursionError) == 0)
        throw py::error_already_set();
    const py::error_already_set error;
    const std::string text = std::string(argument) + " must be str, None or an object of JSON, got " +
        convert::type_name(given) + ": " + py::str(error.value()).cast<std::string>();
    if (is_of_wrong_type) throw InvalidType(text);
    throw InvalidArgument(text);
}

engagehub::ItemView view(py::handle text, convert::Argument argument) {
    if (text.is_none()) return {};
    return engagehub::ItemView::of(convert::text(text, argument));
}

}  // namespace event_data
