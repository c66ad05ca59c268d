// One checkpoint, from the request to the program's next instruction.
//
//   take the request -> stop the threads -> describe -> save -> (publish) -> release
//
// Everything runs on a stack of ours inside the signal handler of the thread that took the request. The restarted
// process comes out of mig_save_context() a second time: from there on both are the same again.
#include "preload/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "image/base/futex.h"
#include "image/base/text.h"
#include "image/publish.h"
#include "preload/api.h"
#include "preload/check.h"
#include "preload/children.h"
#include "preload/core_notes.h"
#include "preload/extended_state.h"
#include "preload/files.h"
#include "preload/image_writer.h"
#include "preload/job.h"
#include "preload/manifest.h"
#include "preload/memory.h"
#include "preload/process.h"
#include "preload/restarted.h"
#include "preload/room.h"
#include "preload/signals.h"
#include "preload/stop.h"
#include "preload/threads.h"
#include "preload/times.h"

extern "C" int mig_save_context(mig::CallContext*) __attribute__((returns_twice));

namespace mig {
namespace {

bool out_of_memory() {
  return refuse(Error::kPendingLost, "the image's tables", "the kernel gave no memory for them");
}

bool save_threads(ImageWriter& writer) {
  for (uint32_t i = 0; i < load(&state.claimed); ++i)
    if (!writer.record(RecordType::kThread, slot_at(i)->record)) return out_of_memory();
  return save_extended_state(writer) || out_of_memory();
}

/// Everything but the memory. Descriptors that are ours are named by `image_directory`.
bool save_environment(ImageWriter& writer, int image_directory) {
  bool ok = save_process(writer) && save_threads(writer) && save_signals(writer) && save_files(writer, image_directory);
  note_clocks();
  return ok;
}

bool write_process_file(int directory, uint64_t& bytes) {
  char name[32];
  Text(name) << process_vpid() << ".core";
  ImageWriter writer;
  Mappings mappings;
  writer.progress = state.job ? &state.job->request.progress : nullptr;
  if (long r = writer.open(directory, name); r < 0) return refuse_errno(Error::kNotWritable, name, "create", r);
  if (!list_mappings(mappings) || !save_environment(writer, directory) || !save_memory(writer, mappings)) return false;
  if (!add_core_notes(writer, mappings)) return out_of_memory();
  if (long r = writer.finish(); r < 0)
    return refuse_errno(r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? Error::kNoSpace : Error::kWriteFailed, "the image", "write",
                        r);
  bytes = writer.total();
  return true;
}

/// A process that is not dumpable may not open its own /proc/self/mem: dumpable for the length of a scope.
class ScopedDumpable {
 public:
  ScopedDumpable() : was_(sys(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0)) {
    state.dumpable = static_cast<int32_t>(was_);
    if (was_ != 1) sys(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  ~ScopedDumpable() {
    if (was_ != 1) sys(__NR_prctl, PR_SET_DUMPABLE, was_, 0, 0, 0);
  }

 private:
  long was_;
};

/// A write beyond RLIMIT_FSIZE raises SIGXFSZ as well, one to a mig that has ended SIGPIPE; they were ours, not the program's.
void discard_write_signals() {
  if (state.failure.error != Error::kWriteFailed && state.failure.error != Error::kNoSpace) return;
  take_back_signal(SIGXFSZ);
  take_back_signal(SIGPIPE);
}

bool save_image(ImagePlace& place, int64_t began) {
  if (!open_scratch()) return refuse(Error::kPendingLost, "working memory", "the kernel gave none");
  ScopedDumpable dumpable;
  uint64_t bytes = 0;
  bool ok = note_pending_signals() && place_image(place) && write_process_file(place.directory.get(), bytes) &&
            write_manifest(place.directory.get(), bytes, clock_now(CLOCK_MONOTONIC) - began);
  close_scratch();
  if (!ok) discard_write_signals();
  if (ok && state.job) state.job->request.bytes = bytes;
  return ok;
}

bool forbidden() {
  if (!checkpoints_forbidden()) return false;
  refuse(Error::kForbidden, "the program", "it called mig_forbid()");
  return true;
}

}  // namespace

void lead_checkpoint(ucontext_t* frame) {
  int64_t began = clock_now(CLOCK_MONOTONIC);
  state.failure = {};
  Request request = take_request();
  ScopedDescriptorRoom room;
  ImagePlace place;
  bool only_look = request.from_mig && (request.flags & kRequestCheck);
  auto refused = [&] { return !only_look && (forbidden() || refuse_children()); };
  bool ok = room.ok() && !refused() && stop_threads() && !refused();
  bool restarted = false;
  if (ok) {
    ThreadSlot* self = slot_at(0);
    self->frame = frame;
    self->real_tid = state.leader_tid;
    self->blocked = request.blocked;
    describe_thread(self);
    self->record.flags |= kThreadHandler;
    if (!only_look) tell_program(MIG_BEFORE_CHECKPOINT);
    if (!mig_save_context(&self->record.context)) {
      ok = only_look ? write_check() : save_image(place, began);
    } else {
      restarted = true;
      place.directory.release();  // it was open in another life; the number may be the program's soon
      room.release();
      come_back();
    }
    if (!restarted && !only_look) ok = conclude_image(place, request, ok, began);
    return_pending_signals();
    if (!only_look) tell_program(restarted ? MIG_AFTER_RESTART : MIG_AFTER_RESUME);
    resume_thread(self);
  }
  release_threads();
  if (!restarted) report(request, ok, began);
}

}  // namespace mig
