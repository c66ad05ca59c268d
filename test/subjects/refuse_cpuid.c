// CPUID switched off is refused before the library asks for it, which would end the program.
// mig-test: refused=MIG0043
#include "subject.h"

enum { kGetCpuid = 0x1011, kSetCpuid = 0x1012 };

static void setup(void) {
  if (syscall(SYS_arch_prctl, kSetCpuid, 0)) skip("this CPU cannot switch CPUID off: %s", strerror(errno));
}
static void verify(void) { EXPECT_EQ(syscall(SYS_arch_prctl, kGetCpuid, 0), 0); }
