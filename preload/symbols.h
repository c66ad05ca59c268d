// Symbols of the loaded libraries, looked up without libc's dlsym.
#pragma once

namespace mig {

/// Where the loader found this library; empty: unknown.
const char* own_path();

/// What RTLD_NEXT would give for a symbol seen from libmig.so: the first default definition in a library behind it.
void* next_symbol(const char* name);

}  // namespace mig
