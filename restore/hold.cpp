#include "restore/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "image/base/file.h"
#include "image/hold.h"
#include "restore/failure.h"
#include "restore/meeting.h"
#include "restore/options.h"

namespace mig {
namespace {

constexpr int kSlice = 100;  ///< milliseconds

bool held = false;

/// Looks after the other processes meanwhile.
bool word_comes() {
  pollfd socket{options.ready_fd, POLLIN, 0};
  long r;
  while ((r = sys(__NR_poll, &socket, 1, kSlice)) == 0 || r == -EINTR) await_others(RebirthStep::kRestored);
  await_others(RebirthStep::kRestored);
  return r > 0;
}

bool may_go() {
  char byte = kHeld;
  if (write_all(options.ready_fd, &byte, 1) < 0 || !word_comes()) return false;
  long n;
  do n = sys(__NR_read, options.ready_fd, &byte, 1);
  while (n == -EINTR);
  return n == 1 && byte == kLetGo;
}

}  // namespace

void hold_on(int fd) {
  held = true;
  options.ready_fd = fd;
  send_messages(fd);
}

void wait_for_go() {
  if (!held) return;
  await_others(RebirthStep::kRestored);
  if (!may_go()) {
    claim_failure(kExitTransport);
    end_restart(kExitTransport);
  }
  if (!options.arrival) return;
  ScopedFd fd(open_path(options.arrival, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!fd.ok()) give_up(Error::kNotWritable, options.arrival, "note that the program goes on here", fd.get());
}

}  // namespace mig
