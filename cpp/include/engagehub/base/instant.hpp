// SPDX-License-Identifier: MIT
// Purpose: instants are integer microseconds since the Unix epoch, in the years 1 to 9999 as Python's datetime has
// them.
// Thread safety: pure functions. Complexity: O(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <engagehub/base/errors.hpp>

namespace engagehub {

inline constexpr std::int64_t kFirstInstant = -62'135'596'800'000'000;
inline constexpr std::int64_t kLastInstant = 253'402'300'799'999'999;

inline bool is_instant(std::int64_t at) { return at >= kFirstInstant && at <= kLastInstant; }

// THROWS: InvalidArgument, that names the argument, or its place in a batch.
inline void require_instant(std::int64_t at) {
    if (!is_instant(at))
        throw InvalidArgument("at must be between the years 1 and 9999, got " + std::to_string(at) + " microseconds");
}
inline void require_instant(std::int64_t at, std::size_t index) {
    if (!is_instant(at)) {
        throw InvalidArgument(
            "at[" + std::to_string(index) + "] must be between the years 1 and 9999, got " + std::to_string(at) +
            " microseconds");
    }
}

}  // namespace engagehub
