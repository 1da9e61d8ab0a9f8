// SPDX-License-Identifier: MIT
// Purpose: methods of pybind11 classes that are called through METH_FASTCALL | METH_KEYWORDS, for the few that are
// called once an event: the arguments come as they are on the stack, and nothing looks for an overload. And method(),
// which makes an ordinary bound method safe on an object whose __init__ was never called. Thread safety: call attached.
// Failure: a body throws what the rest of the bindings throw; call() turns it into the Python exception.
#pragma once

#include "python.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace fastcall {

// Sets the Python exception for the C++ one in flight and returns null.
template <class Body>
PyObject* call(Body&& body) {
    try {
        return body();
    } catch (...) {
        py::detail::try_translate_exceptions();
        return nullptr;
    }
}

// What self_of() gives for an instance of a class with several C++ bases, and for one without an object.
inline void* rare_self(PyObject* self, const std::type_info& type) {
    auto* instance = reinterpret_cast<py::detail::instance*>(self);
    void* value = instance->simple_layout
        ? nullptr
        : instance->get_value_and_holder(py::detail::get_type_info(type, true)).value_ptr();
    if (value == nullptr) throw py::type_error(std::string(Py_TYPE(self)->tp_name) + ".__init__() was not called");
    return value;
}

// The C++ object of an instance, or TypeError when __init__ was never called. (pybind11 itself would hand out memory
// that no constructor has seen.) REQUIRES: self is an instance of T's class, as a method descriptor makes sure.
template <class T>
T& self_of(PyObject* self) {
    auto* instance = reinterpret_cast<py::detail::instance*>(self);
    void* value = instance->simple_layout ? instance->simple_value_holder[0] : nullptr;
    return *static_cast<T*>(value != nullptr ? value : rare_self(self, typeid(T)));
}

template <class T>
T& checked_self(py::handle self) {
    if (!py::isinstance<T>(self))
        throw py::type_error("self must be an instance of the class, got " + std::string(Py_TYPE(self.ptr())->tp_name));
    return self_of<T>(self.ptr());
}

// A method for class_::def() that looks at its self as self_of() does. The function is a member of T, or takes a T&.
template <class T, class Result, class... Arguments>
auto method(Result (T::*function)(Arguments...)) {
    return [function](py::handle self, Arguments... arguments) -> Result {
        return (checked_self<T>(self).*function)(std::forward<Arguments>(arguments)...);
    };
}
template <class T, class Result, class... Arguments>
auto method(Result (T::*function)(Arguments...) const) {
    return [function](py::handle self, Arguments... arguments) -> Result {
        return (checked_self<T>(self).*function)(std::forward<Arguments>(arguments)...);
    };
}
template <class T, class Result, class... Arguments>
auto method(Result (*function)(T&, Arguments...)) {
    return [function](py::handle self, Arguments... arguments) -> Result {
        return function(checked_self<std::remove_const_t<T>>(self), std::forward<Arguments>(arguments)...);
    };
}

template <std::size_t N>
struct Signature {
    const char* name;
    std::size_t required;
    std::size_t positional;
    std::array<std::string_view, N> names;
    // The names as callers have them, for calls that are worth it: see remember_names().
    std::array<PyObject*, N> interned{};
};

// When the module is imported, for as long as the interpreter lives.
template <std::size_t N>
void remember_names(Signature<N>& signature) {
    for (std::size_t i = 0; i < N; ++i) {
        const std::string_view name = signature.names[i];
        signature.interned[i] = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
        if (signature.interned[i] == nullptr) throw py::error_already_set();
        PyUnicode_InternInPlace(&signature.interned[i]);
    }
}

// The text of a keyword, which is a str. Most are ASCII, and then it lies in the object.
inline std::string_view name_of(PyObject* keyword) {
    if (PyUnicode_IS_COMPACT_ASCII(keyword)) {
        return {
            static_cast<const char*>(PyUnicode_DATA(keyword)), static_cast<std::size_t>(PyUnicode_GET_LENGTH(keyword))};
    }
    Py_ssize_t length = 0;
    const char* bytes = PyUnicode_AsUTF8AndSize(keyword, &length);
    if (bytes == nullptr) throw py::error_already_set();
    return {bytes, static_cast<std::size_t>(length)};
}

template <std::size_t N>
std::array<PyObject*, N> bind_any(
    const Signature<N>& signature, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    std::array<PyObject*, N> bound{};
    const auto positional = static_cast<std::size_t>(count);
    if (positional > signature.positional) {
        throw py::type_error(
            std::string(signature.name) + "() takes at most " + std::to_string(signature.positional) +
            " positional arguments (" + std::to_string(positional) + " given)");
    }
    for (std::size_t i = 0; i < positional; ++i) bound[i] = given[i];
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    std::size_t expected = positional == N ? 0 : positional;  // callers mostly keep to the order of the signature
    for (Py_ssize_t k = 0; k < named; ++k) {
        PyObject* const keyword = PyTuple_GET_ITEM(keywords, k);
        if (signature.interned[expected] == keyword && bound[expected] == nullptr) {
            bound[expected] = given[positional + static_cast<std::size_t>(k)];
            expected = expected + 1 == N ? 0 : expected + 1;
            continue;
        }
        const std::string_view name = name_of(keyword);
        std::size_t tried = 0;
        while (tried < N && signature.names[expected] != name) {
            expected = expected + 1 == N ? 0 : expected + 1;
            ++tried;
        }
        if (tried == N) {
            throw py::type_error(
                std::string(signature.name) + "() got an unexpected keyword argument '" + std::string(name) + "'");
        }
        PyObject*& slot = bound[expected];
        if (slot != nullptr) {
            throw py::type_error(
                std::string(signature.name) + "() got multiple values for argument '" + std::string(name) + "'");
        }
        slot = given[positional + static_cast<std::size_t>(k)];
        expected = expected + 1 == N ? 0 : expected + 1;
    }
    for (std::size_t i = 0; i < signature.required; ++i) {
        if (bound[i] == nullptr) {
            throw py::type_error(
                std::string(signature.name) + "() missing required argument '" + std::string(signature.names[i]) +
                "' (pos " + std::to_string(i + 1) + ")");
        }
    }
    return bound;
}

// Borrowed arguments in the order of the names; null where none was given.
template <std::size_t N>
std::array<PyObject*, N> bind(
    const Signature<N>& signature, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    // Most calls give all that there is, by position; the rest is kept out of the callers.
    if (keywords != nullptr || static_cast<std::size_t>(count) != N || signature.positional != N)
        return bind_any(signature, given, count, keywords);
    std::array<PyObject*, N> bound;
    for (std::size_t i = 0; i < N; ++i) bound[i] = given[i];
    return bound;
}

using Function = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

// definition must have static storage; its doc begins with the text signature.
inline void add(py::handle type, PyMethodDef& definition) {
    const auto method =
        py::reinterpret_steal<py::object>(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), &definition));
    if (!method) throw py::error_already_set();
    type.attr(definition.ml_name) = method;
}

inline PyMethodDef definition(const char* name, Function function, const char* doc) {
    // By way of void(*)(): the type that C compilers take as «some function».
    return {
        name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL | METH_KEYWORDS,
        doc};
}

}  // namespace fastcall
