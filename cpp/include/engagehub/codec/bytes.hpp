// SPDX-License-Identifier: MIT
// Purpose: write and read little-endian fields. A native format is a 4-byte magic, a version byte, fields, and the
// CRC-32C of all before it; seal() and open() do that frame, so that no format repeats it.
// Thread safety: external. Complexity: O(bytes).
// Failure: ByteReader throws Corrupted, with the offset, rather than read past the end; open() throws Incompatible for
// a newer version.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>
#include <engagehub/codec/crc32c.hpp>

namespace engagehub {

class ByteWriter {
public:
    template <class Unsigned>
    void put(Unsigned value) {
        std::array<char, sizeof(Unsigned)> raw;
        for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<char>((value >> (8U * i)) & 0xffU);
        bytes_.append(raw.data(), raw.size());
    }
    void put_signed(std::int64_t value) { put(static_cast<std::uint64_t>(value)); }
    void put_double(double value) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        put(bits);
    }
    void put_float(float value) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        put(bits);
    }
    void put_raw(std::string_view raw) { bytes_.append(raw); }
    // A 32-bit length, then the bytes.
    void put_text(std::string_view text) {
        put(static_cast<std::uint32_t>(text.size()));
        put_raw(text);
    }
    void reserve(std::size_t size) { bytes_.reserve(size); }
    const std::string& bytes() const { return bytes_; }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

class ByteReader {
public:
    explicit ByteReader(std::string_view bytes, std::size_t base = 0) : bytes_(bytes), base_(base) {}

    template <class Unsigned>
    Unsigned get() {
        const std::string_view raw = get_raw(sizeof(Unsigned));
        Unsigned value = 0;
        for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
            value =
                static_cast<Unsigned>(value | (static_cast<Unsigned>(static_cast<unsigned char>(raw[i])) << (8U * i)));
        }
        return value;
    }
    std::int64_t get_signed() { return static_cast<std::int64_t>(get<std::uint64_t>()); }
    double get_double() {
        const auto bits = get<std::uint64_t>();
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    float get_float() {
        const auto bits = get<std::uint32_t>();
        float value = 0;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    std::string_view get_raw(std::size_t size) {
        if (size > remaining()) fail("ends early");
        const std::string_view raw = bytes_.substr(position_, size);
        position_ += size;
        return raw;
    }
    std::string_view get_text() { return get_raw(get<std::uint32_t>()); }
    std::size_t remaining() const { return bytes_.size() - position_; }
    void require_end() const {
        if (remaining() != 0) fail("has bytes left over");
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw Corrupted("data " + what + " at offset " + std::to_string(base_ + position_), base_ + position_);
    }

private:
    std::string_view bytes_;
    std::size_t base_;
    std::size_t position_ = 0;
};

using Magic = std::array<char, 4>;

inline constexpr std::size_t kFrameHeader = 5;

// Starts a format; seal() ends it.
inline ByteWriter begin_format(const Magic& magic, std::uint8_t version) {
    ByteWriter writer;
    writer.put_raw({magic.data(), magic.size()});
    writer.put(version);
    return writer;
}

inline std::string seal(ByteWriter writer) {
    writer.put(crc32c(writer.bytes().data(), writer.bytes().size()));
    return writer.take();
}

// Checks magic, checksum and version; the reader returned stands behind the version byte and ends before the checksum.
inline ByteReader open_format(std::string_view bytes, const Magic& magic, std::uint8_t newest) {
    if (bytes.size() < kFrameHeader + 4)
        throw Corrupted("data ends early, got " + std::to_string(bytes.size()) + " bytes", bytes.size());
    if (bytes.substr(0, 4) != std::string_view(magic.data(), magic.size())) {
        throw Corrupted("data must start with the magic " + std::string(magic.data(), magic.size()), 0);
    }
    const std::string_view body = bytes.substr(0, bytes.size() - 4);
    ByteReader tail(bytes.substr(body.size()), body.size());
    if (tail.get<std::uint32_t>() != crc32c(body.data(), body.size())) {
        throw Corrupted("checksum does not match the data", body.size());
    }
    const auto version = static_cast<std::uint8_t>(body[4]);
    if (version == 0 || version > newest) {
        throw Incompatible(
            "format version must be 1 to " + std::to_string(newest) + ", got " + std::to_string(version));
    }
    return ByteReader(body.substr(kFrameHeader), kFrameHeader);
}

}  // namespace engagehub
