// SPDX-License-Identifier: MIT
// The readers of every sketch format, from any bytes. Seeds are in cpp/fuzz/corpus/sketch_readers.
#include <cstddef>
#include <cstdint>

#include "tests/support/sketch_readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    engagehub_tests::read_any(data, size);
    return 0;
}
