// Wrapped functions of libc: how a wrapper is declared, and how it reaches the original.
//
// A wrapper is an ordinary function of the same name, exported with MIG_EXPORT. Its original is found by
// next_symbol() at the first call: other libraries' constructors may call wrappers before ours has run.
#pragma once
#include <stddef.h>

#include "preload/symbols.h"

#define MIG_EXPORT extern "C" __attribute__((visibility("default")))

namespace mig {

/// A name as a template's argument: it stands in the code's memory, so that a start has no pointer to it to relocate.
template <size_t N>
struct HookName {
  constexpr HookName(const char (&name)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = name[i];
  }
  char text[N];
};

template <class Function, HookName kName>
class Hook;

template <class Result, class... Args, HookName kName>
class Hook<Result (*)(Args...), kName> {
 public:
  Result operator()(Args... args) { return get()(args...); }
  /// The original, or nullptr where this libc has none.
  auto get() -> Result (*)(Args...) {
    auto f = __atomic_load_n(&original_, __ATOMIC_RELAXED);
    if (__builtin_expect(!f, 0)) {
      f = reinterpret_cast<Result (*)(Args...)>(next_symbol(kName.text));
      __atomic_store_n(&original_, f, __ATOMIC_RELAXED);
    }
    return f;
  }

 private:
  Result (*original_)(Args...) = nullptr;
};

template <class Result, class... Args, HookName kName>
class Hook<Result (*)(Args...) noexcept, kName> : public Hook<Result (*)(Args...), kName> {};

}  // namespace mig

/// `MIG_ORIGINAL(close);` gives a wrapper of close its original as original_close(...).
#define MIG_ORIGINAL(name) static constinit mig::Hook<decltype(&::name), #name> original_##name
