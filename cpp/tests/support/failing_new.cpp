// SPDX-License-Identifier: MIT
// In a file of its own, for a compiler that saw malloc() inside would take delete for a mistake.
#include "tests/support/failing_new.hpp"

#include <cstdlib>

namespace {

void give_back(void* memory) noexcept {
    if (memory != nullptr) --engagehub_tests::allocations.alive;
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    auto& state = engagehub_tests::allocations;
    if (size > state.largest) state.largest = size;
    state.requested += size;
    if (state.until_failure == 0) throw std::bad_alloc();
    if (state.until_failure != UINT64_MAX) --state.until_failure;
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    ++state.alive;
    return memory;
}
// Replaced with the others, since a sanitizer brings its own, whose memory the delete below must not get.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { give_back(memory); }
