// A seccomp filter cannot be read back by an ordinary user: the checkpoint is refused by name, the program goes on.
// mig-test: refused=MIG0043
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "subject.h"

static void setup(void) {
  struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {1, all};
  EXPECT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) skip("seccomp: %s", strerror(errno));
}
static void verify(void) { EXPECT_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER); }
