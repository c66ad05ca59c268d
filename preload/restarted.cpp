// The first steps of a restarted process, while its other threads still wait: what the library itself must learn or
// set anew because host, kernel and ids have changed.
#include "preload/restarted.h"

#include <errno.h>
#include <signal.h>

#include "image/base/futex.h"
#include "image/base/text.h"
#include "image/hold.h"
#include "preload/environment.h"
#include "preload/ids.h"
#include "preload/job/cut.h"
#include "preload/job/job.h"
#include "preload/job/standard.h"
#include "preload/save/process.h"
#include "preload/save/threads.h"
#include "preload/state.h"
#include "preload/stop/period.h"
#include "preload/stop/stop.h"
#include "preload/stop/stopped.h"
#include "preload/tid_words.h"
#include "preload/times.h"
#include "preload/vdso.h"
#include "preload/wrap/handlers.h"
#include "preload/wrap/pi_mutexes.h"
#include "preload/wrap/signalfd_reads.h"

namespace mig {

namespace {

/// Every thread has left the stub's memory once it waits in ours.
void wait_for_threads() {
  uint32_t others = 0;
  for (uint32_t i = 1; i < load(&state.claimed); ++i) others += !slot_at(i)->dead;
  for (uint32_t n; (n = load(&state.returned)) < others;) futex_wait(&state.returned, n, kSecond);
}

/// Whoever waits for the restart learns that the job can be found, and that it runs: nobody does before this is said.
void say_ready() {
  int fd = state.resume.ready_fd;
  if (fd < 0) return;
  await_others(RebirthStep::kKnown);
  char byte = kRuns;
  if (write_all(fd, &byte, 1) == -EPIPE) take_back_signal(SIGPIPE);
  sys(__NR_close, fd);
}

}  // namespace

void come_back() {
  ++state.generation;
  text_copy(state.job_name, state.resume.job, sizeof state.job_name);
  text_copy(state.run_directory, state.resume.directory, sizeof state.run_directory);
  rejoin_job();
  learn_real_ids();
  continue_times();
  adopt_vdso(state.resume.vdso);
  install_handler();
  start_period();
  expect_threads();
  thread_came_back(slot_at(0));
  wait_for_threads();
  renew_pi_mutexes();
  unmap_pages(reinterpret_cast<void*>(state.resume.home), state.resume.home_size);
  note_inherited_again();
  change_environment();
  renew_memory_settings();
}

void begin_life() {
  announce_stop();
  say_ready();
  meet(RebirthStep::kKnown);
  use_id_space();
  translate_handlers();
  translate_signalfds();
}

}  // namespace mig
