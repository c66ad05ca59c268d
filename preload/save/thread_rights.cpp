// What the kernel keeps for each thread although a process has it once: ids, groups, capabilities, no_new_privs and personality;
// the working directory with the umask, and the table of descriptors.
//
// libc sees to it that all threads have the same (setuid(3) goes to each of them). A thread that asks the kernel by itself has its
// own, as file servers do to act as one user each; a restart gives all threads those of the process, and would so give back to
// a thread what it had given up. So it is refused.
//
// Tried: /proc/self/task/TID/status tells most of it, in 40 us a thread; each thread asks about itself in 2. setfsuid(2) is the only
// one that a seccomp filter may meet with a signal.
#include "preload/save/thread_rights.h"

#include <linux/capability.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/prctl.h>

#include "image/base/checksum.h"
#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/state.h"

namespace mig {
namespace {

struct Rights {
  uint32_t user[3], group[3];
  long fsuid, fsgid;
  __user_cap_data_struct capabilities[2];
  long securebits, no_new_privs, personality, cpuid, group_count;
  uint32_t groups[64];
};

/// nullptr: it has nothing of its own.
const char* what_differs(const ThreadSlot& own, const ThreadSlot& other) {
  long tid = sys(__NR_gettid);
  if (other.rights != own.rights)
    return "it has user ids, groups, capabilities or a personality of its own, which a restart would not keep apart";
  if (sys(__NR_kcmp, tid, other.stopped_tid, KCMP_FS, 0, 0) > 0)
    return "it has a working directory and umask of its own (unshare(CLONE_FS)), which a restart would not keep apart";
  if (sys(__NR_kcmp, tid, other.stopped_tid, KCMP_FILES, 0, 0) > 0)
    return "it has a table of descriptors of its own (unshare(CLONE_FILES)), which a restart would not keep apart";
  return nullptr;
}

}  // namespace

bool may_ask_cpuid() {
  constexpr int kGetCpuid = 0x1011;  // ARCH_GET_CPUID
  return sys(__NR_arch_prctl, kGetCpuid, 0) != 0;
}

uint64_t thread_rights() {
  Rights r{};
  sys(__NR_getresuid, &r.user[0], &r.user[1], &r.user[2]);
  sys(__NR_getresgid, &r.group[0], &r.group[1], &r.group[2]);
  if (sys(__NR_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 0) r.fsuid = sys(__NR_setfsuid, -1), r.fsgid = sys(__NR_setfsgid, -1);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  sys(__NR_capget, &header, r.capabilities);
  r.securebits = sys(__NR_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
  r.no_new_privs = sys(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  r.personality = sys(__NR_personality, 0xffffffff);
  r.cpuid = may_ask_cpuid();
  r.group_count = sys(__NR_getgroups, 0, nullptr);
  if (r.group_count <= 64) sys(__NR_getgroups, 64, r.groups);
  return checksum(&r, sizeof r);
}

bool threads_are_alike() {
  const ThreadSlot* own = slot_at(0);
  for (uint32_t i = 0; i < state.claimed; ++i) {
    const ThreadSlot* other = slot_at(i);
    const char* cause = other == own || other->dead ? nullptr : what_differs(*own, *other);
    if (!cause) continue;
    char object[64];
    Text(object) << "thread " << other->record.vtid << " (" << other->record.name << ")";
    return refuse(Error::kUnsupportedSetting, object, cause);
  }
  return true;
}

}  // namespace mig
