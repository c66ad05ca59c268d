// A request to a running job, through its control block: claimed by one mig at a time, handed over by a
// signal, watched with a limit at every step, and withdrawn when this mig is interrupted or gives up.
#pragma once
#include <string.h>

#include <functional>
#include <string>

#include "tools/jobs.h"
#include "tools/problem.h"

namespace mig {

constexpr double kSlice = 0.05;  ///< seconds: how often a waiting mig looks around

class Request {
 public:
  /// Claims the job, for one mig at a time; what one that died has asked is taken back. Throws kBusy.
  explicit Request(JobPtr job);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request();

  JobRequest& fields() { return request_; }
  Phase phase() const;
  void set_phase(Phase p);
  /// Tells a job that waits for the outcome (kWritten) that there is none; it goes on.
  void fail(const Problem& p);
  /// Takes the request back if the job has not taken it.
  void withdraw_unanswered();
  bool sent() const { return sent_; }
  /// It waits for the outcome of a move that nobody knows yet.
  bool handed_over() const;

  /// Hands the request over and waits until the job has taken it. Throws when it does not answer.
  void send(uint32_t flags, const std::string& images, const std::string& partial, double limit);

  /// Waits until the phase is at least `wanted` (or kFailed). Throws what the job says, or that it died.
  /// `idle`, in seconds, limits the time without any progress; `tick` is called every `slice`.
  Phase wait_for(Phase wanted, double idle, const std::function<void()>& tick = {}, double slice = kSlice);

  /// The member has ended (killed by someone) while we waited.
  bool member_gone() const;
  /// The whole job has.
  bool job_gone() const { return live_members(*job_).empty(); }
  /// Real pid of the member that is asked, or has taken the request.
  int pid() const { return taker().pid; }

 private:
  void claim();
  void settle_orphan();
  int ask_thread();
  const Member& taker() const;
  void forget_taken();
  void throw_failure();
  void throw_gone();

  JobPtr job_;
  JobRequest& request_;
  Member member_;
  bool sent_ = false;
};

/// A text of the control block.
template <size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

/// Waits until every process of a job that ends has ended, also those of `members`: a member gives its entry back before it has let go
/// of its locks.
void await_end(const JobPtr& job, const std::vector<Member>& members = {});

/// Refuses a job that cannot take a signal now or must not get one: traced, under seccomp. One that has ended meanwhile is not refused.
void check_answerable(const Member& member, const std::string& object);

/// Set by SIGINT, SIGTERM and SIGHUP while a Request lives.
bool interrupted();

}  // namespace mig
