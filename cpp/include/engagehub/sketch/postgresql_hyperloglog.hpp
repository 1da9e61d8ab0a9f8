// SPDX-License-Identifier: MIT
// Purpose: the value of the type hll of PostgreSQL's extension of that name (its storage specification, schema version
// 1): three bytes of header, then nothing («empty»), the hashes themselves («explicit»), the registers in use
// («sparse») or all registers («full»). What a server wrote reads back, and what is written here a server takes.
// Thread safety: pure functions. Complexity: O(registers).
// Failure: to_postgresql throws InvalidArgument for a type that no column can have or that is finer than the sketch,
// and Incompatible for a sketch that hashes otherwise. hyperloglog_from_postgresql throws Corrupted for what breaks
// the specification, which allows a little more than servers write, and Incompatible for what it may write and a sketch
// can't hold: another schema version, the undefined value, another number of registers. Invariant: a register means the
// same on both sides but for hashes whose bits above the index are all zero: the extension lets them leave no trace,
// here they have a rank of their own, which isn't written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/codec/bit_fields.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/item_hash.hpp>

namespace engagehub {

// What is declared as hll(log2m, regwidth, expthresh, sparseon): a server unites values of one type only.
struct PostgresqlType {
    std::optional<std::int64_t> log2m;  // without one the precision of the sketch, as far as servers go
    std::int64_t regwidth = 5;
    std::int64_t expthresh = -1;  // up to how many hashes a server keeps as they are; -1 leaves it to the server
    bool sparse_enabled = true;
};

namespace detail {

inline constexpr unsigned kPostgresqlVersion = 1;
inline constexpr std::size_t kPostgresqlHeader = 3;
// The specification goes on to 31; the extension has room for 2^17 registers.
inline constexpr unsigned kPostgresqlMostLog2m = 17;
inline constexpr std::int64_t kPostgresqlMostWidth = 7;  // likewise: the specification has 8
inline constexpr std::int64_t kPostgresqlMostHashes = 8192;
inline constexpr unsigned kAutoThreshold = 63;

enum class PostgresqlForm : std::uint8_t { kUndefined = 0, kEmpty = 1, kExplicit = 2, kSparse = 3, kFull = 4 };

// 0 for none, 1 + log2 of a power of two, 63 for -1. THROWS: InvalidArgument.
inline unsigned threshold_code(std::int64_t expthresh) {
    if (expthresh == -1) return kAutoThreshold;
    if (expthresh == 0) return 0;
    unsigned code = 1;
    for (std::int64_t power = 1; power <= kPostgresqlMostHashes; power *= 2, ++code) {
        if (power == expthresh) return code;
    }
    throw InvalidArgument("expthresh must be -1, 0 or a power of two up to 8192, got " + std::to_string(expthresh));
}

inline std::string postgresql_header(
    PostgresqlForm form, unsigned log2m, unsigned regwidth, unsigned threshold, bool sparse_enabled) {
    std::string header;
    header += static_cast<char>((kPostgresqlVersion << 4U) | static_cast<unsigned>(form));
    header += static_cast<char>(((regwidth - 1) << 5U) | log2m);
    header += static_cast<char>((sparse_enabled ? 0x40U : 0U) | threshold);
    return header;
}

// The value of every register as the extension counts it. REQUIRES: the sketch has 2^log2m registers or more.
inline std::vector<std::uint8_t> postgresql_registers(const HyperLogLog& sketch, unsigned log2m, unsigned regwidth) {
    std::vector<std::uint8_t> registers(std::size_t{1} << log2m);
    const unsigned most = (1U << regwidth) - 1;
    sketch.downsized(log2m).each_rank([&](std::uint32_t index, unsigned rank) {
        if (rank <= 64 - log2m) registers[index] = static_cast<std::uint8_t>(std::min(rank, most));
    });
    return registers;
}

// As a server decides it: sparse where that is shorter. With very small registers the zeros at the end may be as long
// as an entry; servers then write what they themselves read back as a register 0 of zero, which is no way to write.
inline bool is_written_sparse(std::size_t filled, unsigned log2m, unsigned regwidth) {
    const std::size_t entry = log2m + regwidth;
    const std::size_t padding = (8 - filled * entry % 8) % 8;
    return filled * entry < (std::size_t{regwidth} << log2m) && padding < entry;
}

inline void read_postgresql_hashes(std::string_view body, HyperLogLog& result) {
    ByteReader reader(body, kPostgresqlHeader);
    bool is_first = true;
    std::int64_t before = 0;
    while (reader.remaining() != 0) {
        std::uint64_t hash = 0;
        for (const char byte : reader.get_raw(8)) hash = (hash << 8U) | static_cast<unsigned char>(byte);
        const auto ordered = static_cast<std::int64_t>(hash);
        if (!is_first && ordered <= before) reader.fail("has hashes out of order");
        is_first = false;
        before = ordered;
        result.add_hash(hash);
    }
}

class PostgresqlRegisterReader {
public:
    PostgresqlRegisterReader(std::string_view body, unsigned log2m, unsigned regwidth)
        : bits_(body), ranks_(std::size_t{1} << log2m), log2m_(log2m), regwidth_(regwidth) {}

    const std::vector<std::uint8_t>& read_sparse() {
        std::size_t next = 0;
        while (!bits_.at_padding()) {
            if (bits_.remaining() < log2m_ + regwidth_) fail("ends within a register");
            const std::size_t index = bits_.get(log2m_);
            if (index < next) fail("has registers out of order");
            next = index + 1;
            if (read_rank(index) == 0) fail("lists a register of zero");
        }
        return ranks_;
    }

