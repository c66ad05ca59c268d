// The library's one constructor: the program becomes migratable before its first instruction.
//
// It runs once per program image (so again after exec), in the first thread, after libc and before main. Whatever
// fails here leaves the program running without mig rather than not running.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/children.h"
#include "preload/hidden_signal.h"
#include "preload/ids.h"
#include "preload/job.h"
#include "preload/period.h"
#include "preload/standard.h"
#include "preload/state.h"
#include "preload/stop.h"
#include "preload/threads.h"
#include "preload/tid_words.h"
#include "preload/vdso.h"

namespace mig {
namespace {

constexpr int64_t kDefaultStopLimit = 10 * kSecond;

long number_from(const char* variable, long otherwise) {
  const char* text = getenv(variable);
  return text && *text ? Scan(text).number() : otherwise;
}

void choose_run_directory() {
  Text path(state.run_directory);
  if (const char* own = getenv("MIG_RUN"); own && *own) path << own;
  else if (const char* xdg = getenv("XDG_RUNTIME_DIR"); xdg && *xdg) path << xdg << "/mig";
  else path << "/tmp/mig-" << sys(__NR_geteuid);
}

void choose_name() {
  Text name(state.job_name);
  if (const char* given = getenv("MIG_NAME"); given && *given && !strchr(given, '/')) {
    name << given;
    return;
  }
  const char* base = strrchr(state.executable, '/');
  name << (base ? base + 1 : "job") << "-" << state.vpid;
}

void choose_images() {
  Text images(state.images);
  char here[PATH_MAX];
  const char* given = getenv("MIG_IMAGES");
  if ((!given || *given != '/') && sys(__NR_getcwd, here, sizeof here) > 0) images << here << "/";
  if (given && *given) images << given;
  else images << state.job_name << ".mig";
}

void note_executable() {
  long n = sys(__NR_readlink, "/proc/self/exe", state.executable, sizeof state.executable - 1);
  state.executable[n > 0 ? n : 0] = 0;
}

__attribute__((constructor)) void enter() {
  if (state.active) return;
  note_own_ids();
  state.signal = static_cast<int>(number_from("MIG_SIGNAL", kDefaultSignal));
  state.stop_limit = number_from("MIG_STOP_LIMIT", 0) * kSecond;
  if (state.stop_limit <= 0) state.stop_limit = kDefaultStopLimit;
  state.period = number_from("MIG_EVERY", 0) * kSecond;
  state.keep = static_cast<uint32_t>(number_from("MIG_KEEP", 0));
  if (const char* level = getenv("MIG_CPU")) text_copy(state.cpu_level, level, sizeof state.cpu_level);
  state.leader_stack = static_cast<char*>(map_pages(kLeaderStack));
  if (!state.leader_stack) return;
  note_executable();
  choose_run_directory();
  choose_name();
  choose_images();
  note_inherited();
  learn_vdso();
  learn_thread_layout();
  learn_tid_word();
  watch_forks();
  install_handler();
  hide_signal(state.signal);
  start_period();
  state.active = true;
  join_job();
}

__attribute__((destructor)) void leave() {
  if (!state.active || !is_own_process()) return;
  give_up_shared_mutexes();
  leave_job();
}

}  // namespace
}  // namespace mig
