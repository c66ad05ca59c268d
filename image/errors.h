// Every error a user can meet: its stable code, the exit code of the command, and the words of `mig explain`.
// The one table for messages, exit codes and documentation.
#pragma once

namespace mig {

enum ExitCode : int {
  kExitDone = 0,
  kExitRequest = 1,
  kExitUsage = 2,
  kExitRefused = 3,
  kExitPartial = 4,
  kExitDeadline = 5,
  kExitDamaged = 6,
  kExitTransport = 7,
  kExitInternal = 10,
};

struct ErrorInfo {
  unsigned code;  ///< N of MIGN, printed with four digits
  ExitCode exit;
  const char* title;
  const char* cause;
  const char* remedy;
};

enum class Error : unsigned {
#define MIG_ERROR(name, code, exit, title, cause, remedy) name = (code),
#include "image/errors.def"
#undef MIG_ERROR
};

inline constexpr ErrorInfo kErrors[] = {
#define MIG_ERROR(name, code, exit, title, cause, remedy) {code, exit, title, cause, remedy},
#include "image/errors.def"
#undef MIG_ERROR
};

constexpr const ErrorInfo* error_info(unsigned code) {
  for (const ErrorInfo& e : kErrors)
    if (e.code == code) return &e;
  return nullptr;
}

}  // namespace mig
