// The library's one constructor: the program becomes migratable before its first instruction.
//
// It runs once per program image (so again after exec), in the first thread, after libc and before main. Whatever
// fails here leaves the program running without mig rather than not running.
#include <limits.h>
#include <string.h>

#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/job/job.h"
#include "preload/job/standard.h"
#include "preload/late.h"
#include "preload/start.h"
#include "preload/state.h"
#include "preload/stop/period.h"
#include "preload/stop/stop.h"
#include "preload/symbols.h"
#include "preload/tid_words.h"
#include "preload/vdso.h"
#include "preload/wrap/confined.h"
#include "preload/wrap/cover.h"
#include "preload/wrap/hidden_signal.h"

namespace mig {
namespace {

constexpr int64_t kDefaultStopLimit = 10 * kSecond;

MIG_START long number_from(const char* text, long otherwise) {
  return text ? Scan(text).number() : otherwise;
}

/// The path as it is from anywhere.
MIG_START void put_absolute(Text& t, const char* path) {
  char here[PATH_MAX];
  if (*path != '/' && sys(__NR_getcwd, here, sizeof here) > 0) t << here << "/";
  t << path;
}

MIG_START void choose_run_directory(const SettingTexts& texts) {
  Text path(state.run_directory);
  if (texts.value[kRun]) put_absolute(path, texts.value[kRun]);
  else if (texts.value[kXdg]) put_absolute(path, texts.value[kXdg]), path << "/mig";
  else path << "/tmp/mig-" << sys(__NR_geteuid);
}

MIG_START void choose_name(const SettingTexts& texts) {
  Text name(state.job_name);
  if (const char* given = texts.value[kName]; given && !text_find(given, "/")) {
    name << given;
    return;
  }
  note_executable();
  const char* base = strrchr(state.executable, '/');
  name << (base ? base + 1 : "job") << "-" << state.vpid;
}

void choose_images(const SettingTexts& texts) {
  Text images(state.images);
  char fallback[sizeof state.job_name + 4];
  Text(fallback) << state.job_name << ".mig";
  put_absolute(images, texts.value[kImages] ? texts.value[kImages] : fallback);
}

/// What only the job's first program chooses.
void choose_settings(const SettingTexts& texts) {
  state.signal = static_cast<int>(number_from(texts.value[kSignal], kDefaultSignal));
  state.stop_limit = number_from(texts.value[kStopLimit], 0) * kSecond;
  if (state.stop_limit <= 0) state.stop_limit = kDefaultStopLimit;
  state.period = number_from(texts.value[kEvery], 0) * kSecond;
  state.keep = static_cast<uint32_t>(number_from(texts.value[kKeep], 0));
  if (texts.value[kCpu]) text_copy(state.cpu_level, texts.value[kCpu], sizeof state.cpu_level);
  choose_images(texts);
  note_inherited();
}

MIG_START void adopt_settings() {
  state.signal = state.job->signal;
  state.period = state.job->settings.period;
  note_standard_streams();
}

MIG_START void choose_library() {
  static char absolute[PATH_MAX];
  state.library = own_path();
  if (*state.library == '/') return;
  Text path(absolute);
  put_absolute(path, state.library);
  state.library = absolute;
}

__attribute__((constructor)) MIG_START void enter() {
  if (state.active) return;
  SettingTexts texts = take_settings();
  note_own_ids();
  choose_library();
  choose_run_directory(texts);
  choose_name(texts);
  learn_vdso();
  learn_tid_word();
  if (find_job()) adopt_settings();
  else choose_settings(texts);
  install_handler();
  hide_signal(state.signal);
  start_period();
  state.active = true;
  join_job();
}

__attribute__((destructor)) MIG_START void leave() {
  if (!state.active || is_confined() || !is_own_process()) return;
  give_up_shared_mutexes();
  leave_job_at_end();
}

}  // namespace
}  // namespace mig
