// SPDX-License-Identifier: MIT
// Purpose: the registers of a plain HyperLogLog in this library's own formats (docs/formats/hyperloglog.md): few as a
// list of index << 8 | rank, more as six bits each. Equal registers give equal bytes.
// Thread safety: pure functions. Complexity: O(registers). Failure: read_ranks() throws Corrupted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/packed_registers.hpp>
#include <engagehub/sketch/ultra_registers.hpp>

namespace engagehub {

namespace ranks_format {

inline constexpr std::uint8_t kList = 0;
inline constexpr std::uint8_t kPacked = 1;
inline constexpr unsigned kRankBits = 8;

inline std::size_t most_listed(std::size_t registers) { return registers / 16; }
inline std::size_t used(const std::vector<std::uint8_t>& ranks) {
    return ranks.size() - static_cast<std::size_t>(std::count(ranks.begin(), ranks.end(), std::uint8_t{0}));
}

inline std::vector<std::uint8_t> read_list(ByteReader& reader, unsigned p) {
    std::vector<std::uint8_t> ranks(std::size_t{1} << p);
    const std::size_t count = reader.get<std::uint32_t>();
    if (count > most_listed(ranks.size())) reader.fail("has too many registers for a list");
    std::size_t expected = 0;  // the lowest index that may come
    for (std::size_t i = 0; i < count; ++i) {
        const auto held = reader.get<std::uint32_t>();
        const std::size_t index = held >> kRankBits;
        const unsigned rank = held & ((1U << kRankBits) - 1);
        if (index >= ranks.size()) reader.fail("has a register outside the sketch");
        if (index < expected) reader.fail("has registers out of order");
        if (rank == 0 || rank > ultra::highest_rank(p)) reader.fail("has an impossible rank");
        ranks[index] = static_cast<std::uint8_t>(rank);
        expected = index + 1;
    }
    return ranks;
}

inline std::vector<std::uint8_t> read_packed(ByteReader& reader, unsigned p) {
    const std::size_t size = std::size_t{1} << p;
    std::vector<std::uint8_t> ranks = unpack_registers(reader.get_raw(packed_size(size)), size);
    for (const std::uint8_t rank : ranks) {
        if (rank > ultra::highest_rank(p)) reader.fail("has an impossible rank");
    }
    if (used(ranks) <= most_listed(size)) reader.fail("has too few registers to be packed");
    return ranks;
}

}  // namespace ranks_format

// Ranks by index; those of empty registers are 0.
inline void write_ranks(ByteWriter& writer, const std::vector<std::uint8_t>& ranks) {
    const std::size_t used = ranks_format::used(ranks);
    if (used > ranks_format::most_listed(ranks.size())) {
        writer.put(ranks_format::kPacked);
        writer.put_raw(pack_registers(ranks));
        return;
    }
    writer.put(ranks_format::kList);
    writer.put(static_cast<std::uint32_t>(used));
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        if (ranks[i] != 0) writer.put((static_cast<std::uint32_t>(i) << ranks_format::kRankBits) | ranks[i]);
    }
}

// What write_ranks() wrote, its first byte, the form, already taken.
inline std::vector<std::uint8_t> read_ranks(ByteReader& reader, unsigned p, std::uint8_t form) {
    if (form == ranks_format::kList) return ranks_format::read_list(reader, p);
    if (form == ranks_format::kPacked) return ranks_format::read_packed(reader, p);
    reader.fail("has an unknown form of registers");
}

}  // namespace engagehub
