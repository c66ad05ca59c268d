// Wrappers: changes of user and group ids, which libc spreads over all threads by their numbers (preload/wrap/errand.cpp).
// Before the first restart they are libc's own.
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/ids.h"
#include "preload/wrap/errand.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(setuid);
MIG_ORIGINAL(setgid);
MIG_ORIGINAL(setreuid);
MIG_ORIGINAL(setregid);
MIG_ORIGINAL(setresuid);
MIG_ORIGINAL(setresgid);
MIG_ORIGINAL(setgroups);
MIG_ORIGINAL(initgroups);

constexpr long kSame = -1;
constexpr int kMostGroups = 65536;

int change(long number, long a, long b = 0, long c = 0) {
  return int_with_errno(in_every_thread(number, a, b, c));
}
/// An id argument: (uid_t)-1 leaves it as it is.
long id(unsigned value) {
  return static_cast<int>(value);
}
int not_an_id() {
  errno = EINVAL;
  return -1;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int setuid(uid_t u) noexcept {
  return ids_moved() ? change(__NR_setuid, id(u)) : original_setuid(u);
}
MIG_EXPORT int setgid(gid_t g) noexcept {
  return ids_moved() ? change(__NR_setgid, id(g)) : original_setgid(g);
}
MIG_EXPORT int setreuid(uid_t r, uid_t e) noexcept {
  return ids_moved() ? change(__NR_setreuid, id(r), id(e)) : original_setreuid(r, e);
}
MIG_EXPORT int setregid(gid_t r, gid_t e) noexcept {
  return ids_moved() ? change(__NR_setregid, id(r), id(e)) : original_setregid(r, e);
}
MIG_EXPORT int setresuid(uid_t r, uid_t e, uid_t s) noexcept {
  return ids_moved() ? change(__NR_setresuid, id(r), id(e), id(s)) : original_setresuid(r, e, s);
}
MIG_EXPORT int setresgid(gid_t r, gid_t e, gid_t s) noexcept {
  return ids_moved() ? change(__NR_setresgid, id(r), id(e), id(s)) : original_setresgid(r, e, s);
}
MIG_EXPORT int seteuid(uid_t e) noexcept {
  return e == static_cast<uid_t>(-1) ? not_an_id() : setresuid(static_cast<uid_t>(kSame), e, static_cast<uid_t>(kSame));
}
MIG_EXPORT int setegid(gid_t e) noexcept {
  return e == static_cast<gid_t>(-1) ? not_an_id() : setresgid(static_cast<gid_t>(kSame), e, static_cast<gid_t>(kSame));
}
MIG_EXPORT int setgroups(size_t count, const gid_t* groups) noexcept {
  if (!ids_moved()) return original_setgroups(count, groups);
  return change(__NR_setgroups, static_cast<long>(count), reinterpret_cast<long>(groups));
}
/// libc calls its own setgroups.
MIG_EXPORT int initgroups(const char* user, gid_t group) {
  if (!ids_moved()) return original_initgroups(user, group);
  int count = kMostGroups;
  auto groups = static_cast<gid_t*>(malloc(kMostGroups * sizeof(gid_t)));
  if (!groups) return -1;
  int r = getgrouplist(user, group, groups, &count) < 0 ? not_an_id() : setgroups(static_cast<size_t>(count), groups);
  free(groups);
  return r;
}
