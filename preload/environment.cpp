// The program's environment after a restart. setenv must not be called here (it locks and allocates; a thread may have
// been stopped inside it), so `environ` is pointed at a new array in memory of ours, which getenv and setenv take
// as they take any other.
#include "preload/environment.h"

#include <string.h>
#include <unistd.h>

#include "image/base/text.h"
#include "preload/lasting.h"
#include "preload/state.h"

namespace mig {
namespace {

size_t name_length(const char* entry) {
  size_t n = 0;
  while (entry[n] && entry[n] != '=') ++n;
  return n;
}

bool same_name(const char* a, const char* b) {
  size_t n = name_length(a);
  return n == name_length(b) && memcmp(a, b, n) == 0;
}

}  // namespace

void change_environment() {
  const ResumeInfo& info = state.resume;
  if (!info.environment_size) return;
  size_t count = 0;
  while (environ && environ[count]) ++count;
  size_t room = (count + info.environment_size + 1) * sizeof(char*);
  auto array = static_cast<char**>(map_lasting_pages(room + info.environment_size));
  if (!array) return;
  memcpy(array, environ, count * sizeof(char*));
  auto texts = reinterpret_cast<char*>(array) + room;
  memcpy(texts, info.environment, info.environment_size);
  for (const char* change = texts; change < texts + info.environment_size; change += text_length(change) + 1) {
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i)
      if (!same_name(array[i], change)) array[kept++] = array[i];
    if (strchr(change, '=')) array[kept++] = const_cast<char*>(change);
    array[count = kept] = nullptr;
  }
  environ = array;
}

}  // namespace mig
