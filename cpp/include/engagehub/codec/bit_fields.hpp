// SPDX-License-Identifier: MIT
// Purpose: numbers of a few bits, packed one after the other from the highest bit of the first byte on; the bits that
// are left over in the last byte are zero.
// Thread safety: external. Complexity: O(1) a number, amortised.
// Failure: get() REQUIRES that many bits to remain; what is read is never outside the bytes given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace engagehub {

class BitWriter {
public:
    // REQUIRES: width <= 32, value < 2^width.
    void put(std::uint32_t value, unsigned width) {
        pending_ = (pending_ << width) | value;
        held_ += width;
        while (held_ >= 8) {
            held_ -= 8;
            bytes_ += static_cast<char>((pending_ >> held_) & 0xffU);
        }
    }

    std::string take() {
        if (held_ != 0) put(0, 8 - held_);
        return std::move(bytes_);
    }

private:
    std::string bytes_;
    std::uint64_t pending_ = 0;
    unsigned held_ = 0;  // bits of pending_ that aren't in bytes_ yet: fewer than 8 between two calls
};

class BitReader {
public:
    explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

    // In bits.
    std::size_t remaining() const { return (bytes_.size() - taken_) * 8 + held_; }

    // REQUIRES: width <= 32, width <= remaining().
    std::uint32_t get(unsigned width) {
        while (held_ < width) {
            pending_ = (pending_ << 8U) | static_cast<unsigned char>(bytes_[taken_++]);
            held_ += 8;
        }
        held_ -= width;
        return static_cast<std::uint32_t>((pending_ >> held_) & ((std::uint64_t{1} << width) - 1));
    }

    // Whether nothing remains but the zeros that fill the last byte.
    bool at_padding() const {
        return taken_ == bytes_.size() && held_ < 8 && (pending_ & ((std::uint64_t{1} << held_) - 1)) == 0;
    }

    // How many bytes have been touched.
    std::size_t offset() const { return taken_; }

private:
    std::string_view bytes_;
    std::size_t taken_ = 0;
    std::uint64_t pending_ = 0;
    unsigned held_ = 0;  // bits of pending_ that nobody has asked for: fewer than 8 between two calls
};

}  // namespace engagehub
