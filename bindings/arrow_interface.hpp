// SPDX-License-Identifier: MIT
// Purpose: the structs of the Arrow C data interface and C stream interface, as the Apache Arrow documentation lays
// them out («The Arrow C data interface», «The Arrow C stream interface»), and the capsules that Python objects pass
// them in («The Arrow PyCapsule Interface»). Nothing of Arrow's own libraries is needed for it.
// Thread safety: values. An array may be released on any thread, attached or not, so what is exported must own nothing
// of Python.
// Failure: taking a capsule that is none throws InvalidType; error_already_set.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <engagehub/base/errors.hpp>

namespace arrow_interface {

// The layout is that of the specification; its names are ArrowSchema, ArrowArray and ArrowArrayStream.
struct Schema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags;
    std::int64_t n_children;
    Schema** children;
    Schema* dictionary;
    void (*release)(Schema*);
    void* private_data;
};

struct Array {
    std::int64_t length;
    std::int64_t null_count;
    std::int64_t offset;
    std::int64_t n_buffers;
    std::int64_t n_children;
    const void** buffers;
    Array** children;
    Array* dictionary;
    void (*release)(Array*);
    void* private_data;
};

struct Stream {
    int (*get_schema)(Stream*, Schema*);
    int (*get_next)(Stream*, Array*);
    const char* (*get_last_error)(Stream*);
    void (*release)(Stream*);
    void* private_data;
};

inline constexpr std::int64_t kNullable = 2;

template <class Struct>
constexpr const char* capsule_name() {
    if constexpr (std::is_same_v<Struct, Schema>) return "arrow_schema";
    if constexpr (std::is_same_v<Struct, Array>) return "arrow_array";
    return "arrow_array_stream";
}

// A struct that is released at the end, unless it was moved: then its release is null, as the specification has it.
template <class Struct>
class Owned {
public:
    Owned() = default;
    Owned(Owned&& other) noexcept : raw_(other.raw_) { other.raw_.release = nullptr; }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    Owned& operator=(Owned&&) = delete;
    ~Owned() {
        if (raw_.release != nullptr) raw_.release(&raw_);
    }

    Struct* get() noexcept { return &raw_; }
    const Struct* get() const noexcept { return &raw_; }
    Struct* operator->() noexcept { return &raw_; }
    const Struct* operator->() const noexcept { return &raw_; }

    // Hands the struct over to whoever gave the place for it.
    void move_to(Struct* out) && noexcept {
        *out = raw_;
        raw_.release = nullptr;
    }

    // Takes what a capsule holds, and leaves it released there. REQUIRES: this holds nothing.
    void take_from(const py::object& capsule) {
        auto* const held = static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), capsule_name<Struct>()));
        if (held == nullptr) {
            PyErr_Clear();
            throw engagehub::InvalidType(
                std::string("an Arrow interface must give a capsule of ") + capsule_name<Struct>() + ", got " +
                Py_TYPE(capsule.ptr())->tp_name);
        }
        if (held->release == nullptr)
            throw engagehub::InvalidArgument(
                std::string("a capsule of ") + capsule_name<Struct>() + " must not have been taken before");
        raw_ = *held;
        held->release = nullptr;
    }

    static py::object capsule_of(Owned&& owned) {
        auto held = std::make_unique<Owned>(std::move(owned));
        PyObject* const capsule = PyCapsule_New(held->get(), capsule_name<Struct>(), [](PyObject* dying) {
            delete static_cast<Owned*>(PyCapsule_GetContext(dying));
        });
        if (capsule == nullptr) throw py::error_already_set();
        auto result = py::reinterpret_steal<py::object>(capsule);
        if (PyCapsule_SetContext(capsule, held.get()) != 0) throw py::error_already_set();
        static_cast<void>(held.release());  // the capsule's now
        return result;
    }

private:
    Struct raw_{};
};

using OwnedSchema = Owned<Schema>;
using OwnedArray = Owned<Array>;
using OwnedStream = Owned<Stream>;

}  // namespace arrow_interface
