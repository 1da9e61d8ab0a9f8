// SPDX-License-Identifier: MIT
// Purpose: columns that other libraries hand over by the Arrow PyCapsule interface: a pyarrow.Array or ChunkedArray, or
// the columns of a Table, a RecordBatch or a DataFrame of polars or pandas. They are read where they are, without any
// of those libraries. Thread safety: make and destroy attached. Complexity: O(chunks) to make, O(rows) to read.
// Failure: InvalidType for a type that is not asked for, InvalidArgument for a null, or for an array that contradicts
// itself, each by the name of the column and its row. How long its buffers are an array doesn't tell: for that we have
// to believe it.
#pragma once

#include "python.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>

#include "arrow_interface.hpp"

namespace arrow_columns {

// Everything that an object handed over: a type, and arrays of it.
struct Data {
    arrow_interface::OwnedSchema schema;
    std::vector<arrow_interface::OwnedArray> arrays;
};

// A part of a column that lies in one array.
struct Chunk {
    const arrow_interface::Array* array;
    std::size_t first;
    std::size_t size;
};

class Column {
public:
    // Null if the object has no Arrow interface.
    static std::shared_ptr<const Column> of(const py::object& object, const char* name);

    Column(std::shared_ptr<const Data> data, const arrow_interface::Schema* type, std::vector<Chunk> chunks);

    std::size_t size() const { return size_; }

    // Its numbers, if they are 64-bit signed integers without nulls that lie one after the other; else null.
    const std::int64_t* integers() const;
    // Whether they are integers without nulls, of any width.
    bool is_plain_integers() const;
    std::vector<std::int64_t> widened(const char* name) const;
    // Integers, texts and nulls, also of a dictionary or a union. The texts are borrowed.
    std::vector<engagehub::ItemView> items(const char* name) const;
    // Integers or floats.
    std::vector<double> numbers(const char* name) const;
    // Microseconds of timestamps with a time zone, or of numbers of seconds.
    std::vector<std::int64_t> instants(const char* name) const;

private:
    bool is_without_type() const;

    std::shared_ptr<const Data> data_;  // keeps the arrays
    const arrow_interface::Schema* type_;
    std::vector<Chunk> chunks_;
    std::size_t size_ = 0;
};

// Columns by their names, in the order of the table. Null if the object has no Arrow interface.
using Table = std::vector<std::pair<std::string, std::shared_ptr<const Column>>>;
std::unique_ptr<const Table> table_of(const py::object& object);

}  // namespace arrow_columns
