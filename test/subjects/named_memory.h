// Names in /dev/shm that nobody else uses, and that are gone when the subject ends.
#pragma once
#include "subject.h"

#include <semaphore.h>

/// Made of the last parts of the subject's directory.
__attribute__((unused)) static const char *memory_name(const char *what) {
  static __thread char name[200];
  const char *at = directory + strlen(directory);
  for (int parts = 0; at > directory && parts < 3; --at) parts += at[-1] == '/';
  snprintf(name, sizeof name, "/%s.%s", at, what);
  for (char *p = name + 1; *p; ++p)
    if (*p == '/') *p = '-';
  return name;
}
