// SPDX-License-Identifier: MIT
// Purpose: the operator new of this program counts, and fails where a test says so (failing_new.cpp).
// Thread safety: counters are those of the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace engagehub_tests {

struct Allocations {
    std::uint64_t until_failure = UINT64_MAX;  // this many succeed, the next one fails
    std::uint64_t failures = UINT64_MAX;       // so many fail then, and there is memory again
    std::size_t largest = 0;                   // since the test set it to zero
    std::size_t requested = 0;                 // in all, since then
    std::int64_t alive = 0;                    // made less given back
};

inline thread_local Allocations allocations;

// Calls attempt with memory that fails at the first, second, third... allocation until it succeeds, and after each
// failure calls verify. Returns how often it failed.
template <class Attempt, class Verify>
std::size_t fail_at_every_allocation(const Attempt& attempt, const Verify& verify) {
    for (std::size_t n = 0;; ++n) {
        allocations.until_failure = n;
        try {
            attempt();
            allocations.until_failure = UINT64_MAX;
            return n;
        } catch (const std::bad_alloc&) {
            allocations.until_failure = UINT64_MAX;
            verify();
        }
    }
}

}  // namespace engagehub_tests
