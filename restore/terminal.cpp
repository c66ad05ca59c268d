// Terminals: the restart's own in place of the one that the program had, and pseudo-terminals.
//
// A pair of the job's own gets its number again where that is free, so that its slave's name stays.
//
// Without any terminal the program gets one that was hung up: it is a terminal, reading it ends at once, writing fails.
// Settings go to a terminal only where this process is in its foreground: in the background it is somebody else's.
#include "restore/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "image/pty.h"
#include "restore/failure.h"
#include "restore/image_file.h"
#include "restore/job.h"
#include "restore/meeting.h"

namespace mig {
namespace {

constexpr int kMaxLower =
    64;  ///< terminals held while the kernel, which gives out the lowest free number, comes to the wanted one

bool is_terminal(int fd) {
  char settings[64];
  return sys(__NR_ioctl, fd, kGetTerminal, settings) == 0;
}

long open_master() {
  long master = open_path("/dev/ptmx", O_RDWR | O_NOCTTY);
  int unlock = 0;
  if (master >= 0) sys(__NR_ioctl, master, TIOCSPTLCK, &unlock);
  return master;
}

long open_slave(int master, uint32_t flags) {
  return sys(__NR_ioctl, master, 0x5441 /* TIOCGPTPEER */, (flags & (3u | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);
}

long open_hung_up(uint32_t flags) {
  ScopedFd master(open_master());
  return master.ok() ? open_slave(master.get(), flags) : open_path("/dev/null", O_RDWR);
}

bool is_master(const PreparedDescription& p) {
  return p.record.value[0];
}

/// The slave of a pair of the job, or -1.
int find_slave(int32_t device) {
  for (const PreparedDescription& p : all_descriptions())
    if (kind_of(p) == DescriptionKind::kPseudoTerminal && !is_master(p) && p.record.rdev == static_cast<uint64_t>(device))
      return p.fd;
  return -1;
}

bool is_wanted(uint32_t number) {
  for (const PreparedDescription& p : all_descriptions())
    if (kind_of(p) == DescriptionKind::kPseudoTerminal && p.record.peer == number) return true;
  return false;
}

/// A master whose slave has the number that the program knows it by. If that is taken, one that no other pair of the job has.
long open_master_of(uint64_t wanted) {
  ScopedFd lower[kMaxLower];
  for (ScopedFd& held : lower) {
    ScopedFd master(open_master());
    uint32_t number = 0;
    if (!master.ok()) break;
    sys(__NR_ioctl, master.get(), TIOCGPTN, &number);
    if (number == wanted || (number > wanted && !is_wanted(number))) return master.release();
    held.reset(master.release());
  }
  for (ScopedFd& held : lower) held.reset();
  return open_master();
}

void set_foreground(int terminal, int32_t group) {
  if (int32_t real = real_group(group)) sys(__NR_ioctl, terminal, TIOCSPGRP, &real);
}

/// On the terminal of the restart only where this process is in the foreground itself.
void set_foreground_outside(int32_t group) {
  ScopedFd terminal(open_path("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK));
  int32_t now = 0;
  if (!terminal.ok() || sys(__NR_ioctl, terminal.get(), TIOCGPGRP, &now) < 0 || now != sys(__NR_getpgid, 0)) return;
  set_foreground(terminal.get(), group);
}

}  // namespace

void take_terminal(int32_t device) {
  int slave = device ? find_slave(device) : -1;
  if (slave >= 0) sys(__NR_ioctl, slave, TIOCSCTTY, 0);
}

void restore_foreground() {
  image.each_as<ProcessRecord>(RecordType::kProcess, [](const ProcessRecord& p, const char*) {
    int slave = p.terminal && p.vsid == p.vpid ? find_slave(p.terminal) : -1;
    if (slave >= 0) {
      take_terminal(p.terminal);
      set_foreground(slave, p.foreground);
    } else if (p.terminal && is_first_process()) {
      set_foreground_outside(p.foreground);
    }
  });
}

void open_terminal(PreparedDescription& p) {
  int flags = static_cast<int>(p.record.open_flags & (3u | O_NONBLOCK)) | O_NOCTTY;
  for (int fd = 0; fd < 3; ++fd)
    if (p.record.rdev != 0x500 && is_terminal(fd)) {
      DescriptorPath path(fd);
      return set_descriptor(p, open_path(path.text, flags));
    }
  long fd = open_path("/dev/tty", flags);
  set_descriptor(p, fd >= 0 ? fd : open_hung_up(p.record.open_flags));
}

void open_pseudo_terminal(PreparedDescription& p) {
  long master = open_master_of(p.record.peer);
  if (master < 0) give_up(Error::kResourceFailed, "/dev/ptmx", "open", master);
  int aside = move_aside("/dev/ptmx", master);
  for (PreparedDescription& d : all_descriptions())
    if (kind_of(d) == DescriptionKind::kPseudoTerminal && d.record.peer == p.record.peer) {
      if (is_master(d)) d.fd = aside;
      else set_descriptor(d, open_slave(aside, d.record.open_flags));
    }
}

void finish_terminal(PreparedDescription& p) {
  each_extra<TerminalRecord>(p, RecordType::kTerminal, [&](const TerminalRecord& t, const char*, size_t) {
    if (!is_terminal(p.fd)) return;
    uint16_t wanted[4] = {t.rows, t.columns, t.x_pixels, t.y_pixels}, now[4] = {};
    sys(__NR_ioctl, p.fd, TIOCGWINSZ, now);
    bool own = kind_of(p) == DescriptionKind::kPseudoTerminal;
    if (own) sys(__NR_ioctl, p.fd, TIOCSWINSZ, wanted);
    else if (now[0] != wanted[0] || now[1] != wanted[1]) sys(__NR_kill, sys(__NR_getpid), SIGWINCH);
    int32_t group = 0;
    bool foreground = sys(__NR_ioctl, p.fd, TIOCGPGRP, &group) == 0 && group == sys(__NR_getpgid, 0);
    if (own || foreground) sys(__NR_ioctl, p.fd, kSetTerminal, t.termios);
  });
}

void refill_pseudo_terminal(PreparedDescription& p, int fd) {
  if (!is_master(p)) return;
  const uint64_t* v = p.record.value;
  auto byte = [&](int i) { return static_cast<uint8_t>(v[6] >> 8 * i); };
  PtyQueues q{nullptr, v[3], nullptr, v[4], {byte(0), byte(1), byte(2)}, static_cast<PtyFlow>(v[5])};
  each_extra<ContentsRecord>(p, RecordType::kContents, [&](const ContentsRecord&, const char* tail, size_t) {
    (q.output_size && !q.output ? q.output : q.input) = tail;
  });
  bool waiting = q.output_size || q.input_size || q.flow != PtyFlow::kRuns, hung_up = v[2];
  long r = waiting ? refill_terminal(fd, q) : 0;
  if (r < 0) give_up(Error::kResourceFailed, p.path, "put back what waited in it", r);
  if (hung_up && !waiting) ScopedFd opened_and_closed(open_peer(fd));
  auto packet = static_cast<int>(v[1]);
  if (packet) sys(__NR_ioctl, fd, TIOCPKT, &packet);
}

}  // namespace mig
