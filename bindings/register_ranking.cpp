// SPDX-License-Identifier: MIT
#include "python.hpp"

#include "register.hpp"

void register_ranking(py::module_& /*module*/) {}
