// SPDX-License-Identifier: MIT
// The one door to pybind11 and Python.h: every file of this folder includes it first.
#pragma once

#include <pybind11/pybind11.h>

namespace py = pybind11;
