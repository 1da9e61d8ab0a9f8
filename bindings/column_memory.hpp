// SPDX-License-Identifier: MIT
// Purpose: a read-only memoryview over numbers that native code owns and that never change.
// Thread safety: call attached. Complexity: O(1). Failure: error_already_set, for want of memory.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace column_memory {

// The owner lives as long as the view, and whatever was made of it.
py::object view(const std::int64_t* values, std::size_t count, std::shared_ptr<const void> owner);
py::object view(const double* values, std::size_t count, std::shared_ptr<const void> owner);

}  // namespace column_memory
