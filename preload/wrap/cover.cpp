// The environment by which a new program is covered: LD_PRELOAD, and where its job is. All other settings a member takes
// from the job's control block.
//
// A program may clear its environment, or give a child another one. What is missing or differs is then added for the child,
// in a copy, and MIG_ADDED tells which variables were; the constructor in the child takes them out of `environ`
// again, so that a program that prints its environment sees what it was given. It goes by name: a program without the library may
// have stood between and put them in another order.
//
// Called between vfork and exec and in signal handlers: no memory but the caller's, no calls of libc.
#include "preload/wrap/cover.h"

#include <unistd.h>

#include "image/base/text.h"
#include "preload/start.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr const char* kNames[kSettings] = {
    "LD_PRELOAD=", "MIG_NAME=", "MIG_RUN=", "MIG_IMAGES=",      "MIG_SIGNAL=", "MIG_STOP_LIMIT=",
    "MIG_EVERY=",  "MIG_KEEP=", "MIG_CPU=", "XDG_RUNTIME_DIR=", "MIG_ADDED="};
constexpr int kCarried = 3;              ///< the first of them
constexpr unsigned kInFront = 1u << 31;  ///< MIG_ADDED: the library stands before the program's own LD_PRELOAD

/// -1: none of ours.
int setting_of(const char* entry) {
  if (*entry != 'L' && *entry != 'M' && *entry != 'X') return -1;
  for (int i = 0; i < kSettings; ++i)
    if (text_starts(entry, kNames[i])) return i;
  return -1;
}
const char* value_of(const char* entry, int setting) {
  return entry + text_length(kNames[setting]);
}

/// The library is one of the names in a value of LD_PRELOAD.
bool is_preloaded(const char* list) {
  for (const char* at = list; *at;) {
    size_t n = 0;
    while (at[n] && at[n] != ':' && at[n] != ' ') ++n;
    size_t same = 0;
    while (same < n && state.library[same] == at[same]) ++same;
    if (same == n && !state.library[n]) return true;
    at += n;
    while (*at == ':' || *at == ' ') ++at;
  }
  return false;
}

const char* wanted(int setting) {
  if (setting == kPreload) return state.library;
  return setting == kName ? state.job_name : state.run_directory;
}
bool is_right(int setting, const char* value) {
  return setting == kPreload ? is_preloaded(value) : text_equal(value, wanted(setting));
}

struct Scanned {
  size_t count = 0;
  unsigned right = 0;  ///< bits
  unsigned added = 0;  ///< as an earlier MIG_ADDED tells
  const char* preload = nullptr;
};

/// Where a name stands twice, the first one counts for getenv and the last one for the loader: then neither is right.
Scanned scan(char* const environment[]) {
  Scanned s;
  unsigned seen = 0;
  for (; environment && environment[s.count]; ++s.count) {
    const char* entry = environment[s.count];
    int setting = setting_of(entry);
    if (setting == kAdded) s.added = static_cast<unsigned>(Scan(value_of(entry, setting)).number());
    if (setting < 0 || setting >= kCarried) continue;
    unsigned bit = 1u << setting;
    const char* value = value_of(entry, setting);
    if (setting == kPreload) s.preload = value;
    if (is_right(setting, value) && !(seen & bit)) s.right |= bit;
    else s.right &= ~bit;
    seen |= bit;
  }
  return s;
}

constexpr unsigned kAllRight = (1u << kCarried) - 1;

char* put_entry(Text& t, const char* base, int setting, const char* value, const char* rest) {
  size_t at = t.size();
  t << kNames[setting] << value;
  if (rest) t << ":" << rest;
  t.end();
  return const_cast<char*>(base) + at;
}

/// The program's own LD_PRELOAD, in the same memory: what stands behind the library.
char* without_library(char* entry) {
  size_t name = text_length(kNames[kPreload]), skip = text_length(entry + name);
  for (size_t i = name; entry[i]; ++i)
    if (entry[i] == ':') {
      skip = i + 1 - name;
      break;
    }
  for (size_t i = name; i-- > 0;) entry[i + skip] = entry[i];
  return entry + skip;
}

void take_out(unsigned added, const char* const* last) {
  size_t kept = 0;
  for (size_t i = 0; environ[i]; ++i) {
    int setting = setting_of(environ[i]);
    bool ours = setting == kAdded ||
                (setting >= 0 && setting < kCarried && (added >> setting & 1) && value_of(environ[i], setting) == last[setting]);
    if (setting == kPreload && (added & kInFront)) environ[i] = without_library(environ[i]);
    if (!ours) environ[kept++] = environ[i];
  }
  environ[kept] = nullptr;
}

}  // namespace

/// Where a name stands twice, the last one is what was added.
MIG_START SettingTexts take_settings() {
  SettingTexts texts;
  const char* last[kSettings] = {};
  for (char** e = environ; e && *e; ++e) {
    int setting = setting_of(*e);
    if (setting < 0 || !*value_of(*e, setting)) continue;
    last[setting] = value_of(*e, setting);
    if (!texts.value[setting]) texts.value[setting] = last[setting];
  }
  if (!last[kAdded]) return texts;
  auto added = static_cast<unsigned>(Scan(last[kAdded]).number());
  for (int i = 0; i < kCarried; ++i)
    if (added >> i & 1) texts.value[i] = last[i];
  take_out(added, last);
  return texts;
}

MIG_START size_t covering_size(char* const environment[]) {
  if (!state.active) return 0;
  Scanned s = scan(environment);
  if (s.right == kAllRight) return 0;
  size_t size = (s.count + kCarried + 2) * sizeof(char*) + 64;
  for (int i = 0; i < kCarried; ++i) size += text_length(kNames[i]) + text_length(wanted(i)) + 1;
  return size + (s.preload ? text_length(s.preload) + 1 : 0);
}

MIG_START char** cover(char* const environment[], void* memory) {
  Scanned s = scan(environment);
  auto array = static_cast<char**>(memory);
  auto base = reinterpret_cast<char*>(array + s.count + kCarried + 2);
  Text text(base, covering_size(environment) - static_cast<size_t>(base - reinterpret_cast<char*>(array)));
  size_t count = 0;
  unsigned added = s.added;
  for (size_t i = 0; i < s.count; ++i) {
    int setting = setting_of(environment[i]);
    bool replaced = setting == kAdded || (setting == kPreload && !(s.right >> setting & 1));
    if (!replaced) array[count++] = environment[i];
  }
  for (int i = 0; i < kCarried; ++i) {
    if (s.right >> i & 1) continue;
    bool in_front = i == kPreload && s.preload && *s.preload;
    array[count++] = put_entry(text, base, i, wanted(i), in_front ? s.preload : nullptr);
    added |= in_front ? kInFront : 1u << i;
  }
  size_t at = text.size();
  text << kNames[kAdded] << added;
  array[count++] = base + at;
  array[count] = nullptr;
  return array;
}

}  // namespace mig
