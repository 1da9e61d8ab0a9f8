// SPDX-License-Identifier: MIT
// Purpose: what the GIL does for plain pointers to Python objects, where there is no GIL: one thread at a time looks at
// them or changes them. With a GIL it is nothing.
// Thread safety: call attached. Hold it over moves of pointers and new references only. Nothing in there may attach,
// detach, run Python code or drop a reference: then a holder is never stopped by a collection, a fork or the end of the
// interpreter, and a thread may wait for it while it is attached.
#pragma once

#include "python.hpp"

#ifdef Py_GIL_DISABLED

#include <mutex>

using PointerMutex = std::mutex;
using PointerLock = std::lock_guard<std::mutex>;

#else

struct PointerMutex {};
struct PointerLock {
    explicit PointerLock(PointerMutex& /*mutex*/) {}
};

#endif
