// The vDSO: code that the kernel lends to every process, different from kernel to kernel.
#pragma once
#include <stdint.h>

namespace mig {

/// At the program's start: where it is.
void learn_vdso();

/// Before the pages of memory are looked at: a child of fork has none of the vDSO until it calls a function in it.
void load_vdso_pages();

/// After a restart: lets the addresses that libc knows lead into the running kernel's vDSO at `base` (0: none).
void adopt_vdso(uint64_t base);

}  // namespace mig
