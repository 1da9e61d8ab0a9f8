// SPDX-License-Identifier: MIT
// One function per class; module.cpp calls each once.
#pragma once

#include "python.hpp"

void register_skip_list(py::module_& module);
void register_leaderboard(py::module_& module);
void register_hyperloglog(py::module_& module);
void register_count_min(py::module_& module);
void register_top_k(py::module_& module);
void register_distinct_window(py::module_& module);
void register_total_window(py::module_& module);
void register_queue(py::module_& module);
void register_event_batch(py::module_& module);
void register_processor(py::module_& module);
void register_projections(py::module_& module);
