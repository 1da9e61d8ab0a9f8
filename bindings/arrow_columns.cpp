// SPDX-License-Identifier: MIT
#include "arrow_columns.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>

#include "argument.hpp"
#include "convert.hpp"

namespace arrow_columns {

using arrow_interface::Array;
using arrow_interface::OwnedArray;
using arrow_interface::OwnedSchema;
using arrow_interface::OwnedStream;
using arrow_interface::Schema;
using convert::Argument;
using engagehub::InvalidArgument;
using engagehub::InvalidType;
using engagehub::ItemView;

namespace {

// ---- what an object hands over ----

// The capsules that a method of the interface returns, or null if there is no such method.
py::object called(const py::object& object, const char* method) {
    const auto bound = py::reinterpret_steal<py::object>(PyObject_GetAttrString(object.ptr(), method));
    if (!bound) {
        convert::clear_expected(PyExc_AttributeError);
        return {};
    }
    return bound();
}

std::size_t length_of(const Array& array) { return static_cast<std::size_t>(array.length); }

void read_stream(Data& data, OwnedStream stream, const char* name) {
    const auto require = [&](int error) {
        if (error == 0) return;
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        const char* const said = stream->get_last_error(stream.get());
        throw InvalidArgument(
            std::string(name) + " must be readable, got an Arrow stream that fails with: " +
            (said == nullptr ? "error " + std::to_string(error) : std::string(said)));
    };
    require(stream->get_schema(stream.get(), data.schema.get()));
    for (;;) {
        OwnedArray array;
        require(stream->get_next(stream.get(), array.get()));
        if (array->release == nullptr) return;
        data.arrays.push_back(std::move(array));
    }
}

std::shared_ptr<Data> data_of(const py::object& object, const char* name) {
    if (const py::object pair = called(object, "__arrow_c_array__")) {
        if (PyTuple_Check(pair.ptr()) == 0 || PyTuple_GET_SIZE(pair.ptr()) != 2)
            throw InvalidType(std::string(name) + ".__arrow_c_array__() must return two capsules");
        auto data = std::make_shared<Data>();
        data->arrays.reserve(1);
        data->schema.take_from(pair[py::int_(0)]);
        data->arrays.emplace_back();
        data->arrays.back().take_from(pair[py::int_(1)]);
        return data;
    }
    if (const py::object capsule = called(object, "__arrow_c_stream__")) {
        auto data = std::make_shared<Data>();
        OwnedStream stream;
        stream.take_from(capsule);
        read_stream(*data, std::move(stream), name);
        return data;
    }
    return nullptr;
}

// ---- values ----

[[noreturn]] void refuse_type(const char* name, const char* wanted, const Schema& type) {
    throw InvalidType(
        std::string(name) + " must be a column of " + wanted + ", got one of Arrow's type «" + type.format +
        (type.dictionary == nullptr ? "»" : "» with a dictionary"));
}

[[noreturn]] void refuse_null(const char* name, const char* wanted, std::size_t row) {
    throw InvalidType(std::string(Argument(name, row)) + " must be " + wanted + ", got null");
}

// One of the letters of numbers, or 0.
char number_code(const Schema& type) {
    const std::string_view format = type.format;
    const bool is_number = format.size() == 1 && std::string_view("cCsSiIlLefg").find(format) != std::string_view::npos;
    return is_number && type.dictionary == nullptr ? format[0] : '\0';
}
bool is_integer(char code) { return code != '\0' && code != 'e' && code != 'f' && code != 'g'; }

template <class Value, class Visit>
void walk(const void* buffer, std::size_t first, std::size_t size, Visit& visit) {
    const char* const data = static_cast<const char*>(buffer) + first * sizeof(Value);
    for (std::size_t i = 0; i < size; ++i) {
        Value value;
        std::memcpy(&value, data + i * sizeof value, sizeof value);
        visit(value, i);
    }
}

// visit(value, i) in the type of the values. REQUIRES: the code is that of an integer.
template <class Visit>
void each_integer(char code, const void* buffer, std::size_t first, std::size_t size, Visit&& visit) {
    switch (code) {
        case 'c': return walk<std::int8_t>(buffer, first, size, visit);
        case 'C': return walk<std::uint8_t>(buffer, first, size, visit);
        case 's': return walk<std::int16_t>(buffer, first, size, visit);
        case 'S': return walk<std::uint16_t>(buffer, first, size, visit);
        case 'i': return walk<std::int32_t>(buffer, first, size, visit);
        case 'I': return walk<std::uint32_t>(buffer, first, size, visit);
        case 'l': return walk<std::int64_t>(buffer, first, size, visit);
        default: return walk<std::uint64_t>(buffer, first, size, visit);
    }
}

// The same for floats, too. REQUIRES: the code is that of a number.
template <class Visit>
void each_number(char code, const void* buffer, std::size_t first, std::size_t size, Visit&& visit) {
    switch (code) {
        case 'e': {
            const char* const data = static_cast<const char*>(buffer) + 2 * first;
            for (std::size_t i = 0; i < size; ++i) visit(PyFloat_Unpack2(data + 2 * i, PY_LITTLE_ENDIAN), i);
            return;
        }
        case 'f': return walk<float>(buffer, first, size, visit);
        case 'g': return walk<double>(buffer, first, size, visit);
        default: return each_integer(code, buffer, first, size, visit);
    }
}

// Whether values are missing, by their index in the buffers.
class Validity {
public:
    // Arrow gives no bitmap where nothing is missing.
    explicit Validity(const Array& array)
        : bits_(
              array.null_count == 0 || array.n_buffers == 0 ? nullptr
                                                            : static_cast<const std::uint8_t*>(array.buffers[0])) {}
    bool is_null(std::size_t index) const { return bits_ != nullptr && (bits_[index / 8] >> (index % 8) & 1U) == 0; }
    // The first of so many that is missing, or their number.
    std::size_t first_null(std::size_t first, std::size_t size) const {
        std::size_t i = bits_ == nullptr ? size : 0;
        while (i < size && !is_null(first + i)) ++i;
        return i;
    }

private:
    const std::uint8_t* bits_;
};

std::int64_t signed_word(std::uint64_t value, const char* name, std::size_t row) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        throw InvalidArgument(
            std::string(Argument(name, row)) + " must fit in a signed 64-bit integer, got " + std::to_string(value));
    }
    return static_cast<std::int64_t>(value);
}
template <class Value>
std::int64_t word(Value value, const char* name, std::size_t row) {
    if constexpr (std::is_same_v<Value, std::uint64_t>) return signed_word(value, name, row);
    return static_cast<std::int64_t>(value);
}

