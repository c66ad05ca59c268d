// The process's memory: which mappings there are, which of their pages hold anything, and saving those.
#pragma once
#include "preload/save/image_writer.h"
#include "preload/state.h"

namespace mig {

struct Mapping {
  MappingRecord record;
  const char* path;
  uint64_t resident;  ///< bytes present or swapped, as smaps says
};

using Mappings = ScratchArray<Mapping>;

/// Reads /proc/thread-self/smaps and classifies. False: `state.failure` is set.
bool list_mappings(Mappings& mappings);

/// Why a mapping cannot be saved, or nullptr.
const char* mapping_problem(const Mapping& mapping);

bool save_memory(ImageWriter& writer, Mappings& mappings);

}  // namespace mig
