// SPDX-License-Identifier: MIT
// In a file of its own, for a compiler that saw malloc() inside would take delete for a mistake.
#include "tests/support/failing_new.hpp"

#include <cstdlib>
#ifdef _WIN32
#include <malloc.h>
#endif

namespace {

void count(std::size_t size) {
    auto& state = engagehub_tests::allocations;
    if (size > state.largest) state.largest = size;
    state.requested += size;
    if (state.until_failure == 0) {
        if (state.failures == UINT64_MAX || state.failures-- != 0) throw std::bad_alloc();
        state.until_failure = state.failures = UINT64_MAX;
    }
    if (state.until_failure != UINT64_MAX) --state.until_failure;
}

void* counted(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    ++engagehub_tests::allocations.alive;
    return memory;
}

void give_back(void* memory) noexcept {
    if (memory != nullptr) --engagehub_tests::allocations.alive;
    std::free(memory);
}

void give_back_aligned(void* memory) noexcept {
#ifdef _WIN32
    if (memory != nullptr) --engagehub_tests::allocations.alive;
    _aligned_free(memory);
#else
    give_back(memory);
#endif
}

}  // namespace

void* operator new(std::size_t size) {
    count(size);
    return counted(std::malloc(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    count(size);
    const auto bytes = static_cast<std::size_t>(alignment);
#ifdef _WIN32
    return counted(_aligned_malloc(size, bytes));
#else
    return counted(std::aligned_alloc(bytes, (size + bytes - 1) / bytes * bytes));
#endif
}
// Replaced with the others, since a sanitizer brings its own, whose memory the delete below must not get.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t& /*tag*/) noexcept {
    try {
        return operator new(size, alignment);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { give_back_aligned(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t /*alignment*/) noexcept { give_back_aligned(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/, const std::nothrow_t& /*tag*/) noexcept {
    give_back_aligned(memory);
}
