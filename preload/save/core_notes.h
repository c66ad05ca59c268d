// The notes of an ELF core by which debuggers know a process: registers of each thread, mapped files.
#pragma once
#include "preload/save/image_writer.h"
#include "preload/save/memory.h"

namespace mig {

bool add_core_notes(ImageWriter& writer, const Mappings& mappings);

}  // namespace mig
