// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <string>

#ifndef _WIN32
#include <pthread.h>
#endif

#include <engagehub/base/errors.hpp>
#include <engagehub/base/simd.hpp>

#include "clock.hpp"
#include "common_base.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "init_once.hpp"
#include "register.hpp"

namespace {

// Raises the class of that name in engagehub_core.errors, which imports nothing of ours.
void raise_as(const char* name, const std::string& text) {
    const py::object type = py::module_::import("engagehub_core.errors").attr(name);
    PyErr_SetString(type.ptr(), text.c_str());
}

void register_errors() {
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const engagehub::InvalidArgument& error) {
            raise_as("InvalidArgument", error.what());
        } catch (const engagehub::InvalidType& error) {
            raise_as("InvalidType", error.what());
        } catch (const engagehub::Incompatible& error) {
            raise_as("Incompatible", error.what());
        } catch (const engagehub::Corrupted& error) {
            const py::object type = py::module_::import("engagehub_core.errors").attr("Corrupted");
            const py::object instance = type(error.what(), py::arg("offset") = error.offset);
            PyErr_SetObject(type.ptr(), instance.ptr());
        }
    });
}

}  // namespace

// Safe without the GIL: docs/decisions/0003 says how.
PYBIND11_MODULE(_native, module, py::mod_gil_not_used()) {
    module.doc() = "The compiled half of engagehub_core; use the classes of the package itself.";
    py::options options;
    options.disable_function_signatures();
    convert::import_datetime();
    convert::import_collections();
    SystemTime::remember();
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] { ++fork_generation; });
#endif
    register_errors();
    register_skip_list(module);
    register_leaderboard(module);
    register_hyperloglog(module);
    register_count_min(module);
    register_top_k(module);
    register_distinct_window(module);
    register_total_window(module);
    register_queue(module);
    register_event_batch(module);
    register_projections(module);
    register_processor(module);
    module.def(
        "simd_path", [] { return engagehub::simd::name_of(engagehub::simd::path()); },
        "Which code searches the blocks of a ranking: \"avx2\", \"neon\" or \"plain\".");
    for (const char* name :
         {"SkipList", "Leaderboard", "HyperLogLog", "CountMinSketch", "TopK", "DistinctWindow", "TotalWindow",
          "MpmcQueue", "EventProcessor", "Projections"}) {
        init_once::guard(module.attr(name));
    }
    common_base::guard();
    py::dict build;
    build["version"] = ENGAGEHUB_VERSION;
    build["compiler"] = ENGAGEHUB_COMPILER;
    build["build_type"] = ENGAGEHUB_BUILD_TYPE;
    module.attr("BUILD") = build;
}
