// SPDX-License-Identifier: MIT
// Purpose: a TypeError instead of a crash for a method of an object whose __init__ was never called. pybind11 then
// takes memory for the C++ object from the class's own operator new, if it has one, and leaves it unconstructed; the
// one here refuses. Bound classes inherit MadeByInit, and their factories use made(). Thread safety: stateless.
// Complexity: O(1). Failure: InvalidType.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <memory>
#include <utility>

#include <engagehub/base/errors.hpp>

struct MadeByInit {
    static void* operator new(std::size_t /*size*/) {
        throw engagehub::InvalidType("__init__ must be called before any other method");
    }
};

template <class Bound, class... Arguments>
std::unique_ptr<Bound> made(Arguments&&... arguments) {
    return std::unique_ptr<Bound>(::new Bound(std::forward<Arguments>(arguments)...));
}
