// Wrappers: the pids that System V IPC tells of who made or last used an object.
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "preload/ids.h"
#include "preload/wrap/hook.h"

namespace mig {
namespace {

MIG_ORIGINAL(shmctl);
MIG_ORIGINAL(msgctl);
Hook<int (*)(int, int, int, long), "semctl"> original_semctl;

bool tells_pids(int command, int stat, int stat_any) {
  return ids_moved() && (command == IPC_STAT || command == stat || command == stat_any);
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int shmctl(int id, int command, shmid_ds* about) noexcept {
  int r = original_shmctl(id, command, about);
  if (r >= 0 && tells_pids(command, SHM_STAT, SHM_STAT_ANY))
    about->shm_cpid = virtual_id(about->shm_cpid), about->shm_lpid = virtual_id(about->shm_lpid);
  return r;
}
MIG_EXPORT int msgctl(int id, int command, msqid_ds* about) noexcept {
  int r = original_msgctl(id, command, about);
  if (r >= 0 && tells_pids(command, MSG_STAT, MSG_STAT_ANY))
    about->msg_lspid = virtual_id(about->msg_lspid), about->msg_lrpid = virtual_id(about->msg_lrpid);
  return r;
}
MIG_EXPORT int semctl(int id, int number, int command, ...) noexcept {
  __builtin_va_list args;
  __builtin_va_start(args, command);
  long argument = __builtin_va_arg(args, long);
  __builtin_va_end(args);
  int r = original_semctl(id, number, command, argument);
  return command == GETPID && r > 0 ? virtual_id(r) : r;
}
