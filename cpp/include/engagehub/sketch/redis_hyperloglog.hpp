// SPDX-License-Identifier: MIT
// Purpose: the value that a Redis or Valkey server holds for a HyperLogLog key: 16 bytes of header, then 16,384
// registers either packed («dense») or as run lengths («sparse»). What a server wrote reads back, and what is written
// here a server takes by SET.
// Thread safety: pure functions. Complexity: O(registers).
// Failure: to_redis throws InvalidArgument below p = 14 and Incompatible for items by another hash; from_redis throws
// Corrupted for anything that a server would not write: wrong header, wrong length, runs that don't add up to 16,384,
// ranks beyond 51.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/packed_registers.hpp>
#include <engagehub/sketch/ultra_registers.hpp>

namespace engagehub {
namespace detail {

inline constexpr unsigned kServerPrecision = 14;
inline constexpr std::size_t kServerRegisters = 16384;
inline constexpr std::size_t kServerHeader = 16;
inline constexpr std::size_t kServerSparseMost = 3000;  // hll-sparse-max-bytes as it comes, header included
inline constexpr unsigned kServerSparseRank = 32;
inline constexpr char kServerDense = 0;
inline constexpr char kServerSparse = 1;

inline std::string server_header(char encoding) {
    std::string header = "HYLL";
    header += encoding;
    header.append(3, '\0');
    // The cached cardinality: its top bit says that it is stale, so the server computes it.
    header.append(7, '\0');
    header += static_cast<char>(0x80);
    return header;
}

// ZERO 00xxxxxx: up to 64 zeros. XZERO 01xxxxxx yyyyyyyy: up to 16,384.
inline void put_zeros(std::string& out, std::size_t run) {
    if (run == 0) return;
    if (run <= 64) {
        out += static_cast<char>(run - 1);
    } else {
        out += static_cast<char>(0x40U | ((run - 1) >> 8U));
        out += static_cast<char>((run - 1) & 0xffU);
    }
}

// VAL 1vvvvvxx: up to four registers of one rank, which is 1 to 32.
inline void put_rank(std::string& out, unsigned rank, std::size_t run) {
    for (; run > 0; run -= run < 4 ? run : 4) {
        out += static_cast<char>(0x80U | ((rank - 1) << 2U) | ((run < 4 ? run : 4) - 1));
    }
}

inline std::string server_sparse(const std::vector<std::uint8_t>& registers) {
    std::string out = server_header(kServerSparse);
    for (std::size_t i = 0; i < registers.size();) {
        std::size_t end = i + 1;
        while (end < registers.size() && registers[end] == registers[i]) ++end;
        if (registers[i] == 0) {
            put_zeros(out, end - i);
        } else {
            put_rank(out, registers[i], end - i);
        }
        i = end;
    }
    return out;
}

inline std::vector<std::uint8_t> read_server_sparse(ByteReader& reader) {
    std::vector<std::uint8_t> ranks(kServerRegisters);
    std::size_t index = 0;
    const auto advance = [&](std::size_t run) {
        if (run > kServerRegisters - index) reader.fail("has runs of more than 16384 registers");
        index += run;
    };
    while (reader.remaining() != 0) {
        const unsigned code = reader.get<std::uint8_t>();
        if ((code & 0x80U) != 0) {
            const auto first = ranks.begin() + static_cast<std::ptrdiff_t>(index);
            advance((code & 3U) + 1);
            std::fill_n(first, (code & 3U) + 1, static_cast<std::uint8_t>(((code >> 2U) & 31U) + 1));
        } else if ((code & 0x40U) != 0) {
            advance((((code & 63U) << 8U) | reader.get<std::uint8_t>()) + 1);
        } else {
            advance((code & 63U) + 1);
        }
    }
    if (index != kServerRegisters)
        reader.fail("has runs of " + std::to_string(index) + " registers where 16384 are required");
    return ranks;
}

inline std::vector<std::uint8_t> read_server_dense(ByteReader& reader) {
    std::vector<std::uint8_t> ranks = unpack_registers(reader.get_raw(packed_size(kServerRegisters)), kServerRegisters);
    reader.require_end();
    for (const std::uint8_t rank : ranks) {
        if (rank > ultra::highest_rank(kServerPrecision)) reader.fail("has an impossible rank");
    }
    return ranks;
}

}  // namespace detail

// Sparse where a server with its usual settings would hold it sparse, else dense.
inline std::string to_redis(const HyperLogLog& sketch) {
    if (sketch.p() < detail::kServerPrecision) {
        throw InvalidArgument("p must be at least 14 for a server's format, got " + std::to_string(sketch.p()));
    }
    if (sketch.hash().scheme() != ItemHash::Scheme::kRedisDecimal) sketch.hash().require_same(ItemHash::redis());
    std::vector<std::uint8_t> registers(detail::kServerRegisters);
    unsigned highest = 0;
    sketch.downsized(detail::kServerPrecision).each_rank([&](std::uint32_t index, unsigned rank) {
        registers[index] = static_cast<std::uint8_t>(rank);
        highest = rank > highest ? rank : highest;
    });
    if (highest <= detail::kServerSparseRank) {
        std::string sparse = detail::server_sparse(registers);
        if (sparse.size() <= detail::kServerSparseMost) return sparse;
    }
    return detail::server_header(detail::kServerDense) + pack_registers(registers);
}

// Of the plain grade, for servers keep plain registers. The kind of item is not in the bytes: the first item added
// afterwards fixes it, and integers are hashed as `hash` does, which is one of Redis's.
inline HyperLogLog hyperloglog_from_redis(std::string_view bytes, const ItemHash& hash = ItemHash::redis()) {
    ByteReader reader(bytes);
    if (reader.get_raw(4) != "HYLL") throw Corrupted("data must start with HYLL", 0);
    const char encoding = reader.get_raw(1)[0];
    if (encoding != detail::kServerDense && encoding != detail::kServerSparse)
        throw Corrupted("data has an unknown encoding at offset 4", 4);
    if (reader.get_raw(3) != std::string_view("\0\0\0", 3))
        throw Corrupted("data has a reserved byte that isn't zero", 5);
    reader.get_raw(8);  // the cached cardinality
    return HyperLogLog::of_ranks(
        detail::kServerPrecision, hash,
        encoding == detail::kServerSparse ? detail::read_server_sparse(reader) : detail::read_server_dense(reader));
}

}  // namespace engagehub
