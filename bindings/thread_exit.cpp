// SPDX-License-Identifier: MIT
// Compiled without exceptions: then pthread_cleanup_push() works by jumping and not by unwinding, and no frame here has
// a personality routine, so the handler runs before any C++ frame of the thread is touched.
#include "thread_exit.hpp"

#ifndef _WIN32
#include <pthread.h>
#include <unistd.h>
#endif

namespace interpreter {

#ifdef _WIN32

void restore_thread(PyThreadState* state) { PyEval_RestoreThread(state); }
void ensure_thread() { PyGILState_Ensure(); }
PyObject* guarded_call(PyObject* (*function)(PyObject*, PyObject*), PyObject* first, PyObject* second) {
    return function(first, second);
}

#else

namespace {

extern "C" void hang(void* /*unused*/) {
    for (;;) pause();
}

}  // namespace

void restore_thread(PyThreadState* state) {
    pthread_cleanup_push(hang, nullptr);
    PyEval_RestoreThread(state);
    pthread_cleanup_pop(0);
}

void ensure_thread() {
    pthread_cleanup_push(hang, nullptr);
    PyGILState_Ensure();
    pthread_cleanup_pop(0);
}

PyObject* guarded_call(PyObject* (*function)(PyObject*, PyObject*), PyObject* first, PyObject* second) {
    PyObject* volatile result = nullptr;
    pthread_cleanup_push(hang, nullptr);
    result = function(first, second);
    pthread_cleanup_pop(0);
    return result;
}

#endif

}  // namespace interpreter
