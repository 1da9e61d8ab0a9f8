// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: what a call of Python's costs that takes an event apart and does
// nothing with it. noop(kind, member, channel, *, at, id=None) finds where the text lies, makes integers of integers
// and microseconds of seconds, refuses what an event can't be, and returns True. last() says what the newest call
// found. Thread safety: none; call attached, from one thread at a time. Failure: TypeError and ValueError.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

// Text where it lies, or a number where it is null.
struct Name {
    const char* text;
    Py_ssize_t size;
    long long number;
};

struct Event {
    Name kind;
    Name member;
    Name channel;
    Name id;
    std::int64_t at;
};

Event newest;
// Where they are interned, a name that is given is the same object.
PyObject* name_of_at;
PyObject* name_of_id;

bool read_text(PyObject* given, Name& name) {
    name.text = PyUnicode_AsUTF8AndSize(given, &name.size);
    return name.text != nullptr;
}

bool read_name(PyObject* given, Name& name) {
    if (PyLong_CheckExact(given)) {
        int overflow = 0;
        name.text = nullptr;
        name.number = PyLong_AsLongLongAndOverflow(given, &overflow);
        if (overflow == 0) return true;
        PyErr_SetString(PyExc_ValueError, "a number must fit in 64 bits");
        return false;
    }
    if (PyUnicode_Check(given)) return read_text(given, name);
    PyErr_SetString(PyExc_TypeError, "a name must be int or str");
    return false;
}

bool read_instant(PyObject* given, std::int64_t& micros) {
    if (!PyFloat_CheckExact(given)) {
        PyErr_SetString(PyExc_TypeError, "at must be float");
        return false;
    }
    const double rounded = std::nearbyint(PyFloat_AS_DOUBLE(given) * 1e6);
    if (std::fabs(rounded) < 9.2e18) {
        micros = static_cast<std::int64_t>(rounded);
        return true;
    }
    PyErr_SetString(PyExc_ValueError, "at must be an instant");
    return false;
}

bool read_keyword(PyObject* keyword, PyObject* given, bool& has_instant) {
    if (keyword == name_of_at) {
        has_instant = true;
        return read_instant(given, newest.at);
    }
    if (keyword == name_of_id) return read_name(given, newest.id);
    PyErr_SetString(PyExc_TypeError, "noop() got an unexpected keyword argument");
    return false;
}

PyObject* noop(PyObject* /*module*/, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    if (count != 3 || keywords == nullptr) {
        PyErr_SetString(PyExc_TypeError, "noop() takes kind, member, channel and at=");
        return nullptr;
    }
    if (!PyUnicode_Check(given[0]) || PyUnicode_GET_LENGTH(given[0]) == 0) {
        PyErr_SetString(PyExc_TypeError, "kind must be a text that isn't empty");
        return nullptr;
    }
    newest.id = {nullptr, 0, 0};
    if (!read_text(given[0], newest.kind) || !read_name(given[1], newest.member)) return nullptr;
    if (!read_name(given[2], newest.channel)) return nullptr;
    bool has_instant = false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i) {
        if (!read_keyword(PyTuple_GET_ITEM(keywords, i), given[count + i], has_instant)) return nullptr;
    }
    if (!has_instant) {
        PyErr_SetString(PyExc_TypeError, "noop() misses at");
        return nullptr;
    }
    Py_RETURN_TRUE;
}

PyObject* shown(const Name& name) {
    if (name.text != nullptr) return PyUnicode_FromStringAndSize(name.text, name.size);
    return PyLong_FromLongLong(name.number);
}

// REQUIRES: the arguments of the newest call are alive.
PyObject* last(PyObject* /*module*/, PyObject* /*nothing*/) {
    return Py_BuildValue(
        "NNNLN", shown(newest.kind), shown(newest.member), shown(newest.channel), static_cast<long long>(newest.at),
        shown(newest.id));
}

PyMethodDef methods[] = {
    {"noop", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(noop)), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"last", last, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},  // or else the import of it would bring the GIL back
#endif
    {0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "noop", nullptr, 0, methods, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_noop() {
    name_of_at = PyUnicode_InternFromString("at");
    name_of_id = PyUnicode_InternFromString("id");
    if (name_of_at == nullptr || name_of_id == nullptr) return nullptr;
    return PyModuleDef_Init(&definition);
}
