// A process file as JSON: every record it holds, in words. What inspect, log and diff print.
#pragma once
#include <nlohmann/json.hpp>

#include "tools/core_file.h"
#include "tools/manifest.h"

namespace mig {

nlohmann::ordered_json describe_core(const CoreFile& core);
nlohmann::ordered_json describe_manifest(const std::string& image, const Manifest& m);

/// Bytes of the mapping that the image holds.
uint64_t saved_bytes(const CoreFile& core, const MappingRecord& m);

}  // namespace mig
