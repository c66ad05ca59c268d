// What belongs to the process as a whole: ids, credentials, limits, settings, names.
//
// Memory bounds come from /proc/self/stat (fields 26-28, 45-51, proc(5)): the kernel's own numbers, which
// PR_SET_MM_MAP takes back. The umask is read from /proc/thread-self/status, since umask(2) can only be read by changing it.
#include "preload/save/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "image/base/clock.h"
#include "image/base/procfs.h"
#include "image/base/text.h"
#include "preload/extended_state.h"
#include "preload/ids.h"
#include "preload/job/namespaces.h"
#include "preload/job/sharing.h"
#include "preload/save/membarrier.h"
#include "preload/save/room.h"
#include "preload/save/thread_rights.h"
#include "preload/state.h"
#include "preload/stop/stopped.h"
#include "preload/times.h"
#include "preload/wrap/shell.h"

namespace mig {
namespace {

long setting(int option) {
  long r = sys(__NR_prctl, option, 0, 0, 0, 0);
  return r < 0 ? 0 : r;
}

/// Settings that hold for all memory, and so are made when all of it is in place. Kept in memory, they travel by themselves.
struct MemorySetting {
  int set, get;
  long value;
};
MemorySetting memory_settings[] = {{67, 68, 0} /* PR_SET_MEMORY_MERGE */, {65, 66, 0} /* PR_SET_MDWE */};

long setting_by_pointer(int option) {
  int value = 0;
  sys(__NR_prctl, option, &value, 0, 0, 0);
  return value;
}

long number_in(const char* path) {
  char text[64];
  return read_text(path, text, sizeof text) > 0 ? Scan(text).number() : 0;
}

/// It belongs to the memory, and is shown for the main thread only: once that has ended, the kernel's own setting is assumed.
uint32_t coredump_filter() {
  constexpr uint32_t kDefault = 0x33;
  char text[64];
  return read_text("/proc/self/coredump_filter", text, sizeof text) > 0 ? static_cast<uint32_t>(Scan(text).hex()) : kDefault;
}

MemoryBounds memory_bounds() {
  MemoryBounds b{};
  char text[1024];
  if (read_text("/proc/thread-self/stat", text, sizeof text) <= 0) return b;
  const char* end = text;
  for (const char* p = text; *p; ++p)
    if (*p == ')') end = p;
  Scan scan(end);
  uint64_t field[53] = {};
  scan.after(' ');
  for (int i = 3; i < 53; ++i) {
    field[i] = static_cast<uint64_t>(scan.number());
    scan.after(' ');
  }
  b.start_code = field[26], b.end_code = field[27], b.start_stack = field[28];
  b.start_data = field[45], b.end_data = field[46], b.start_brk = field[47];
  b.arg_start = field[48], b.arg_end = field[49], b.env_start = field[50], b.env_end = field[51];
  b.brk = static_cast<uint64_t>(sys(__NR_brk, 0));
  return b;
}

struct Status {
  uint32_t umask;
  uint64_t inheritable, permitted, effective, bounding, ambient;
  long seccomp;
};

/// Which protection keys the program has allocated: those that cannot be allocated now. Without keys Linux 6.1 refuses the first
/// pkey_alloc of a process for that reason, and the next ones as if all were taken. Changes PKRU of this handler
/// only: the program's own returns with its signal frame.
uint32_t protection_keys() {
  if (!has_protection_keys()) return 0;
  long taken[16];
  int n = 0;
  uint32_t keys = 0xffff;
  while (n < 16 && (taken[n] = sys(__NR_pkey_alloc, 0, 0)) > 0) keys &= ~(1u << taken[n++]);
  if (!n && taken[0] != -ENOSPC) return 0;
  while (n) sys(__NR_pkey_free, taken[--n]);
  return keys;
}

Status read_status() {
  Status s{};
  LineReader<> lines("/proc/thread-self/status");
  while (char* line = lines.next()) {
    auto value = [&](const char* name) { return text_starts(line, name) ? line + text_length(name) : nullptr; };
    if (auto v = value("Umask:")) s.umask = static_cast<uint32_t>(Scan(v).octal());
    else if (auto v = value("CapInh:")) s.inheritable = Scan(v).hex();
    else if (auto v = value("CapPrm:")) s.permitted = Scan(v).hex();
    else if (auto v = value("CapEff:")) s.effective = Scan(v).hex();
    else if (auto v = value("CapBnd:")) s.bounding = Scan(v).hex();
    else if (auto v = value("CapAmb:")) s.ambient = Scan(v).hex();
    else if (auto v = value("Seccomp:")) s.seccomp = Scan(v).number();
  }
  return s;
}

/// Segments of its own are modify_ldt(2)'s, which only emulators of older systems use.
bool has_plain_segments() {
  uint64_t first = 0;
  return sys(__NR_modify_ldt, 0, &first, sizeof first) <= 0 ||
         refuse(Error::kUnsupportedSetting, "the process's segment descriptors (modify_ldt)", "they are not carried");
}

bool save_credentials(ImageWriter& writer, const Status& status) {
  CredentialsRecord c{};
  sys(__NR_getresuid, &c.ruid, &c.euid, &c.suid);
  sys(__NR_getresgid, &c.rgid, &c.egid, &c.sgid);
  c.fsuid = static_cast<uint32_t>(sys(__NR_setfsuid, -1));
  c.fsgid = static_cast<uint32_t>(sys(__NR_setfsgid, -1));
  c.inheritable = status.inheritable, c.permitted = status.permitted, c.effective = status.effective;
  c.bounding = status.bounding, c.ambient = status.ambient;
  c.securebits = static_cast<uint32_t>(setting(PR_GET_SECUREBITS));
  long groups = sys(__NR_getgroups, 0, nullptr);
  auto list = static_cast<uint32_t*>(scratch(static_cast<size_t>(groups + 1) * 4));
  if (!list) return false;
  c.group_count = static_cast<uint32_t>(sys(__NR_getgroups, groups, list));
  return writer.record(RecordType::kCredentials, c, list, size_t{c.group_count} * sizeof *list);
}

bool save_limits(ImageWriter& writer) {
  for (uint32_t i = 0; i < RLIM_NLIMITS; ++i) {
    uint64_t limit[2];
    if (sys(__NR_prlimit64, 0, i, nullptr, limit) < 0) continue;
    if (const uint64_t* noted = noted_descriptor_limit(); noted && i == RLIMIT_NOFILE) limit[0] = noted[0], limit[1] = noted[1];
    if (!writer.record(RecordType::kLimit, LimitRecord{i, 0, limit[0], limit[1]})) return false;
  }
  return true;
}

bool save_text(ImageWriter& writer, TextRole role, const char* text, uint32_t flags = 0) {
  return writer.record(RecordType::kText, TextRecord{role, flags}, text, strlen(text) + 1);
}

bool save_link(ImageWriter& writer, TextRole role, const char* link) {
  char path[4200];
  long n = sys(__NR_readlink, link, path, sizeof path - 1);
  if (n < 0) return true;
  path[n] = 0;
  uint32_t flags = 0;
  if (text_ends(path, " (deleted)")) {
    flags = kTextDeleted;
    path[n - 10] = 0;
  }
  return save_text(writer, role, path, flags);
}

bool save_texts(ImageWriter& writer) {
  utsname names{};
  sys(__NR_uname, &names);
  return save_text(writer, TextRole::kExecutable, state.executable) &&
         save_link(writer, TextRole::kWorkingDirectory, "/proc/thread-self/cwd") &&
         save_text(writer, TextRole::kHost, names.nodename) && save_text(writer, TextRole::kKernel, names.release) &&
         save_text(writer, TextRole::kJob, state.job_name) && save_text(writer, TextRole::kImages, state.images);
}

bool save_auxv(ImageWriter& writer) {
  alignas(8) char auxv[2048];
  long n = read_text("/proc/thread-self/auxv", auxv, sizeof auxv);
  uint64_t none = 0;
  return writer.record(RecordType::kAuxv, none, auxv, n > 0 ? static_cast<size_t>(n) : 0) &&
         writer.note("CORE", NT_AUXV, auxv, n > 0 ? static_cast<size_t>(n) : 0);
}

}  // namespace

bool save_process(ImageWriter& writer) {
  ProcessRecord p{};
  if (!claim_tables(p)) return false;
  Status status = read_status();
  if (status.seccomp)
    return refuse(Error::kUnsupportedSetting, "the process's seccomp filter", "an ordinary user cannot read it back");
  if (state.landlocked)
    return refuse(Error::kUnsupportedSetting, "the process's Landlock rules", "the kernel does not show them");
  if (in_wordexp())
    return refuse(Error::kUnsupportedProcess, "the shell of a wordexp",
                  "libc waits for it by a number that a restart would change");
  if (!threads_are_alike() || !is_in_jobs_namespaces() || !has_plain_segments()) return false;
  p.vpid = process_vpid(), p.vppid = process_vppid();
  p.vpgid = process_vpgid();
  p.vsid = process_vsid();
  p.generation = state.generation;
  p.resume_address = reinterpret_cast<uint64_t>(&state.resume);
  p.resume_size = sizeof state.resume;
  p.job_address = reinterpret_cast<uint64_t>(state.job);
  p.job_size = state.job ? sizeof(Job) : 0;
  p.bounds = memory_bounds();
  save_times(p);
  p.umask = status.umask;
  p.personality = static_cast<uint32_t>(sys(__NR_personality, 0xffffffff));
  p.dumpable = state.dumpable;
  p.no_new_privs = static_cast<int32_t>(setting(PR_GET_NO_NEW_PRIVS));
  p.thp_disable = static_cast<int32_t>(setting(PR_GET_THP_DISABLE));
  p.child_subreaper = static_cast<int32_t>(setting_by_pointer(PR_GET_CHILD_SUBREAPER));
  p.parent_death_signal = static_cast<int32_t>(setting_by_pointer(PR_GET_PDEATHSIG));
  p.keep_capabilities = static_cast<int32_t>(setting(PR_GET_KEEPCAPS));
  p.tsc_mode = static_cast<int32_t>(setting_by_pointer(PR_GET_TSC));
  p.mce_kill = static_cast<int32_t>(setting(PR_MCE_KILL_GET));
  p.oom_score_adj = static_cast<int32_t>(number_in("/proc/self/oom_score_adj"));
  p.coredump_filter = coredump_filter();
  p.membarrier = membarrier_registrations();
  p.protection_keys = protection_keys();
  p.thread_count = state.claimed;
  for (MemorySetting& s : memory_settings) s.value = setting(s.get);
  ProcessStat stat = process_stat(static_cast<int32_t>(sys(__NR_getpid)));
  p.exit_signal = stat.exit_signal ? stat.exit_signal : -1;
  p.terminal = stat.terminal;
  p.foreground = stat.terminal && stat.foreground > 0 ? virtual_group(stat.foreground) : 0;
  p.stopped = own_stop_signal();
  if (writer.record(RecordType::kProcess, p) && save_credentials(writer, status) && save_limits(writer) && save_texts(writer) &&
      save_auxv(writer))
    return true;
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

void renew_memory_settings() {
  for (const MemorySetting& s : memory_settings)
    if (s.value) sys(__NR_prctl, s.set, s.value, 0, 0, 0);
}

}  // namespace mig
