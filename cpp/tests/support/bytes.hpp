// SPDX-License-Identifier: MIT
// Purpose: bytes in tests: hexadecimal text, and every way in which a short file is cut or has one bit turned.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>

namespace engagehub_tests {

inline std::string from_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

inline std::string to_hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text += kDigits[static_cast<unsigned char>(byte) >> 4U];
        text += kDigits[static_cast<unsigned char>(byte) & 15U];
    }
    return text;
}

// Every proper prefix, every single turned bit and one byte more must be refused.
template <class Read>
void check_damage(const std::string& bytes, Read&& read) {
    const auto refused = [&](const std::string& damaged) {
        try {
            read(damaged);
        } catch (const engagehub::Corrupted&) {
            return true;
        } catch (const engagehub::Incompatible&) {
            return true;
        }
        return false;
    };
    REQUIRE_FALSE(refused(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) REQUIRE(refused(bytes.substr(0, size)));
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string damaged = bytes;
        damaged[bit / 8] = static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1U << (bit % 8)));
        REQUIRE(refused(damaged));
    }
    REQUIRE(refused(bytes + '\0'));
}

}  // namespace engagehub_tests