template <class Offset>
void append_texts(
    const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out, const char* name) {
    const Validity validity(array);
    const auto* const offsets = static_cast<const char*>(array.buffers[1]);
    const auto* const bytes = static_cast<const char*>(array.buffers[2]);
    const auto offset_at = [&](std::size_t index) {
        Offset offset = 0;
        std::memcpy(&offset, offsets + index * sizeof offset, sizeof offset);
        return offset;
    };
    for (std::size_t i = first; i < first + size; ++i) {
        if (validity.is_null(i)) {
            out.emplace_back();
            continue;
        }
        const Offset begin = offset_at(i);
        const Offset end = offset_at(i + 1);
        if (begin < 0 || end < begin) {
            throw InvalidArgument(std::string(Argument(name, out.size())) + " must have offsets that grow");
        }
        out.push_back(
            begin == end ? ItemView::of(std::string_view())
                         : ItemView::of(std::string_view(bytes + begin, static_cast<std::size_t>(end - begin))));
    }
}

// Of views that hold a text of up to 12 bytes themselves, or say where it is.
void append_text_views(const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out) {
    constexpr std::size_t kViewBytes = 16;
    constexpr std::int32_t kInside = 12;
    const Validity validity(array);
    for (std::size_t i = first; i < first + size; ++i) {
        if (validity.is_null(i)) {
            out.emplace_back();
            continue;
        }
        const char* const view = static_cast<const char*>(array.buffers[1]) + i * kViewBytes;
        std::array<std::int32_t, 4> words{};  // the length, four bytes, which buffer, and where in it
        std::memcpy(words.data(), view, sizeof words);
        const char* const text =
            words[0] <= kInside ? view + 4 : static_cast<const char*>(array.buffers[2 + words[2]]) + words[3];
        out.push_back(ItemView::of(std::string_view(text, static_cast<std::size_t>(words[0]))));
    }
}

