// SPDX-License-Identifier: MIT
#include "python.hpp"

#include "register.hpp"

void register_pipeline(py::module_& /*module*/) {}
