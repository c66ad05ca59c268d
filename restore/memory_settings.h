// What the kernel knows of the memory beside its contents.
#pragma once

namespace mig {

/// With the memory in place: protections, protection keys, advice, locks, guard regions, seals and the kernel's memory bounds.
void finish_memory();

}  // namespace mig
