// What runs at every start of a program and at every fork.
#pragma once

/// Such functions stand side by side in the library: each page that a start touches costs.
#define MIG_START __attribute__((hot))
