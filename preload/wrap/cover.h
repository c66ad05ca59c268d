// The environment by which a new program is covered: LD_PRELOAD, and where its job is.
#pragma once
#include <stddef.h>

namespace mig {

/// Variables that the library looks at.
enum Setting {
  kPreload,
  kName,
  kRun,
  kImages,
  kSignal,
  kStopLimit,
  kEvery,
  kKeep,
  kCpu,
  kXdg,
  kAdded,  ///< those that were added by the program before
  kSettings
};
struct SettingTexts {
  const char* value[kSettings] = {};
};

/// In the constructor: the settings, and out of the program's sight what it was not given.
SettingTexts take_settings();

/// Once the job and the library are known: bytes of memory that cover() needs, 0: the environment is right as it is.
size_t covering_size(char* const environment[]);
/// The environment with what is missing, in `memory` (aligned as a pointer). The strings of the old one stay in use.
char** cover(char* const environment[], void* memory);

}  // namespace mig
