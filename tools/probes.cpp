// Every probe runs in a child process, so that a change it makes, or a kernel that kills it, does no harm
// here.
#include "tools/probes.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/prctl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "image/base/text.h"

namespace mig {

namespace {

constexpr unsigned kProbeSeconds = 5;

/// Newer than the headers of older systems (linux/userfaultfd.h, linux/fs.h).
constexpr uint64_t kFeatureWpUnpopulated = 1 << 13, kFeatureWpAsync = 1 << 15;
struct ScanArgument {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
struct PageRegion {
  uint64_t start, end, categories;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr uint64_t kScanWpMatching = 1, kPageIsWritten = 2;

bool in_child(bool (*probe)()) {
  pid_t child = fork();
  if (child == 0) {
    alarm(kProbeSeconds);
    _exit(probe() ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool tracks_writes() {
  ScopedFd fd(sys(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */));
  uffdio_api api = {};
  api.api = UFFD_API;
  api.features = kFeatureWpAsync | kFeatureWpUnpopulated;
  if (!fd.ok() || ioctl(fd.get(), UFFDIO_API, &api) != 0) return false;
  auto pages = static_cast<char*>(map_pages(4 * kPage));
  uffdio_register range = {};
  range.range = {reinterpret_cast<uint64_t>(pages), 4 * kPage};
  range.mode = UFFDIO_REGISTER_MODE_WP;
  if (!pages || ioctl(fd.get(), UFFDIO_REGISTER, &range) != 0) return false;
  ScopedFd map(open_path("/proc/self/pagemap", O_RDONLY));
  PageRegion regions[8];
  ScanArgument scan = {};
  scan.size = sizeof scan, scan.flags = kScanWpMatching;
  scan.start = range.range.start, scan.end = range.range.start + range.range.len;
  scan.vec = reinterpret_cast<uint64_t>(regions), scan.vec_len = 8;
  scan.category_mask = scan.return_mask = kPageIsWritten;
  if (ioctl(map.get(), kPagemapScan, &scan) < 0) return false;
  pages[2 * kPage] = 1;
  scan.walk_end = 0;
  return ioctl(map.get(), kPagemapScan, &scan) == 1 && regions[0].start == scan.start + 2 * kPage;
}

bool scans_pages() {
  auto pages = static_cast<char*>(map_pages(4 * kPage));
  pages[kPage] = 1;
  ScopedFd map(open_path("/proc/self/pagemap", O_RDONLY));
  PageRegion regions[8];
  ScanArgument scan = {};
  scan.size = sizeof scan, scan.start = reinterpret_cast<uint64_t>(pages), scan.end = scan.start + 4 * kPage;
  scan.vec = reinterpret_cast<uint64_t>(regions), scan.vec_len = 8;
  scan.category_mask = scan.return_mask = 8;  // PAGE_IS_PRESENT
  return ioctl(map.get(), kPagemapScan, &scan) == 1;
}

bool reads_pagemap() {
  auto pages = static_cast<char*>(map_pages(kPage));
  pages[0] = 1;
  ScopedFd map(open_path("/proc/self/pagemap", O_RDONLY));
  uint64_t entry = 0;
  return pread_all(map.get(), &entry, sizeof entry, reinterpret_cast<uint64_t>(pages) / kPage * 8) == 8 && entry >> 63;
}

uint64_t stat_field(int number) {
  char text[4096];
  read_text("/proc/self/stat", text, sizeof text);
  Scan s(strrchr(text, ')') + 1);
  for (int i = 3; i < number; ++i) s.skip_spaces().after(' ');
  return static_cast<uint64_t>(s.number());
}

bool sets_bounds() {
  prctl_mm_map m = {};
  m.start_code = stat_field(26), m.end_code = stat_field(27), m.start_stack = stat_field(28);
  m.start_data = stat_field(45), m.end_data = stat_field(46), m.start_brk = stat_field(47);
  m.arg_start = stat_field(48), m.arg_end = stat_field(49), m.env_start = stat_field(50), m.env_end = stat_field(51);
  m.brk = reinterpret_cast<uint64_t>(sbrk(0));
  m.exe_fd = ~0u;
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof m, 0) == 0;
}

bool compares_files() {
  int a = dup(1);
  return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 1, a) == 0;
}

bool makes_namespaces() {
  return unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
}

bool chooses_pids() {
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) return false;
  if (pid_t first = fork(); first != 0) {
    int status = 1;
    waitpid(first, &status, 0);
    return status == 0;
  }
  pid_t wanted = 31337;
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } a = {};
  a.exit_signal = SIGCHLD, a.set_tid = reinterpret_cast<uint64_t>(&wanted), a.set_tid_size = 1;
  long child = syscall(SYS_clone3, &a, sizeof a);
  if (child == 0) _exit(0);
  _exit(child == wanted ? 0 : 1);
}

bool queues_to_itself() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  siginfo_t info = {}, got = {};
  info.si_signo = SIGUSR1, info.si_code = SI_KERNEL, info.si_pid = 4711;
  if (syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info) != 0) return false;
  return sigwaitinfo(&set, &got) == SIGUSR1 && got.si_pid == 4711 && got.si_code == SI_KERNEL;
}

bool runs_children_of_shm() {
  long fd = sys(__NR_memfd_create, "probe", 1);
  return fd >= 0;
}

}  // namespace

std::vector<Probe> probe_host() {
  return {
      {"pagemap", in_child(reads_pagemap), true, "/proc/self/pagemap tells which pages exist; mount /proc"},
      {"set-mm-map", in_child(sets_bounds), true,
       "PR_SET_MM_MAP restores brk and the command line; needs CONFIG_CHECKPOINT_RESTORE"},
      {"queue-signals", in_child(queues_to_itself), true, "rt_sigqueueinfo to oneself brings pending signals back"},
      {"kcmp", in_child(compares_files), false, "kcmp tells which descriptors share a description; needs CONFIG_KCMP"},
      {"memfd", in_child(runs_children_of_shm), false, "memfd_create holds shared anonymous memory"},
      {"pagemap-scan", in_child(scans_pages), false, "PAGEMAP_SCAN finds saved pages faster; needs Linux 6.7"},
      {"write-tracking", in_child(tracks_writes), false,
       "userfaultfd write-protection tells which pages changed since the last image; needs Linux 6.7"},
      {"user-namespaces", in_child(makes_namespaces), false,
       "an unprivileged user namespace can give a restarted program its very own real pids; sysctl "
       "user.max_user_namespaces, "
       "kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns"},
      {"set-tid", in_child(chooses_pids), false, "clone3 with set_tid inside a user namespace"},
  };
}

}  // namespace mig
