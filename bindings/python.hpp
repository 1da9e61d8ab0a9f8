// SPDX-License-Identifier: MIT
// The one door to pybind11 and Python.h: every file of this folder includes it first.
#pragma once

#if defined(__cpp_exceptions) || defined(_MSC_VER)

#include <pybind11/pybind11.h>

namespace py = pybind11;

#else  // thread_exit.cpp is compiled without exceptions, and pybind11 needs them

#include <Python.h>

#endif
