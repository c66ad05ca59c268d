// The children of a process at a checkpoint.
//
// waitid with WNOHANG and WNOWAIT tells in one call whether there are children at all, of any kind (__WALL), and
// takes nothing from the program. Their numbers are in /proc/self/task/TID/children (CONFIG_PROC_CHILDREN, which
// CONFIG_CHECKPOINT_RESTORE brings).
//
// A child that is no member yet may be about to become one: between fork and its first instructions, or between exec and the
// library's constructor. It gets time, unless its program shows that the library will never be there (no interpreter,
// another architecture, set-user-id). Its exit code can be looked at without taking it: waitid(WNOWAIT).
#include "preload/job/offspring.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "image/base/clock.h"
#include "image/base/futex.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/state.h"
#include "preload/wrap/child_waits.h"

namespace mig {
namespace {

constexpr int64_t kBirthLimit = 5 * kSecond;
constexpr int64_t kLookLimit = 200 * kMillisecond;
constexpr int64_t kPoll = kMillisecond;

bool any_children() {
  siginfo_t info{};
  return sys(__NR_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr) == 0;
}

bool is_member(int32_t pid) {
  Job* job = state.job;
  for (uint32_t i = 0; job && i < job->member_count; ++i)
    if (job->members[i].pid == pid) return true;
  return false;
}

/// Calls visit(real pid) for each child until it returns false.
template <class Visit>
void each_child(Visit visit) {
  ScopedFd tasks(open_path("/proc/self/task", O_RDONLY | O_DIRECTORY));
  if (!tasks.ok() || !any_children()) return;
  each_entry(tasks.get(), [&](const char* tid, unsigned char) {
    char path[64];
    Text(path) << "/proc/self/task/" << tid << "/children";
    ScopedFd fd(open_path(path, O_RDONLY));
    char text[512];
    int32_t number = 0;
    bool more = true;
    for (long n; more && fd.ok() && (n = sys(__NR_read, fd.get(), text, sizeof text)) > 0;)
      for (long i = 0; more && i < n; ++i) {
        if (text[i] >= '0' && text[i] <= '9') number = number * 10 + (text[i] - '0');
        else if (number) more = visit(number), number = 0;
      }
    return more;
  });
}

/// The first child that is neither a member nor dead, or 0.
int32_t unknown_child() {
  int32_t found = 0;
  each_child([&](int32_t pid) {
    if (!is_member(pid) && process_stat(pid).state != 'Z') found = pid;
    return !found;
  });
  return found;
}

/// A copy of this process that has not begun another program. After a restart the kernel may know both by the stub's.
bool runs_own_program(const struct stat& other) {
  struct stat own;
  return sys(__NR_newfstatat, AT_FDCWD, "/proc/thread-self/exe", &own, 0) == 0 && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

/// A program that the dynamic linker of this architecture loads, with the library, if it may.
bool can_be_covered(int32_t pid) {
  char path[64];
  Text(path) << "/proc/" << pid << "/exe";
  ScopedFd fd(open_path(path, O_RDONLY));
  struct stat st;
  Elf64_Ehdr h;
  if (!fd.ok()) return fd.get() == -ENOENT;
  if (sys(__NR_fstat, fd.get(), &st) < 0) return false;
  if (runs_own_program(st)) return true;
  if (st.st_mode & (S_ISUID | S_ISGID)) return false;
  if (sys(__NR_pread64, fd.get(), &h, sizeof h, 0L) != sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64) return false;
  for (unsigned i = 0; i < h.e_phnum; ++i) {
    Elf64_Phdr p;
    if (sys(__NR_pread64, fd.get(), &p, sizeof p, h.e_phoff + i * sizeof p) != sizeof p) return false;
    if (p.p_type == PT_INTERP) return true;
  }
  return false;
}

void put_command(Text& t, int32_t pid) {
  char path[64], command[256];
  Text(path) << "/proc/" << pid << "/cmdline";
  long n = read_text(path, command, sizeof command);
  for (long i = 0; i + 1 < n; ++i)
    if (!command[i]) command[i] = ' ';
  if (n <= 0) {
    Text(path) << "/proc/" << pid << "/comm";
    n = read_text(path, command, sizeof command);
    if (n > 0) command[n - 1] = 0;
  }
  t << (n > 0 ? command : "unknown");
}

/// As a child of vfork has until it becomes another program.
bool has_our_memory(int32_t pid) {
  return sys(__NR_kcmp, sys(__NR_gettid), pid, KCMP_VM, 0, 0) == 0;
}

bool refuse_child(int32_t pid) {
  char object[400];
  Text text(object);
  text << "process " << virtual_id(pid) << " (";
  put_command(text, pid);
  text << ")";
  if (has_our_memory(pid))
    return refuse(
        Error::kUnsupportedProcess, object,
        "it runs in the memory of its parent and is no thread of it (clone with CLONE_VM); the job can be checkpointed once "
        "it has ended or become another program");
  return refuse(Error::kUnsupportedProcess, object,
                "it is a child of the program without libmig.so (static, 32-bit or set-user-id); the job can be "
                "checkpointed once it has ended");
}

int status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return (info.si_status & 0xff) << 8;
  return info.si_status | (has_dumped(virtual_id(info.si_pid), info.si_code == CLD_DUMPED) ? WCOREFLAG : 0);
}

void read_name(int32_t pid, char (&name)[16]) {
  char path[64], text[32];
  Text(path) << "/proc/" << pid << "/comm";
  long n = read_text(path, text, sizeof text);
  for (long i = 0; i + 1 < n && i < 15; ++i) name[i] = text[i];
}

bool save_dead_child(ImageWriter& writer, int32_t pid, const ProcessStat& s) {
  siginfo_t info{};
  if (sys(__NR_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr) < 0 || info.si_pid != pid) return true;
  ChildRecord r{virtual_id(pid), virtual_group(s.pgid), virtual_session(s.sid), status_of(info), s.exit_signal, 0, {}};
  read_name(pid, r.name);
  return writer.record(RecordType::kChild, r);
}

}  // namespace

bool is_of_job(int32_t real) {
  if (real == sys(__NR_getpid) || is_member(real)) return true;
  ProcessStat stat = process_stat(real);
  return stat.state == 'Z' && (stat.ppid == sys(__NR_getpid) || is_member(stat.ppid));
}

bool becomes_member(int32_t child) {
  return !has_our_memory(child) && can_be_covered(child);
}

bool await_children(int64_t deadline) {
  int64_t birth = clock_now(CLOCK_MONOTONIC) + kBirthLimit;
  if (birth < deadline) deadline = birth;
  for (int32_t child; (child = unknown_child());) {
    if (!can_be_covered(child) || clock_now(CLOCK_MONOTONIC) > deadline) {
      if (unknown_child() == child) return refuse_child(child);
    }
    timespec t = to_timespec(kPoll);
    sys(__NR_nanosleep, &t, nullptr);
  }
  return true;
}

bool all_children_covered() {
  int32_t child = unknown_child();
  if (!child || (can_be_covered(child) && !has_our_memory(child))) return true;
  return await_children(clock_now(CLOCK_MONOTONIC) + kLookLimit);
}

bool save_dead_children(ImageWriter& writer) {
  bool ok = true;
  each_child([&](int32_t pid) {
    ProcessStat s = process_stat(pid);
    if (s.state == 'Z') ok = save_dead_child(writer, pid, s);
    return ok;
  });
  return ok || refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

}  // namespace mig
