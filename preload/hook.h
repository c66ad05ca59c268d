// Wrapped functions of libc: how a wrapper is declared, and how it reaches the original.
//
// A wrapper is an ordinary function of the same name, exported with MIG_EXPORT. Its original is found by
// next_symbol() at the first call: other libraries' constructors may call wrappers before ours has run.
#pragma once
#include "preload/symbols.h"

#define MIG_EXPORT extern "C" __attribute__((visibility("default")))

namespace mig {

template <class Function>
class Hook;

template <class Result, class... Args>
class Hook<Result (*)(Args...)> {
 public:
  constexpr explicit Hook(const char* name) : name_(name) {}
  Result operator()(Args... args) { return get()(args...); }
  /// The original, or nullptr where this libc has none.
  auto get() -> Result (*)(Args...) {
    auto f = __atomic_load_n(&original_, __ATOMIC_RELAXED);
    if (__builtin_expect(!f, 0)) {
      f = reinterpret_cast<Result (*)(Args...)>(next_symbol(name_));
      __atomic_store_n(&original_, f, __ATOMIC_RELAXED);
    }
    return f;
  }

 private:
  const char* name_;
  Result (*original_)(Args...) = nullptr;
};

template <class Result, class... Args>
class Hook<Result (*)(Args...) noexcept> : public Hook<Result (*)(Args...)> {
 public:
  using Hook<Result (*)(Args...)>::Hook;
};

}  // namespace mig

/// `MIG_ORIGINAL(close);` gives a wrapper of close its original as original_close(...).
#define MIG_ORIGINAL(name) static constinit mig::Hook<decltype(&::name)> original_##name(#name)
