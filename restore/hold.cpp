#include "restore/hold.h"

#include <fcntl.h>

#include "image/base/file.h"
#include "image/hold.h"
#include "restore/failure.h"
#include "restore/job.h"
#include "restore/options.h"

namespace mig {
namespace {

bool held = false;

bool may_go() {
  char byte = kHeld;
  if (write_all(options.ready_fd, &byte, 1) < 0) return false;
  long n;
  do n = sys(__NR_read, options.ready_fd, &byte, 1);
  while (n == -EINTR);
  return n == 1 && byte == kLetGo;
}

}  // namespace

void hold_on(int fd) {
  held = true;
  options.ready_fd = message_fd = fd;
}

void follow_holder() {
  if (held) message_fd = options.ready_fd;
}

void wait_for_go() {
  if (!held) return;
  if (!may_go()) {
    remove_job();
    for (;;) sys(__NR_exit_group, kExitTransport);
  }
  if (!options.arrival) return;
  ScopedFd fd(open_path(options.arrival, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!fd.ok()) give_up(Error::kNotWritable, options.arrival, "note that the program goes on here", fd.get());
}

}  // namespace mig
