// `mig check`: what a checkpoint would make of this process, without making one.
//
// The same code looks that would save, with the threads stopped; only nothing is read out of pipes and files, and
// nothing is written but VPID.check. Verdicts: ok; carried, its contents travel in the image; degraded, it comes back
// but not as it was; blocked, a checkpoint is refused.
#include "preload/stop/check.h"

#include <errno.h>
#include <string.h>

#include "image/base/futex.h"
#include "image/base/text.h"
#include "preload/api.h"
#include "preload/job/cut.h"
#include "preload/job/job.h"
#include "preload/job/offspring.h"
#include "preload/save/async_contexts.h"
#include "preload/save/files.h"
#include "preload/save/memory.h"
#include "preload/save/process.h"

namespace mig {
namespace {

class Findings {
 public:
  void add(const char* verdict, const char* object, const char* reason) {
    put(verdict, '\t');
    put(object, '\t');
    put(reason, '\n');
  }
  /// What the last step refused; its message begins with the object.
  void add_failure() {
    char object[sizeof state.failure.message];
    text_copy(object, state.failure.message, sizeof object);
    const char* reason = "";
    for (char* p = object; *p; ++p)
      if (text_starts(p, ": ")) {
        *p = 0;
        reason = p + 2;
        break;
      }
    add("blocked", object, reason);
    state.failure = {};
  }
  bool complete() const { return complete_; }
  long write(int directory) {
    char name[48];
    Text(name) << process_vpid() << ".check";
    ScopedFd fd(open_at(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    return fd.ok() ? write_all(fd.get(), text_.begin(), text_.size()) : fd.get();
  }

 private:
  void put(const char* s, char end) {
    size_t n = strlen(s);
    char* at = text_.add(n + 1);
    complete_ = complete_ && at;
    if (!at) return;
    for (size_t i = 0; i < n; ++i) at[i] = s[i] == '\t' || s[i] == '\n' ? ' ' : s[i];
    at[n] = end;
  }
  ScratchArray<char> text_;
  bool complete_ = true;
};

void tell(void* to, const char* verdict, const char* object, const char* reason) {
  static_cast<Findings*>(to)->add(verdict, object, reason);
}

void check_mappings(Findings& findings, const Mappings& mappings) {
  uint64_t resident = 0;
  for (const Mapping& m : mappings) {
    resident += m.resident;
    const char* problem = mapping_problem(m);
    if (!problem) continue;
    char object[4300];
    Text t(object);
    (t << "mapping at 0x").hex(m.record.start) << " (" << (m.path[0] ? m.path : "anonymous") << ")";
    findings.add("blocked", object, problem);
  }
  char object[64];
  Text(object) << mappings.size() << " mappings, " << (resident >> 10) << " KiB";
  findings.add("carried", object, "memory travels in the image");
}

void check_threads(Findings& findings) {
  char object[64];
  uint32_t n = load(&state.claimed);
  Text(object) << n << (n == 1 ? " thread" : " threads");
  findings.add("ok", object, "");
}

}  // namespace

bool write_check(int directory) {
  Findings findings;
  ImageWriter writer;
  if (checkpoints_forbidden()) findings.add("blocked", "the program", "it called mig_forbid()");
  if (!all_children_covered()) findings.add_failure();
  if (!rest_async_contexts()) findings.add_failure();
  if (!save_process(writer)) findings.add_failure();
  check_threads(findings);
  Mappings mappings;
  if (list_mappings(mappings)) check_mappings(findings, mappings);
  else findings.add_failure();
  if (!check_files(writer, mappings, directory, tell, &findings)) findings.add_failure();
  long r = findings.complete() ? findings.write(directory) : -ENOMEM;
  return r >= 0 || refuse_errno(Error::kNotWritable, "the findings", "write", r);
}

}  // namespace mig
