// SPDX-License-Identifier: MIT
// One function per domain; module.cpp calls each once.
#pragma once

#include "python.hpp"

void register_ranking(py::module_& module);
void register_sketches(py::module_& module);
void register_windows(py::module_& module);
void register_queue(py::module_& module);
void register_pipeline(py::module_& module);
