// Wrapper: wordexp, in which libc starts a shell with the program's own environment, and waits for it by the kernel's number. That
// would not last through a restart, and libc keeps it to itself: so no checkpoint is taken while a command is executed for it.
//
// Where that environment covers the shell, as it nearly always does, nothing is done. Else `environ` leads to a covering copy
// for the length of the call. Threads that run meanwhile may see the added variables, and one that calls setenv takes
// them over into its own copy, which then stays. The copy is never unmapped, for somebody may still read it; it is made
// anew for the next call in the same place when nobody uses it. A thread cancelled inside the call leaves it in use.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wordexp.h>

#include "preload/start.h"
#include "preload/wrap/exec.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/shell.h"

namespace mig {
namespace {

MIG_ORIGINAL(wordexp);

struct {
  ShellLock lock;
  uint32_t users;
  void* memory;
  size_t size;
  char** own;       ///< the covering copy
  char** replaced;  ///< the program's
} shared{};

bool make_room(size_t size) {
  if (size <= shared.size) return true;
  shared.memory = map_pages(2 * size);
  shared.size = shared.memory ? page_up(2 * size) : 0;
  return shared.memory;
}

/// True: it is counted as a user of the copy.
bool replace_environment() {
  size_t size = covering_size(environ);
  bool in_use = shared.users && environ == shared.own;
  if ((!size && !in_use) || !shared.lock.take()) return false;
  bool ok = in_use || (!shared.users && make_room(size));
  if (ok && !shared.users) {
    shared.replaced = environ;
    environ = shared.own = cover(shared.replaced, shared.memory);
  }
  shared.users += ok;
  shared.lock.release();
  return ok;
}

void put_back_environment() {
  if (!shared.lock.take()) return;
  if (--shared.users == 0) {
    char** own = shared.own;
    __atomic_compare_exchange_n(&environ, &own, shared.replaced, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  }
  shared.lock.release();
}

uint32_t commands;  ///< threads that may be waiting for one

bool has_command(const char* words) {
  for (; *words; ++words)
    if (*words == '`' || (words[0] == '$' && words[1] == '(')) return true;
  return false;
}

}  // namespace

bool in_wordexp() {
  return __atomic_load_n(&commands, __ATOMIC_ACQUIRE) != 0;
}
MIG_START void forget_wordexp() {
  if (commands) commands = 0;
}

}  // namespace mig

using namespace mig;

MIG_EXPORT int wordexp(const char* words, wordexp_t* result, int flags) {
  if ((flags & WRDE_NOCMD) || !has_command(words)) return original_wordexp(words, result, flags);
  __atomic_fetch_add(&commands, 1, __ATOMIC_ACQ_REL);
  bool replaced = replace_environment();
  int r = original_wordexp(words, result, flags);
  if (replaced) put_back_environment();
  __atomic_fetch_sub(&commands, 1, __ATOMIC_ACQ_REL);
  return r;
}
