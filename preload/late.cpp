// What is learnt only when the first checkpoint comes: most processes end without one, and the start of a program should cost
// next to nothing.
//
// An executable that was removed meanwhile is known by the name that it had.
#include "preload/late.h"

#include "image/base/text.h"
#include "preload/job/standard.h"
#include "preload/save/threads.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr char kDeleted[] = " (deleted)";

void learn_executable() {
  if (state.executable[0]) return;
  note_executable();
  char* name = state.executable;
  if (text_ends(name, kDeleted) && sys(__NR_access, name, 0) < 0) name[text_length(name) - (sizeof kDeleted - 1)] = 0;
}

}  // namespace

void learn_settings() {
  if (!state.job || state.images[0]) return;
  const Settings& settings = state.job->settings;
  text_copy(state.images, state.job->images, sizeof state.images);
  text_copy(state.cpu_level, settings.cpu_level, sizeof state.cpu_level);
  state.stop_limit = settings.stop_limit;
  state.keep = state.job->keep;
  adopt_outside(settings.outside);
}

void note_executable() {
  long n = sys(__NR_readlink, "/proc/thread-self/exe", state.executable, sizeof state.executable - 1);
  state.executable[n > 0 ? n : 0] = 0;
}

void learn_late() {
  if (state.late) return;
  state.late = true;
  learn_executable();
  learn_settings();
  learn_thread_layout();
}

}  // namespace mig
