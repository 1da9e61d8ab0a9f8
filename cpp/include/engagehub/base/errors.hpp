// SPDX-License-Identifier: MIT
// Purpose: the exceptions that the library throws at its callers. The Python bindings map each to the class of the same
// name in engagehub_core.errors. Texts name the argument, what was required and what was given.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace engagehub {

struct InvalidArgument : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

struct InvalidType : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

// Two objects, or a reader and a file, that don't belong together: other precision, other kind of items, newer format.
struct Incompatible : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

// Bytes that no writer of this library produced; offset is where the reader stopped believing them.
struct Corrupted : std::runtime_error {
    Corrupted(const std::string& what, std::size_t at) : std::runtime_error(what), offset(at) {}
    std::size_t offset;
};

}  // namespace engagehub
