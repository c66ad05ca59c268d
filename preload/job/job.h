// The job's control block and the place where its images go.
#pragma once
#include "image/base/file.h"
#include "preload/state.h"

namespace mig {

/// Where an image is being written.
struct ImagePlace {
  char images[4096];
  char partial[4160];
  char final_path[4160];
  ScopedFd directory;  ///< of `partial`
};

/// What was asked for, and by whom.
struct Request {
  bool from_mig;  ///< somebody waits on the control block
  uint32_t flags;
  BlockedCall blocked;  ///< of the thread that took the signal, if mig saw it
};

/// Maps the file of the job if it lives. True: this process is to be, or already is, a member of it.
bool find_job();
/// Enters this process, once it has its handlers; makes the job if none was found. A failure leaves `state.job` null: the
/// program runs and can still be checkpointed by signal.
void join_job();
/// After a restart: the file that the stub has made.
void rejoin_job();
/// A thread has restricted itself by Landlock, for ever: nothing shows that later, nor can it be made anew.
void note_landlock();
/// Before a fork, and after one that has failed: until the child has entered, the entry of its parent stands for it.
void expect_child();
void forget_expected_child();
/// In the child of a fork, with its parent's real pid: a member of its own.
void job_of_child(int32_t parent);
/// Removes this process's entry; the last one removes the file.
void leave_job();
/// The same by a process that ends. If a child of it has not entered yet, the entry stays until that has.
void leave_job_at_end();
/// The opposite: the process stays after all.
void return_to_job();

Request take_request();
/// Makes the partial directory IMAGES/.N.partial-PID.
bool place_image(ImagePlace& place, const Request& request);
/// mig publishes after the program runs again; with kRequestKill the program waits, stopped, for the outcome. Once it was
/// handed over it may run elsewhere: then it waits until some mig knows. False: it goes on here.
bool wait_for_publication();
/// Publishes the image or lets mig do it; removes the partial one on failure. With kRequestKill does not return.
bool conclude_image(ImagePlace& place, const Request& request, bool ok, int64_t began);
/// The member that had led a checkpoint (its index plus 1) is dead: its request fails, and what was written goes, unless it is
/// complete and mig has it already.
void abandon_image(uint32_t leader, const char* partial);
/// Leaves the job and ends, by SIGKILL.
[[noreturn]] void end_process();
/// Tells mig how it ended.
void report(const Request& request, bool ok, int64_t began);

}  // namespace mig
