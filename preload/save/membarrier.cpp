// What the process has registered for membarrier(2). Linux 6.3 tells it; before, a command that needs a registration answers
// EPERM where there is none, and otherwise costs a few microseconds. Only the registration for global barriers, which
// binds the receivers and not the caller, cannot be found out so: it is taken as made, which is harmless.
#include "preload/save/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {
namespace {

constexpr uint32_t kGetRegistrations = 1 << 9;  ///< MEMBARRIER_CMD_GET_REGISTRATIONS

struct Command {
  uint32_t use, registration;
};
constexpr Command kCommands[] = {
    {MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED},
    {MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE},
    {MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ},
};

}  // namespace

uint32_t membarrier_registrations() {
  long told = sys(__NR_membarrier, kGetRegistrations, 0, 0);
  if (told >= 0) return static_cast<uint32_t>(told);
  if (told == -ENOSYS) return 0;
  uint32_t registered = 0;
  for (const Command& c : kCommands)
    if (sys(__NR_membarrier, c.use, 0, 0) == 0) registered |= c.registration;
  return registered ? registered | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED : 0;
}

}  // namespace mig
