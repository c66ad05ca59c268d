// Capability sets, bounding and ambient set, securebits of a root process that gave some away.
// mig-test: root
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "subject.h"

static char before[5][64];
static const char *const names[5] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

static void setup(void) {
  if (getuid()) skip("not root");
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  EXPECT(!prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO));
  EXPECT(!syscall(SYS_capget, &h, d));
  d[0].effective &= ~(1u << CAP_NET_RAW);
  d[0].inheritable = 1u << CAP_CHOWN;
  d[0].permitted &= ~(1u << CAP_NET_ADMIN), d[0].effective &= ~(1u << CAP_NET_ADMIN);
  EXPECT(!syscall(SYS_capset, &h, d));
  EXPECT(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
  EXPECT(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
  EXPECT(!prctl(PR_SET_KEEPCAPS, 1));
  for (int i = 0; i < 5; ++i) snprintf(before[i], 64, "%s", field_of("/proc/self/status", names[i]));
}

int capget(cap_user_header_t header, cap_user_data_t data);
int capset(cap_user_header_t header, const cap_user_data_t data);

/// The calls take the process's number, too.
static void expect_known_by_number(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, getpid()};
  struct __user_cap_data_struct own[2], d[2];
  EXPECT(!syscall(SYS_capget, &h, own));
  EXPECT(!capget(&h, d));
  EXPECT(!memcmp(own, d, sizeof d));
  EXPECT(!capset(&h, d));
  EXPECT(!syscall(SYS_capset, &h, d));
  h.version = 0;
  EXPECT(capget(&h, NULL) == 0 || errno == EINVAL);
  EXPECT_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
}

static void verify(void) {
  for (int i = 0; i < 5; ++i) EXPECT_STR(field_of("/proc/self/status", names[i]), before[i]);
  EXPECT_EQ(prctl(PR_GET_SECUREBITS), SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS);
  expect_known_by_number();
}
