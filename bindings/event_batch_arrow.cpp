// SPDX-License-Identifier: MIT
#include "event_batch_arrow.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace event_batch_arrow {

using arrow_interface::Array;
using arrow_interface::kNullable;
using arrow_interface::OwnedArray;
using arrow_interface::OwnedSchema;
using arrow_interface::OwnedStream;
using arrow_interface::Schema;
using arrow_interface::Stream;
using engagehub::EventBatch;
using engagehub::ItemColumn;
using engagehub::ItemField;
using engagehub::ItemKind;

namespace {

// The tags of a mixed column are the types of a sparse union.
constexpr const char* kUnionFormat = "+us:0,1,2";
static_assert(sizeof(ItemKind) == 1);
static_assert(static_cast<int>(ItemKind::kNone) == 0 && static_cast<int>(ItemKind::kInteger) == 1);
static_assert(static_cast<int>(ItemKind::kText) == 2);

constexpr std::int64_t kNoOffsets[1] = {0};  // of no text in no row
constexpr char kNoBytes[1] = {0};

// What a struct of the interface points to, deleted by its release.
template <class Struct>
struct Parts {
    std::vector<arrow_interface::Owned<Struct>> children;
    std::vector<Struct*> child_pointers;

    void add(arrow_interface::Owned<Struct>&& child) { children.push_back(std::move(child)); }
    void point_to_children() {
        for (auto& child : children) child_pointers.push_back(child.get());
    }
};

struct ArrayParts : Parts<Array> {
    explicit ArrayParts(const EventBatch& from) : batch(from) {}
    EventBatch batch;  // shares the columns
    std::vector<std::uint8_t> validity;
    std::array<const void*, 3> buffers{};
};

OwnedSchema schema(const char* format, const char* name, bool is_nullable, std::vector<OwnedSchema> children = {}) {
    auto parts = std::make_unique<Parts<Schema>>();
    parts->children = std::move(children);
    parts->point_to_children();
    OwnedSchema made;
    made->format = format;
    made->name = name;
    made->flags = is_nullable ? kNullable : 0;
    made->n_children = static_cast<std::int64_t>(parts->children.size());
    made->children = parts->child_pointers.data();
    made->release = [](Schema* released) {
        delete static_cast<Parts<Schema>*>(released->private_data);
        released->release = nullptr;
    };
    made->private_data = parts.release();
    return made;
}

OwnedArray array(std::unique_ptr<ArrayParts> parts, std::size_t length, std::size_t nulls, std::int64_t buffers) {
    parts->point_to_children();
    OwnedArray made;
    made->length = static_cast<std::int64_t>(length);
    made->null_count = static_cast<std::int64_t>(nulls);
    made->n_buffers = buffers;
    made->buffers = parts->buffers.data();
    made->n_children = static_cast<std::int64_t>(parts->children.size());
    made->children = parts->child_pointers.data();
    made->release = [](Array* released) {
        delete static_cast<ArrayParts*>(released->private_data);
        released->release = nullptr;
    };
    made->private_data = parts.release();
    return made;
}

std::unique_ptr<ArrayParts> parts_of(const EventBatch& batch) { return std::make_unique<ArrayParts>(batch); }

bool is_mixed(const ItemColumn& column) { return column.holds(ItemKind::kInteger) && column.holds(ItemKind::kText); }

OwnedArray nulls(const EventBatch& batch) { return array(parts_of(batch), batch.size(), batch.size(), 0); }

// A bitmap of what is not None, where the column holds None. Returns how many are None.
std::size_t mark_nulls(ArrayParts& parts, const ItemColumn& column) {
    if (column.kinds() == nullptr) return 0;
    const ItemKind* const kinds = column.kinds() + parts.batch.first();
    const std::size_t count = parts.batch.size();
    std::size_t missing = 0;
    parts.validity.assign((count + 7) / 8 + 1, 0);
    for (std::size_t i = 0; i < count; ++i) {
        const bool is_there = kinds[i] != ItemKind::kNone;
        parts.validity[i / 8] = static_cast<std::uint8_t>(parts.validity[i / 8] | (is_there ? 1U << i % 8 : 0U));
        missing += is_there ? 0 : 1;
    }
    parts.buffers[0] = parts.validity.data();
    return missing;
}

OwnedArray integers(const EventBatch& batch, const ItemColumn& column, bool marks_nulls) {
    auto parts = parts_of(batch);
    const std::size_t missing = marks_nulls ? mark_nulls(*parts, column) : 0;
    parts->buffers[1] = column.numbers() + batch.first();
    return array(std::move(parts), batch.size(), missing, 2);
}

OwnedArray texts(const EventBatch& batch, const ItemColumn& column, bool marks_nulls) {
    auto parts = parts_of(batch);
    const std::size_t missing = marks_nulls ? mark_nulls(*parts, column) : 0;
    const bool is_empty = column.offsets() == nullptr;  // an empty batch
    parts->buffers[1] = is_empty ? kNoOffsets : column.offsets() + batch.first();
    parts->buffers[2] = column.bytes() == nullptr ? kNoBytes : column.bytes();
    return array(std::move(parts), batch.size(), missing, 3);
}

template <class Value>
OwnedArray numbers(const EventBatch& batch, const Value* values) {
    auto parts = parts_of(batch);
    parts->buffers[1] = batch.size() == 0 ? static_cast<const void*>(kNoOffsets) : values + batch.first();
    return array(std::move(parts), batch.size(), 0, 2);
}

// kind and data hold nothing but text, also where there is none.
OwnedSchema items_schema(const EventBatch& batch, ItemField field, const char* name, bool is_nullable) {
    const ItemColumn& column = batch.columns().items(field);
    const bool is_text = field == ItemField::kKind || field == ItemField::kData || column.holds(ItemKind::kText);
    if (is_mixed(column)) {
        std::vector<OwnedSchema> children;
        children.push_back(schema("n", "null", true));
        children.push_back(schema("l", "int", false));
        children.push_back(schema("U", "str", false));
        return schema(kUnionFormat, name, is_nullable, std::move(children));
    }
    if (is_text) return schema("U", name, is_nullable);
    return column.holds(ItemKind::kInteger) ? schema("l", name, is_nullable) : schema("n", name, true);
}

OwnedArray items_array(const EventBatch& batch, ItemField field) {
    const ItemColumn& column = batch.columns().items(field);
    if (is_mixed(column)) {
        auto parts = parts_of(batch);
        parts->buffers[0] = column.kinds() + batch.first();
        parts->add(nulls(batch));
        parts->add(integers(batch, column, false));
        parts->add(texts(batch, column, false));
        return array(std::move(parts), batch.size(), 0, 1);
    }
    if (column.holds(ItemKind::kInteger)) return integers(batch, column, true);
    if (column.holds(ItemKind::kText) || field == ItemField::kKind) return texts(batch, column, true);
    if (field != ItemField::kData) return nulls(batch);
    // A text for each row has to have an end, though there is none.
    auto parts = parts_of(batch);
    parts->validity.assign((batch.size() + 1) * sizeof(std::int64_t), 0);  // no bit set, and the ends
    parts->buffers = {parts->validity.data(), parts->validity.data(), kNoBytes};
    return array(std::move(parts), batch.size(), batch.size(), 3);
}

struct BatchStream {
    EventBatch batch;
    bool is_read = false;
};

template <class Body>
int answered(Body&& body) noexcept {
    try {
        body();
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    return 0;
}

}  // namespace

OwnedSchema schema_of(const EventBatch& batch) {
    std::vector<OwnedSchema> children;
    children.push_back(items_schema(batch, ItemField::kId, "id", true));
    children.push_back(items_schema(batch, ItemField::kKind, "kind", false));
    children.push_back(items_schema(batch, ItemField::kCommunity, "community", false));
    children.push_back(items_schema(batch, ItemField::kChannel, "channel", true));
    children.push_back(items_schema(batch, ItemField::kMember, "member", false));
    children.push_back(schema("tsu:UTC", "at", false));
    children.push_back(schema("g", "value", false));
    children.push_back(items_schema(batch, ItemField::kData, "data", true));
    return schema("+s", "", false, std::move(children));
}

OwnedArray array_of(const EventBatch& batch) {
    auto parts = parts_of(batch);
    for (const ItemField field :
         {ItemField::kId, ItemField::kKind, ItemField::kCommunity, ItemField::kChannel, ItemField::kMember})
        parts->add(items_array(batch, field));
    parts->add(numbers(batch, batch.columns().at()));
    parts->add(numbers(batch, batch.columns().value()));
    parts->add(items_array(batch, ItemField::kData));
    return array(std::move(parts), batch.size(), 0, 1);
}

OwnedStream stream_of(const EventBatch& batch) {
    auto state = std::make_unique<BatchStream>(BatchStream{batch});
    OwnedStream made;
    made->get_schema = [](Stream* stream, Schema* out) {
        return answered([&] { schema_of(static_cast<BatchStream*>(stream->private_data)->batch).move_to(out); });
    };
    made->get_next = [](Stream* stream, Array* out) {
        auto& state_of = *static_cast<BatchStream*>(stream->private_data);
        out->release = nullptr;  // the end
        if (state_of.is_read) return 0;
        return answered([&] {
            array_of(state_of.batch).move_to(out);
            state_of.is_read = true;
        });
    };
    made->get_last_error = [](Stream*) -> const char* { return "there is no memory left"; };
    made->release = [](Stream* released) {
        delete static_cast<BatchStream*>(released->private_data);
        released->release = nullptr;
    };
    made->private_data = state.release();
    return made;
}

}  // namespace event_batch_arrow
