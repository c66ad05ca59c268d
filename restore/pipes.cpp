// Pipes and FIFOs. The first description of a pipe makes it, fills it and opens all the others; an end that nobody had
// any more is closed again, and so the other one sees what it saw.
#include "restore/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/options.h"

namespace mig {
namespace {

bool same_pipe(const PreparedDescription& a, const PreparedDescription& b) {
  return a.record.peer == b.record.peer && a.record.kind == b.record.kind && a.record.device == b.record.device;
}

void write_back(const PreparedDescription& p, int to) {
  each_message(p, [&](const char* data, size_t size) {
    if (sys(__NR_write, to, data, size) != static_cast<long>(size))
      give_up(Error::kResourceFailed, p.path, "its contents do not fit: this user's limit of memory for pipes is smaller here");
  });
}

struct NewPipe {
  explicit NewPipe(const PreparedDescription& p) {
    int fds[2];
    long r = sys(__NR_pipe2, fds, O_CLOEXEC | O_NONBLOCK | (p.record.value[1] ? O_DIRECT : 0));
    if (r < 0) give_up(Error::kResourceFailed, p.path, "make it again", r);
    in = move_aside(p.path, fds[0]), out = move_aside(p.path, fds[1]);
    if (sys(__NR_fcntl, in, F_GETPIPE_SZ) == static_cast<long>(p.record.value[0])) return;
    r = sys(__NR_fcntl, in, F_SETPIPE_SZ, p.record.value[0]);
    if (r < 0) give_up(Error::kNotPermitted, p.path, "give it its capacity", r);
  }
  int in, out;
};

/// The descriptor itself for the first description of an end, then descriptions opened through it.
void give(PreparedDescription& p, int& end, bool& given) {
  if (given) return reopen_through(p, end);
  p.fd = end;
  given = true;
}

}  // namespace

void open_pipe(PreparedDescription& p) {
  NewPipe made(p);
  bool in_given = false, out_given = false;
  for (PreparedDescription& d : all_descriptions())
    if (same_pipe(d, p)) write_back(d, made.out);
  for (PreparedDescription& d : all_descriptions()) {
    if (!same_pipe(d, p)) continue;
    if (access_mode(d) == O_RDONLY) give(d, made.in, in_given);
    else if (access_mode(d) == O_WRONLY) give(d, made.out, out_given);
    else reopen_through(d, made.in);
  }
  if (!in_given) sys(__NR_close, made.in);
  if (!out_given) sys(__NR_close, made.out);
}

void open_fifo(PreparedDescription& p) {
  char buffer[4200];
  const char* path = mapped_path(p.path, buffer, sizeof buffer);
  long both = open_file(path, O_RDWR | O_NONBLOCK);
  if (both == -ENOENT || both == -ENOTDIR) give_up(Error::kFileMissing, path, "open", both);
  p.helper = move_aside(path, both);
  for (PreparedDescription& d : all_descriptions()) {
    if (!same_pipe(d, p)) continue;
    long fd = open_file(path, static_cast<int>((d.record.open_flags & ~(O_ASYNC | O_CREAT | O_EXCL | O_TRUNC)) | O_NONBLOCK));
    if (fd < 0) give_up(Error::kResourceFailed, path, "open", fd);
    set_descriptor(d, fd);
  }
}

/// What was in a FIFO is put back if nobody has kept it.
void finish_fifo(PreparedDescription& p) {
  if (p.helper < 0) return;
  int waiting = 0;
  sys(__NR_ioctl, p.helper, FIONREAD, &waiting);
  if (waiting) return;
  for (PreparedDescription& d : all_descriptions())
    if (same_pipe(d, p)) write_back(d, p.helper);
}

}  // namespace mig
