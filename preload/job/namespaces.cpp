// The namespaces (namespaces(7)) that the job began in, or was restarted in. A member that has made itself others sees another host: its
// own network, mounts, host name or users. Nobody can read back how they stand, and a restart would put it among everybody else; so
// it is refused by name.
//
// A namespace is known by the inode of its file. Where the kernel has no such file the number stays 0 and nothing is compared.
#include "preload/job/namespaces.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr const char* kNames[] = {"user", "mnt", "net", "uts", "ipc", "pid_for_children", "cgroup", "time"};
static_assert(sizeof kNames / sizeof *kNames == kNamespaces);

uint64_t inode_of(const char* name) {
  char path[48];
  struct stat st {};
  Text(path) << "/proc/thread-self/ns/" << name;
  return sys(__NR_newfstatat, AT_FDCWD, path, &st, 0) < 0 ? 0 : st.st_ino;
}

}  // namespace

void note_namespaces(Job& job) {
  for (int i = 0; i < kNamespaces; ++i) job.namespaces[i] = inode_of(kNames[i]);
}

bool is_in_jobs_namespaces() {
  for (int i = 0; state.job && i < kNamespaces; ++i) {
    uint64_t own = inode_of(kNames[i]), first = state.job->namespaces[i];
    if (!own || !first || own == first) continue;
    char object[64];
    Text(object) << "the process's namespace (" << kNames[i] << ")";
    return refuse(Error::kUnsupportedSetting, object, "it is not the one that the job began in, and cannot be read back");
  }
  return true;
}

}  // namespace mig