    const std::vector<std::uint8_t>& read_full() {
        const std::size_t bits = ranks_.size() * regwidth_;  // a multiple of 8, as there are 16 registers or more
        if (bits_.remaining() != bits) {
            fail(
                "must have " + std::to_string(bits / 8) + " bytes of registers, has " +
                std::to_string(bits_.remaining() / 8));
        }
        for (std::size_t index = 0; index < ranks_.size(); ++index) read_rank(index);
        return ranks_;
    }

private:
    std::uint8_t read_rank(std::size_t index) {
        const std::uint32_t rank = bits_.get(regwidth_);
        if (rank > 64 - log2m_) fail("has an impossible rank");
        return ranks_[index] = static_cast<std::uint8_t>(rank);
    }

    [[noreturn]] void fail(const std::string& what) const {
        const std::size_t offset = kPostgresqlHeader + bits_.offset();
        throw Corrupted("data " + what + " at offset " + std::to_string(offset), offset);
    }

    BitReader bits_;
    std::vector<std::uint8_t> ranks_;
    unsigned log2m_;
    unsigned regwidth_;
};

}  // namespace detail

// Empty, sparse or full, as a server would hold it that keeps no hashes any more.
inline std::string to_postgresql(const HyperLogLog& sketch, const PostgresqlType& type = {}) {
    using detail::PostgresqlForm;
    ItemHash::postgresql().require_same(sketch.hash());
    const std::int64_t most = std::min(sketch.p(), detail::kPostgresqlMostLog2m);
    if (type.log2m && (*type.log2m < HyperLogLog::kLeastPrecision || *type.log2m > most)) {
        throw InvalidArgument(
            "log2m must be between 4 and " + std::to_string(most) +
            " for a sketch of p = " + std::to_string(sketch.p()) + ", got " + std::to_string(*type.log2m));
    }
    if (type.regwidth < 1 || type.regwidth > detail::kPostgresqlMostWidth)
        throw InvalidArgument("regwidth must be between 1 and 7, got " + std::to_string(type.regwidth));
    const auto log2m = static_cast<unsigned>(type.log2m.value_or(most));
    const auto regwidth = static_cast<unsigned>(type.regwidth);
    const unsigned threshold = detail::threshold_code(type.expthresh);
    const auto header = [&](PostgresqlForm form) {
        return detail::postgresql_header(form, log2m, regwidth, threshold, type.sparse_enabled);
    };
    if (sketch.is_empty()) return header(PostgresqlForm::kEmpty);

    const auto registers = detail::postgresql_registers(sketch, log2m, regwidth);
    const auto zeros = static_cast<std::size_t>(std::count(registers.begin(), registers.end(), std::uint8_t{0}));
    const std::size_t filled = registers.size() - zeros;
    const bool is_sparse = type.sparse_enabled && detail::is_written_sparse(filled, log2m, regwidth);
    BitWriter bits;
    for (std::size_t i = 0; i < registers.size(); ++i) {
        if (is_sparse && registers[i] == 0) continue;
        if (is_sparse) bits.put(static_cast<std::uint32_t>(i), log2m);
        bits.put(registers[i], regwidth);
    }
    return header(is_sparse ? PostgresqlForm::kSparse : PostgresqlForm::kFull) + bits.take();
}

// Of p = log2m. The kind of item is not in the bytes: the first item added afterwards fixes it.
inline HyperLogLog hyperloglog_from_postgresql(std::string_view bytes) {
    using detail::PostgresqlForm;
    ByteReader reader(bytes);
    const unsigned first = reader.get<std::uint8_t>();
    const unsigned parameters = reader.get<std::uint8_t>();
    const unsigned cutoff = reader.get<std::uint8_t>();
    if (first >> 4U != detail::kPostgresqlVersion) {
        throw Incompatible("schema version must be 1, got " + std::to_string(first >> 4U));
    }
    const unsigned form = first & 15U;
    if (form > static_cast<unsigned>(PostgresqlForm::kFull)) throw Corrupted("data has an unknown form at offset 0", 0);
    const unsigned log2m = parameters & 31U;
    const unsigned regwidth = (parameters >> 5U) + 1;
    const unsigned threshold = cutoff & 63U;
    if (cutoff >= 0x80U) throw Corrupted("data has a reserved bit that isn't zero at offset 2", 2);
    if (threshold > 31 && threshold != detail::kAutoThreshold)
        throw Corrupted("data has an impossible threshold at offset 2", 2);
    if (static_cast<PostgresqlForm>(form) == PostgresqlForm::kUndefined)
        throw Incompatible("data must be a set, got the undefined value");
    if (log2m < HyperLogLog::kLeastPrecision || log2m > HyperLogLog::kMostPrecision)
        throw Incompatible("log2m of the data must be between 4 and 18, got " + std::to_string(log2m));

    const std::string_view body = bytes.substr(detail::kPostgresqlHeader);
    HyperLogLog result(log2m, ItemHash::postgresql());
    switch (static_cast<PostgresqlForm>(form)) {
        case PostgresqlForm::kExplicit: detail::read_postgresql_hashes(body, result); break;
        case PostgresqlForm::kSparse:
            return HyperLogLog::of_ranks(
                log2m, ItemHash::postgresql(), detail::PostgresqlRegisterReader(body, log2m, regwidth).read_sparse());
        case PostgresqlForm::kFull:
            return HyperLogLog::of_ranks(
                log2m, ItemHash::postgresql(), detail::PostgresqlRegisterReader(body, log2m, regwidth).read_full());
        default: reader.require_end();
    }
    return result;
}

}  // namespace engagehub
