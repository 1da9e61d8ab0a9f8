// SPDX-License-Identifier: MIT
#include "python.hpp"

#include "register.hpp"

void register_windows(py::module_& /*module*/) {}
