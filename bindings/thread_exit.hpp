// SPDX-License-Identifier: MIT
// Purpose: entering the interpreter, and calling Python code, on threads that may still run when the interpreter ends.
// Until Python 3.13 such a thread is then stopped by pthread_exit(), which on glibc unwinds its C++ frames: destructors
// would touch Python objects without the GIL, and a noexcept function, or a statically linked unwinder, aborts the
// process. From 3.14 on the thread hangs instead, which harms nobody since the process is about to end. These functions
// give the older versions the behaviour of the newer.
// Thread safety: every function from any thread, detached or attached as the function of the C API that it stands for.
#pragma once

#include "python.hpp"

namespace interpreter {

// PyEval_RestoreThread().
void restore_thread(PyThreadState* state);

// PyGILState_Ensure() on a thread that was never attached.
void ensure_thread();

// function(first, second), which must be a function of the C API or one that does nothing else than to call one.
PyObject* guarded_call(PyObject* (*function)(PyObject*, PyObject*), PyObject* first, PyObject* second = nullptr);

}  // namespace interpreter