void append_items(
    const Schema& type, const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out,
    const char* name);

std::vector<ItemView> all_items(const Schema& type, const Array& array, const char* name) {
    std::vector<ItemView> items;
    append_items(type, array, static_cast<std::size_t>(array.offset), length_of(array), items, name);
    return items;
}

void append_dictionary(
    const Schema& type, const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out,
    const char* name) {
    const std::vector<ItemView> values = all_items(*type.dictionary, *array.dictionary, name);
    const Validity validity(array);
    each_integer(type.format[0], array.buffers[1], first, size, [&](auto index, std::size_t i) {
        if (validity.is_null(first + i)) {
            out.emplace_back();
        } else if (static_cast<std::uint64_t>(index) < values.size()) {  // a negative one is far beyond
            out.push_back(values[static_cast<std::size_t>(index)]);
        } else {
            throw InvalidArgument(
                std::string(Argument(name, out.size())) + " must be in the dictionary of " +
                std::to_string(values.size()) + " values, got number " + std::to_string(index));
        }
    });
}

// The format of a union ends with its type codes: "+us:0,1,2", one for each child.
void append_union(
    const Schema& type, const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out,
    const char* name) {
    std::array<std::int16_t, 128> child_of{};
    child_of.fill(-1);
    std::int16_t child = 0;
    for (const char* code = type.format + 4; *code != '\0' && child < type.n_children; ++child) {
        std::size_t number = 0;
        for (; *code >= '0' && *code <= '9'; ++code) number = 10 * number + static_cast<std::size_t>(*code - '0');
        if (number < child_of.size()) child_of[number] = child;
        if (*code != '\0') ++code;
    }
    std::vector<std::vector<ItemView>> children;
    children.reserve(static_cast<std::size_t>(type.n_children));
    for (std::int64_t i = 0; i < type.n_children; ++i)
        children.push_back(all_items(*type.children[i], *array.children[i], name));
    const auto* const codes = static_cast<const std::uint8_t*>(array.buffers[0]);
    const bool is_dense = type.format[2] == 'd';
    for (std::size_t i = first; i < first + size; ++i) {
        const int which = codes[i] < child_of.size() ? child_of[codes[i]] : -1;
        std::size_t place = i;
        if (is_dense) {
            std::int32_t offset = 0;
            std::memcpy(&offset, static_cast<const char*>(array.buffers[1]) + i * sizeof offset, sizeof offset);
            place = static_cast<std::size_t>(offset);
        }
        if (which < 0 || place >= children[static_cast<std::size_t>(which)].size())
            throw InvalidArgument(std::string(Argument(name, out.size())) + " must be in a child of its union");
        out.push_back(children[static_cast<std::size_t>(which)][place]);
    }
}

