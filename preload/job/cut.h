// One checkpoint over all members of the job (docs/trees.md): who leads it, and how far everybody is.
//
// Every step returns false when the cut has failed, here or in another member: then cut_over() tells the others, and
// the program goes on as if nothing had been asked.
#pragma once
#include "preload/job/job.h"

namespace mig {

enum class Role { kNone, kLeads, kFollows };

/// In the handler of MIG_SIGNAL, before anything is stopped: what this process is to do. kNone: another
/// member's checkpoint is under way and will come here too; ask again.
Role claim_role(const siginfo_t* info);
/// A signal of a cut that is over, or that this process has taken part in.
bool is_late(const siginfo_t* info);
bool is_cut_signal(const siginfo_t* info);
/// Another member's cut, which writes an image, comes here too.
bool is_saving_soon();
Role role();
/// Besides this process there are others in the cut.
bool in_company();
uint32_t cut_size();
/// For those who wait for the others within a step: false when somebody has failed or is gone; the failure is set.
bool cut_stands();

/// All threads of this process stand still (`ok`), or it failed: stops the other members (leader), or says so and waits until
/// all do. False: the cut is off.
bool all_stopped(bool ok, const Request& request);

/// The leader: where everybody is to write, and that they may begin.
void show_place(const ImagePlace& place);
void begin_saving();
/// The others: there.
bool enter_place(ImagePlace& place);

/// This process cannot be saved: before it leaves the others waiting, who would tell that instead of the cause.
void tell_failure();

/// This process's file of so many bytes is written, or not (`ok`). The leader waits for all files; true: all are there.
bool all_saved(bool ok, uint64_t bytes);

/// Another member, by its index, has written its file.
bool has_saved(uint32_t index);

/// The others: whether this process is to end, once the leader knows what becomes of the image. If the leader is killed meanwhile,
/// one of them finds out in its place: the job may have been handed over to another host.
bool must_end();
/// The leader: the image is published and every other member ends; returns when they have.
void end_members();
/// The leader: the image is written or given up; everybody puts the signals back that it had taken out.
void begin_returning(bool ok);
/// Signals are back in their queues: nobody runs before they are everywhere.
void all_returned();
/// The last word: the next cut may begin.
void leave_cut();

/// What a follower is asked for.
Request followed_request();

/// After a restart: waits until all members, or all others, have come to this step.
void meet(RebirthStep step);
void await_others(RebirthStep step);

}  // namespace mig
