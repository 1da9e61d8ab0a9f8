// SPDX-License-Identifier: MIT
#include "python.hpp"

#include "register.hpp"

void register_sketches(py::module_& /*module*/) {}