void append_items(
    const Schema& type, const Array& array, std::size_t first, std::size_t size, std::vector<ItemView>& out,
    const char* name) {
    const std::string_view format = type.format;
    out.reserve(out.size() + size);
    if (type.dictionary != nullptr) return append_dictionary(type, array, first, size, out, name);
    if (format == "n") return out.resize(out.size() + size);
    if (size == 0 && format.substr(0, 2) != "+u") return;  // an empty array may have no buffers
    if (format == "u") return append_texts<std::int32_t>(array, first, size, out, name);
    if (format == "U") return append_texts<std::int64_t>(array, first, size, out, name);
    if (format == "vu") return append_text_views(array, first, size, out);
    if (format.substr(0, 4) == "+us:" || format.substr(0, 4) == "+ud:")
        return append_union(type, array, first, size, out, name);
    if (!is_integer(number_code(type))) refuse_type(name, "int or str", type);
    const Validity validity(array);
    each_integer(format[0], array.buffers[1], first, size, [&](auto value, std::size_t i) {
        out.push_back(validity.is_null(first + i) ? ItemView() : ItemView::of(word(value, name, out.size())));
    });
}

// Microseconds of one tick of a timestamp, and ticks of one microsecond.
struct Unit {
    std::int64_t micros = 1;
    std::int64_t ticks = 1;
};

