// Wrapper: wordexp, in which libc starts a shell with the program's own environment.
//
// Where that environment covers the shell, as it nearly always does, nothing is done. Else `environ` leads to a covering copy
// for the length of the call. Threads that run meanwhile may see the added variables, and one that calls setenv takes
// them over into its own copy, which then stays. The copy is never unmapped, for somebody may still read it; it is made
// anew for the next call in the same place when nobody uses it. A thread cancelled inside the call leaves it in use.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wordexp.h>

#include "preload/exec.h"
#include "preload/hook.h"
#include "preload/state.h"

namespace mig {
namespace {

MIG_ORIGINAL(wordexp);

struct {
  uint32_t lock;
  uint32_t users;
  void* memory;
  size_t size;
  char** own;       ///< the covering copy
  char** replaced;  ///< the program's
} shared;

constexpr int kTries = 100000;  ///< a child of fork may find the lock held by a thread that it does not have

bool lock() {
  for (int i = 0; i < kTries; ++i) {
    if (!__atomic_exchange_n(&shared.lock, 1, __ATOMIC_ACQUIRE)) return true;
    sys(__NR_sched_yield);
  }
  return false;
}
void unlock() {
  __atomic_store_n(&shared.lock, 0, __ATOMIC_RELEASE);
}

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
  if ((!size && !in_use) || !lock()) return false;
  bool ok = in_use || (!shared.users && make_room(size));
  if (ok && !shared.users) {
    shared.replaced = environ;
    environ = shared.own = cover(shared.replaced, shared.memory);
  }
  shared.users += ok;
  unlock();
  return ok;
}

void put_back_environment() {
  if (!lock()) return;
  if (--shared.users == 0) {
    char** own = shared.own;
    __atomic_compare_exchange_n(&environ, &own, shared.replaced, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  }
  unlock();
}

template <class Call>
auto with_covered_environ(Call call) {
  bool replaced = replace_environment();
  auto result = call();
  if (replaced) put_back_environment();
  return result;
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int wordexp(const char* words, wordexp_t* result, int flags) {
  return with_covered_environ([&] { return original_wordexp(words, result, flags); });
}
