// SPDX-License-Identifier: MIT
// Purpose: what the bytes of CountMinSketch and DecayedCountMin have in common: their beginning, which says which of
// the two follows. docs/formats/count-min.md.
// Thread safety: pure functions. Complexity: O(bytes).
// Failure: read() throws Corrupted, or Incompatible for a newer version and for another hash or key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub::count_min_format {

enum class Cells : std::uint8_t { kWide = 0, kSaturating = 1, kDecayed = 2 };

inline constexpr Magic kMagic = {'E', 'H', 'C', 'M'};
inline constexpr std::uint8_t kVersion = 2;

inline std::size_t size_of(Cells cells) { return cells == Cells::kSaturating ? 4 : 8; }

struct Header {
    TableSize size;
    ItemKind kind;
    Cells cells;
    ItemHash hash;
};

inline ByteWriter begin(const Header& header) {
    ByteWriter writer = begin_format(kMagic, kVersion);
    writer.reserve(80 + header.size.cells() * size_of(header.cells));
    writer.put(static_cast<std::uint32_t>(header.size.width));
    writer.put(static_cast<std::uint8_t>(header.size.depth));
    writer.put(static_cast<std::uint8_t>(header.kind));
    writer.put(static_cast<std::uint8_t>(header.cells));
    header.hash.write(writer);
    return writer;
}

// Checks the frame; the reader stands behind the header. The bytes don't hold a secret key: it has to be given.
class Opened {
public:
    Opened(std::string_view bytes, const ItemHash& given)
        : reader_(open_format(bytes, kMagic, kVersion)), header_(read(static_cast<std::uint8_t>(bytes[4]), given)) {}

    const Header& header() const { return header_; }
    ByteReader& reader() { return reader_; }

    // Before memory is taken for them.
    void require_cells() const {
        if (reader_.remaining() != header_.size.cells() * size_of(header_.cells))
            reader_.fail("has another number of cells than its width and depth say");
    }

private:
    Header read(std::uint8_t version, const ItemHash& given) {
        Header header{};
        header.size.width = reader_.get<std::uint32_t>();
        header.size.depth = reader_.get<std::uint8_t>();
        header.kind = read_kind(reader_);
        // The first version had no other cells and no other hash.
        const std::uint8_t cells = version == 1 ? 0 : reader_.get<std::uint8_t>();
        if (cells > static_cast<std::uint8_t>(Cells::kDecayed)) reader_.fail("has unknown cells");
        header.cells = static_cast<Cells>(cells);
        header.hash = ItemHash::read_redis_or_keyed(reader_, given);
        if (version == 1 && header.hash != ItemHash::redis()) reader_.fail("has a hash that its version doesn't have");
        if (!header.size.is_valid()) reader_.fail("has an impossible width or depth");
        return header;
    }

    ByteReader reader_;
    Header header_;
};

}  // namespace engagehub::count_min_format
