// Segments of a program's own (modify_ldt(2)) are refused by name; it goes on.
// mig-test: refused=MIG0043
#include <asm/ldt.h>

#include "subject.h"

static const struct user_desc segment = {.entry_number = 1, .base_addr = 0x1000, .limit = 0xfff, .seg_32bit = 1, .useable = 1};

static void setup(void) {
  if (syscall(SYS_modify_ldt, 1, &segment, sizeof segment)) skip("this kernel has no modify_ldt");
}
static void verify(void) {
  uint64_t entries[2] = {0};
  EXPECT(syscall(SYS_modify_ldt, 0, entries, sizeof entries) >= (long)sizeof entries && entries[1]);
}
