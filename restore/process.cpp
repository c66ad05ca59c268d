// What belongs to the process as a whole: limits, settings, directories, credentials.
//
// Credentials are restored exactly or the restart is refused: a process that had dropped its privilege never gets it
// back. Limits: a soft limit is restored exactly; a hard limit that this host does not grant is capped, since hard limits
// follow from the host's memory (RLIMIT_NPROC, RLIMIT_SIGPENDING) and its administrator.
#include "restore/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "image/base/file.h"
#include "image/base/text.h"
#include "restore/failure.h"
#include "restore/home.h"
#include "restore/image_file.h"
#include "restore/options.h"
#include "restore/sharing.h"

namespace mig {
namespace {

struct CapabilityHeader {
  uint32_t version;
  int32_t pid;
};
struct CapabilityData {
  uint32_t effective, permitted, inheritable;
};

ProcessRecord process_record() {
  ProcessRecord record{};
  image.each_as<ProcessRecord>(RecordType::kProcess, [&](const ProcessRecord& p, const char*) { record = p; });
  return record;
}

CredentialsRecord credentials(const uint32_t** groups) {
  CredentialsRecord record{};
  image.each_as<CredentialsRecord>(RecordType::kCredentials, [&](const CredentialsRecord& c, const char* tail) {
    record = c;
    *groups = reinterpret_cast<const uint32_t*>(tail);
  });
  return record;
}

void get_capabilities(uint64_t& effective, uint64_t& permitted, uint64_t& inheritable) {
  CapabilityHeader h{_LINUX_CAPABILITY_VERSION_3, 0};
  CapabilityData d[2] = {};
  sys(__NR_capget, &h, d);
  effective = d[0].effective | uint64_t{d[1].effective} << 32;
  permitted = d[0].permitted | uint64_t{d[1].permitted} << 32;
  inheritable = d[0].inheritable | uint64_t{d[1].inheritable} << 32;
}

long set_capabilities(const CredentialsRecord& c) {
  CapabilityHeader h{_LINUX_CAPABILITY_VERSION_3, 0};
  auto low = [](uint64_t v) { return static_cast<uint32_t>(v); };
  auto high = [](uint64_t v) { return static_cast<uint32_t>(v >> 32); };
  CapabilityData d[2] = {{low(c.effective), low(c.permitted), low(c.inheritable)},
                         {high(c.effective), high(c.permitted), high(c.inheritable)}};
  return sys(__NR_capset, &h, d);
}

[[noreturn]] void not_permitted(const char* object, const char* cause) {
  give_up(Error::kNotPermitted, object, cause);
}

bool same_ids(const CredentialsRecord& c) {
  uint32_t u[3], g[3];
  sys(__NR_getresuid, &u[0], &u[1], &u[2]);
  sys(__NR_getresgid, &g[0], &g[1], &g[2]);
  return u[0] == c.ruid && u[1] == c.euid && u[2] == c.suid && g[0] == c.rgid && g[1] == c.egid && g[2] == c.sgid;
}

bool same_groups(const CredentialsRecord& c, const uint32_t* groups) {
  long n = sys(__NR_getgroups, 0, nullptr);
  if (n != c.group_count) return false;
  auto now = static_cast<uint32_t*>(home_memory(static_cast<size_t>(n + 1) * 4));
  sys(__NR_getgroups, n, now);
  for (uint32_t g = 0; g < c.group_count; ++g) {
    bool found = false;
    for (long i = 0; i < n; ++i) found = found || now[i] == groups[g];
    if (!found) return false;
  }
  return true;
}

/// A directory that had been removed: made again, entered and removed.
void enter_deleted_directory(const char* path) {
  long made = sys(__NR_mkdirat, AT_FDCWD, path, 0700);
  long r = sys(__NR_chdir, path);
  if (made == 0) sys(__NR_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
  if (r < 0 || made < 0) give_up(Error::kResourceFailed, path, "make the removed working directory again", made < 0 ? made : r);
}

void restore_working_directory() {
  uint32_t flags = 0;
  const char* path = image.text(TextRole::kWorkingDirectory, &flags);
  if (!path) return;
  char buffer[4200];
  path = mapped_path(path, buffer, sizeof buffer);
  if (flags & kTextDeleted) return enter_deleted_directory(path);
  if (long r = sys(__NR_chdir, path); r < 0) give_up(Error::kFileMissing, path, "it is the working directory", r);
}

void write_number(const char* path, long value) {
  char text[32];
  Text t(text);
  t << value;
  write_text(path, t.c_str(), t.size());
}

long read_number(const char* path) {
  char text[32];
  return read_text(path, text, sizeof text) > 0 ? Scan(text).number() : 0;
}

constexpr const char* kOomScore = "/proc/self/oom_score_adj";

[[noreturn]] void refuse_oom_score() {
  not_permitted("the process's oom_score_adj", "only a privileged user may make it so small");
}

void restore_oom_score(int32_t score) {
  if (read_number(kOomScore) != score) write_number(kOomScore, score);
  if (read_number(kOomScore) != score) refuse_oom_score();
}

void write_hex(const char* path, unsigned long value) {
  char text[32];
  Text t(text);
  (t << "0x").hex(value);
  write_text(path, t.c_str(), t.size());
}

void register_membarrier(uint32_t registered) {
  for (uint32_t bit = 1; bit && bit <= registered; bit <<= 1)
    if (registered & bit)
      if (long r = sys(__NR_membarrier, bit, 0, 0); r < 0)
        give_up(Error::kResourceFailed, "the registration for membarrier(2)", "register", r);
}

/// These follow from the memory of the host.
bool is_of_the_host(uint32_t resource) {
  return resource == RLIMIT_NPROC || resource == RLIMIT_SIGPENDING;
}

void restore_limit(const LimitRecord& l) {
  uint64_t now[2], wanted[2] = {l.current, l.maximum};
  sys(__NR_prlimit64, 0, l.resource, nullptr, now);
  if (now[0] == wanted[0] && now[1] == wanted[1]) return;
  if (sys(__NR_prlimit64, 0, l.resource, wanted, nullptr) == 0) return;
  wanted[1] = now[1];
  if (wanted[0] > wanted[1] && is_of_the_host(l.resource)) wanted[0] = wanted[1];
  if (long r = sys(__NR_prlimit64, 0, l.resource, wanted, nullptr); r < 0) {
    char object[64];
    Text(object) << "resource limit " << l.resource << " (soft " << l.current << ")";
    give_up(Error::kNotPermitted, object, "set", r);
  }
}

void restore_ids(const CredentialsRecord& c, const uint32_t* groups) {
  if (!same_groups(c, groups))
    if (long r = sys(__NR_setgroups, c.group_count, groups); r < 0)
      give_up(Error::kNotPermitted, "the supplementary groups", "set", r);
  for (unsigned i = 0; i < 64; ++i)
    if (!(c.bounding >> i & 1) && sys(__NR_prctl, PR_CAPBSET_READ, i, 0, 0, 0) == 1)
      if (long r = sys(__NR_prctl, PR_CAPBSET_DROP, i, 0, 0, 0); r < 0)
        give_up(Error::kNotPermitted, "the capability bounding set", "drop a capability", r);
  if (same_ids(c)) return;
  sys(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (long r = sys(__NR_setresgid, c.rgid, c.egid, c.sgid); r < 0) give_up(Error::kNotPermitted, "the group ids", "set", r);
  if (long r = sys(__NR_setresuid, c.ruid, c.euid, c.suid); r < 0) give_up(Error::kNotPermitted, "the user ids", "set", r);
}

void restore_capabilities(const CredentialsRecord& c) {
  uint64_t effective, permitted, inheritable;
  get_capabilities(effective, permitted, inheritable);
  if (effective == c.effective && permitted == c.permitted && inheritable == c.inheritable) return;
  if (long r = set_capabilities(c); r < 0) give_up(Error::kNotPermitted, "the capabilities", "set", r);
}

void restore_ambient(const CredentialsRecord& c) {
  for (unsigned i = 0; i < 64; ++i) {
    bool wanted = c.ambient >> i & 1;
    bool now = sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1;
    if (wanted != now) sys(__NR_prctl, PR_CAP_AMBIENT, wanted ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, i, 0, 0);
  }
}

// What restore_process() and drop_to_process() would find out too late to change nothing.

void check_limit(const LimitRecord& l) {
  uint64_t now[2];
  sys(__NR_prlimit64, 0, l.resource, nullptr, now);
  if (l.current <= now[1] || is_of_the_host(l.resource)) return;
  char object[64];
  Text(object) << "resource limit " << l.resource << " (soft " << l.current << ")";
  not_permitted(object, "the hard limit here is lower");
}

/// The smallest score that the process may have without privilege is not told: it is the one that it was last given with it.
void check_oom_score(int32_t score) {
  int32_t now = static_cast<int32_t>(read_number(kOomScore));
  if (now == score) return;
  write_number(kOomScore, score);
  bool granted = read_number(kOomScore) == score;
  write_number(kOomScore, now);
  if (!granted) refuse_oom_score();
}

void check_security(const CredentialsRecord& c) {
  for (unsigned i = 0; i < 64; ++i)
    if (!(c.bounding >> i & 1) && sys(__NR_prctl, PR_CAPBSET_READ, i, 0, 0, 0) == 1)
      not_permitted("the capability bounding set", "only a privileged user may drop a capability from it");
  if (c.securebits && sys(__NR_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0) != c.securebits)
    not_permitted("the securebits", "only a privileged user may set them");
}

}  // namespace

void check_process() {
  const uint32_t* groups = nullptr;
  CredentialsRecord c = credentials(&groups);
  uint64_t effective, permitted, inheritable;
  get_capabilities(effective, permitted, inheritable);
  if (c.permitted & ~permitted) not_permitted("the process's capabilities", "it had some that the restarting user has not");
  if (!(effective >> CAP_SYS_RESOURCE & 1)) {
    image.each_as<LimitRecord>(RecordType::kLimit, [](const LimitRecord& l, const char*) { check_limit(l); });
    check_oom_score(process_record().oom_score_adj);
  }
  if (!(effective >> CAP_SETPCAP & 1)) check_security(c);
  bool may_set_ids = effective >> CAP_SETUID & effective >> CAP_SETGID & 1;
  if (may_set_ids) return;
  if (!same_ids(c)) not_permitted("the process's user and group ids", "they are not those of the restarting user");
  if (!same_groups(c, groups)) not_permitted("the process's supplementary groups", "they are not those of the restarting user");
}

void restore_process() {
  ProcessRecord p = process_record();
  if (keeps_directory()) {
    restore_working_directory();
    sys(__NR_umask, p.umask);
  }
  sys(__NR_personality, p.personality);
  if (p.thp_disable) sys(__NR_prctl, PR_SET_THP_DISABLE, p.thp_disable, 0, 0, 0);
  if (p.tsc_mode > 1) sys(__NR_prctl, PR_SET_TSC, p.tsc_mode, 0, 0, 0);
  register_membarrier(p.membarrier);
  restore_oom_score(p.oom_score_adj);
  write_hex("/proc/self/coredump_filter", p.coredump_filter);
}

/// A change of ids clears the parent-death signal and makes a process undumpable, so those two come last.
void drop_to_process() {
  image.each_as<LimitRecord>(RecordType::kLimit, [](const LimitRecord& l, const char*) { restore_limit(l); });
  const uint32_t* groups = nullptr;
  CredentialsRecord c = credentials(&groups);
  ProcessRecord p = process_record();
  restore_ids(c, groups);
  if (c.securebits && sys(__NR_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0) != c.securebits)
    if (long r = sys(__NR_prctl, PR_SET_SECUREBITS, c.securebits, 0, 0, 0); r < 0)
      give_up(Error::kNotPermitted, "the securebits", "set", r);
  restore_capabilities(c);
  restore_ambient(c);
  sys(__NR_setfsuid, c.fsuid);
  sys(__NR_setfsgid, c.fsgid);
  sys(__NR_prctl, PR_SET_KEEPCAPS, p.keep_capabilities, 0, 0, 0);
  if (p.no_new_privs) sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (p.parent_death_signal) sys(__NR_prctl, PR_SET_PDEATHSIG, p.parent_death_signal, 0, 0, 0);
  sys(__NR_prctl, PR_SET_DUMPABLE, p.dumpable == 1, 0, 0, 0);
}

}  // namespace mig