// "tsu:UTC" is microseconds in UTC. Instants are the same in every time zone, but there has to be one.
std::optional<Unit> unit_of(const Schema& type, const char* name) {
    const std::string_view format = type.format;
    if (format.size() < 4 || format.substr(0, 2) != "ts" || format[3] != ':') return std::nullopt;
    if (format.size() == 4) {
        throw InvalidType(
            std::string(name) + " must be timestamps with a time zone, got naive ones (Arrow's type «" + type.format +
            "»)");
    }
    switch (format[2]) {
        case 's': return Unit{1'000'000, 1};
        case 'm': return Unit{1'000, 1};
        case 'u': return Unit{1, 1};
        case 'n': return Unit{1, 1'000};
        default: return std::nullopt;
    }
}

// To the nearest microsecond, a half away from zero, as for seconds.
std::int64_t micros_of(std::int64_t ticks, const Unit& unit, Argument argument) {
    std::int64_t micros = ticks / unit.ticks;
    const std::int64_t rest = ticks % unit.ticks;
    if (2 * rest >= unit.ticks) ++micros;
    if (-2 * rest >= unit.ticks) --micros;
    const bool is_in_time =
        micros >= engagehub::kFirstInstant / unit.micros && micros <= engagehub::kLastInstant / unit.micros;
    if (!is_in_time) {
        throw InvalidArgument(
            std::string(argument) + " must be between the years 1 and 9999, got the timestamp " +
            std::to_string(ticks));
    }
    return micros * unit.micros;
}

}  // namespace

std::shared_ptr<const Column> Column::of(const py::object& object, const char* name) {
    const std::shared_ptr<Data> data = data_of(object, name);
    if (data == nullptr) return nullptr;
    std::vector<Chunk> chunks;
    for (const OwnedArray& array : data->arrays)
        chunks.push_back({array.get(), static_cast<std::size_t>(array->offset), length_of(*array.get())});
    return std::make_shared<const Column>(data, data->schema.get(), std::move(chunks));
}

Column::Column(std::shared_ptr<const Data> data, const Schema* type, std::vector<Chunk> chunks)
    : data_(std::move(data)), type_(type), chunks_(std::move(chunks)) {
    for (const Chunk& chunk : chunks_) size_ += chunk.size;
}

// As of an empty list.
bool Column::is_without_type() const { return size_ == 0 && std::string_view(type_->format) == "n"; }

const std::int64_t* Column::integers() const {
    if (chunks_.size() != 1 || number_code(*type_) != 'l' || !is_plain_integers() || size_ == 0) return nullptr;
    const void* const buffer = chunks_[0].array->buffers[1];
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(buffer) % alignof(std::int64_t) == 0;
    return is_aligned ? static_cast<const std::int64_t*>(buffer) + chunks_[0].first : nullptr;
}

bool Column::is_plain_integers() const {
    return is_integer(number_code(*type_)) && std::all_of(chunks_.begin(), chunks_.end(), [](const Chunk& chunk) {
               return Validity(*chunk.array).first_null(chunk.first, chunk.size) == chunk.size;
           });
}

std::vector<std::int64_t> Column::widened(const char* name) const {
    std::vector<std::int64_t> numbers;
    numbers.reserve(size_);
    for (const Chunk& chunk : chunks_) {
        each_integer(type_->format[0], chunk.array->buffers[1], chunk.first, chunk.size, [&](auto value, std::size_t) {
            numbers.push_back(word(value, name, numbers.size()));
        });
    }
    return numbers;
}

std::vector<ItemView> Column::items(const char* name) const {
    std::vector<ItemView> items;
    items.reserve(size_);
    for (const Chunk& chunk : chunks_) append_items(*type_, *chunk.array, chunk.first, chunk.size, items, name);
    return items;
}

std::vector<double> Column::numbers(const char* name) const {
    if (is_without_type()) return {};
    const char code = number_code(*type_);
    if (code == '\0') refuse_type(name, "integers or floats", *type_);
    std::vector<double> numbers;
    numbers.reserve(size_);
    for (const Chunk& chunk : chunks_) {
        const std::size_t null = Validity(*chunk.array).first_null(chunk.first, chunk.size);
        if (null != chunk.size) refuse_null(name, "int or float", numbers.size() + null);
        each_number(code, chunk.array->buffers[1], chunk.first, chunk.size, [&](auto value, std::size_t) {
            numbers.push_back(static_cast<double>(value));
        });
    }
    convert::require_finite(numbers, name);
    return numbers;
}

std::vector<std::int64_t> Column::instants(const char* name) const {
    if (is_without_type()) return {};
    const auto unit = unit_of(*type_, name);
    const char code = number_code(*type_);
    if (!unit && code == '\0') refuse_type(name, "timestamps, or of seconds as integers or floats", *type_);
    std::vector<std::int64_t> instants;
    instants.reserve(size_);
    for (const Chunk& chunk : chunks_) {
        const std::size_t null = Validity(*chunk.array).first_null(chunk.first, chunk.size);
        if (null != chunk.size) refuse_null(name, "an instant", instants.size() + null);
        const void* const buffer = chunk.array->buffers[1];
        if (unit) {
            each_integer('l', buffer, chunk.first, chunk.size, [&](auto ticks, std::size_t) {
                instants.push_back(micros_of(static_cast<std::int64_t>(ticks), *unit, Argument(name, instants.size())));
            });
        } else if (code == 'g') {
            convert::append_instants(instants, static_cast<const double*>(buffer) + chunk.first, chunk.size, name);
        } else {
            each_number(code, buffer, chunk.first, chunk.size, [&](auto seconds, std::size_t) {
                instants.push_back(convert::instant_of(seconds, Argument(name, instants.size())));
            });
        }
    }
    return instants;
}

std::unique_ptr<const Table> table_of(const py::object& object) {
    const std::shared_ptr<const Data> data = data_of(object, "columns");
    if (data == nullptr) return nullptr;
    const Schema& type = *data->schema.get();
    if (std::string_view(type.format) != "+s")
        throw InvalidType("columns must be a table, got a column of Arrow's type «" + std::string(type.format) + "»");
    auto table = std::make_unique<Table>();
    for (std::int64_t field = 0; field < type.n_children; ++field) {
        std::vector<Chunk> chunks;
        for (const OwnedArray& rows : data->arrays) {
            const auto first = static_cast<std::size_t>(rows->offset);
            const std::size_t size = length_of(*rows.get());
            if (Validity(*rows.get()).first_null(first, size) != size)
                throw InvalidType("columns must be a table whose rows are all there, got null for some of them");
            const Array* const column = rows->children[field];
            chunks.push_back({column, static_cast<std::size_t>(column->offset) + first, size});
        }
        table->emplace_back(
            type.children[field]->name == nullptr ? "" : type.children[field]->name,
            std::make_shared<const Column>(data, type.children[field], std::move(chunks)));
    }
    return table;
}

}  // namespace arrow_columns
