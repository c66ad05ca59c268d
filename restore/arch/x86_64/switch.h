// What the stub needs in assembler: stacks, threads and the jump into a restored context.
#pragma once
#include "image/records.h"

extern "C" {
[[noreturn]] void mig_call_on(void* stack_top, void (*function)(void*), void* argument);
[[noreturn]] void mig_jump(const mig::CallContext* context);
/// clone(2): the child calls `function(argument)` on the given stack. Returns the tid or a negative error number.
long mig_clone(unsigned long flags, void* stack_top, void (*function)(void*), void* argument);
}
