// SPDX-License-Identifier: MIT
// Purpose: the name of an argument as errors show it: `weights`, or `weights[2]` for an element of it. The text is made
// where a value is refused, so that naming an element costs nothing where none is.
// Thread safety: values; the name must outlive them.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <limits>
#include <string>

namespace convert {

class Argument {
public:
    Argument(const char* name) : name_(name) {}  // NOLINT(*-explicit-*): most have no index
    Argument(const char* name, std::size_t index) : name_(name), index_(index) {}

    operator std::string() const {  // NOLINT(*-explicit-*): as a plain name becomes one
        return index_ == kWhole ? name_ : name_ + ("[" + std::to_string(index_) + "]");
    }

private:
    static constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();
    const char* name_;
    std::size_t index_ = kWhole;
};

}  // namespace convert
