// SPDX-License-Identifier: MIT
#include "python.hpp"

#include "register.hpp"

void register_queue(py::module_& /*module*/) {}
