// What waits in a pseudo-terminal, and how it is put back: for the library, which has to take it out to save it, and for the
// stub, by way of the master alone.
//
// What the slave's side has written goes in again by a slave of ours, with no processing of output. What the master has written was
// processed already (or waits to be edited): so it goes in with every special character disabled, but for three bytes that do not
// occur in it: one ends a line that had no newline (VEOF), one quotes what would end a line, and the last stops the terminal
// (VSTOP), which packet mode tells the master: then the line discipline, which works by itself, has seen everything before.
// Without lines it is enough to look how much has arrived.
#pragma once
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "image/base/clock.h"
#include "image/base/file.h"

namespace mig {

constexpr unsigned long kGetTerminal = 0x802c542a, kSetTerminal = 0x402c542b;  // TCGETS2, TCSETS2
constexpr unsigned long kOpenPeer = 0x5441;                                    // TIOCGPTPEER
constexpr unsigned long kGetPacket = 0x80045438, kGetLock = 0x80045439;        // TIOCGPKT, TIOCGPTLCK
constexpr int kStopOutput = 0, kStartOutput = 1;                               // TCOOFF, TCOON
constexpr uint32_t kLineBuffer = 4095;                                         ///< what a line discipline holds
constexpr int64_t kPtyLimit = 2 * kSecond;

enum class PtyFlow : uint32_t { kRuns = 0, kStoppedByKey = 1, kStoppedByCall = 2 };

/// Bytes that do not occur in the input.
struct PtyMarks {
  uint8_t end, quote, stop;
};
struct PtyQueues {
  const char* output;  ///< for the master to read
  size_t output_size;
  const char* input;  ///< to be written to the master
  size_t input_size;
  PtyMarks marks;
  PtyFlow flow;
};

inline bool has_lines(const termios2& t) {
  return (t.c_lflag & (ICANON | EXTPROC)) == ICANON;
}

/// Nothing is processed but what ends a line. The mode, with lines or without, stays: changing it forgets where lines end.
inline termios2 quiet_terminal(const termios2& of, const PtyMarks& marks, bool flow) {
  termios2 t = of;
  t.c_iflag = (of.c_iflag & IUTF8) | (flow ? static_cast<unsigned>(IXON) : 0);
  t.c_oflag &= ~static_cast<unsigned>(OPOST);
  t.c_lflag = (of.c_lflag & (ICANON | EXTPROC)) | IEXTEN;
  __builtin_memset(t.c_cc, 0, sizeof t.c_cc);
  if (!has_lines(of)) {
    t.c_cc[VMIN] = 1;
    return t;
  }
  t.c_cc[VEOF] = marks.end, t.c_cc[VLNEXT] = marks.quote, t.c_cc[VSTOP] = marks.stop;
  t.c_cc[VEOL] = of.c_cc[VEOL], t.c_cc[VEOL2] = of.c_cc[VEOL2];
  return t;
}

class ScopedPacketMode {
 public:
  explicit ScopedPacketMode(int master) : master_(master) { sys(__NR_ioctl, master, kGetPacket, &before_); }
  ~ScopedPacketMode() { set(before_); }
  ScopedPacketMode(const ScopedPacketMode&) = delete;
  ScopedPacketMode& operator=(const ScopedPacketMode&) = delete;
  /// On: what it has to tell from now on.
  void set(int on) const {
    int off = 0;
    sys(__NR_ioctl, master_, TIOCPKT, &off);
    if (on) sys(__NR_ioctl, master_, TIOCPKT, &on);
  }

 private:
  int master_, before_ = 0;
};

class ScopedNonBlocking {
 public:
  explicit ScopedNonBlocking(int fd) : fd_(fd), flags_(sys(__NR_fcntl, fd, F_GETFL)) {
    sys(__NR_fcntl, fd, F_SETFL, flags_ | O_NONBLOCK);
  }
  ~ScopedNonBlocking() { sys(__NR_fcntl, fd_, F_SETFL, flags_); }
  ScopedNonBlocking(const ScopedNonBlocking&) = delete;
  ScopedNonBlocking& operator=(const ScopedNonBlocking&) = delete;

 private:
  int fd_;
  long flags_;
};

inline long open_peer(int master) {
  int locked = 0, open = 0;
  sys(__NR_ioctl, master, kGetLock, &locked);
  if (locked) sys(__NR_ioctl, master, TIOCSPTLCK, &open);
  long slave = sys(__NR_ioctl, master, kOpenPeer, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (locked) sys(__NR_ioctl, master, TIOCSPTLCK, &locked);
  return slave;
}

inline short poll_terminal(int fd, short events, int milliseconds) {
  pollfd p{fd, events, 0};
  sys(__NR_poll, &p, 1, milliseconds);
  return p.revents;
}

inline long write_terminal(int fd, const char* data, size_t size) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kPtyLimit;
  for (size_t done = 0; done < size;) {
    long n = sys(__NR_write, fd, data + done, size - done);
    if (n > 0) done += static_cast<size_t>(n);
    else if (n < 0 && n != -EAGAIN) return n;
    else if (clock_now(CLOCK_MONOTONIC) > deadline) return -ETIMEDOUT;
    else poll_terminal(fd, POLLOUT, 1);
  }
  return 0;
}

/// Without lines: until it stands in the line discipline, or fills it.
inline long await_input(int slave, size_t size) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kPtyLimit;
  for (uint32_t there = 0; there < size && there < kLineBuffer;) {
    sys(__NR_ioctl, slave, FIONREAD, &there);
    if (clock_now(CLOCK_MONOTONIC) > deadline) return -ETIMEDOUT;
    sys(__NR_sched_yield);
  }
  return 0;
}

/// In packet mode. The kernel wakes for news only those who also wait for bytes, and bytes may be there already.
inline long await_news(int master) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kPtyLimit;
  while (!(poll_terminal(master, POLLPRI, 1) & POLLPRI))
    if (clock_now(CLOCK_MONOTONIC) > deadline) return -ETIMEDOUT;
  return 0;
}

inline long put_input(int master, int slave, const PtyQueues& q, const termios2& settings) {
  ScopedNonBlocking not_waiting(master);
  ScopedPacketMode packets(master);
  packets.set(0);
  termios2 quiet = quiet_terminal(settings, q.marks, has_lines(settings));
  sys(__NR_ioctl, master, kSetTerminal, &quiet);
  if (!has_lines(settings)) {
    long r = write_terminal(master, q.input, q.input_size);
    return r ? r : await_input(slave, q.input_size);
  }
  packets.set(1);
  long r = write_terminal(master, q.input, q.input_size);
  if (!r) r = write_terminal(master, reinterpret_cast<const char*>(&q.marks.stop), 1);
  if (!r) r = await_news(master);
  quiet = quiet_terminal(settings, q.marks, false);  // starts it again
  sys(__NR_ioctl, master, kSetTerminal, &quiet);
  return r;
}

inline void stop_again(int master, int slave, PtyFlow flow, const termios2& settings) {
  if (flow == PtyFlow::kStoppedByCall) sys(__NR_ioctl, slave, TCXONC, kStopOutput);
  if (flow != PtyFlow::kStoppedByKey) return;
  write_terminal(master, reinterpret_cast<const char*>(&settings.c_cc[VSTOP]), 1);
  poll_terminal(slave, POLLIN, 0);  // has the line discipline look at it, if nothing waits
}

/// Into empty queues, with the settings that the terminal has. 0, or an error number.
inline long refill_terminal(int master, const PtyQueues& q) {
  termios2 settings;
  ScopedFd slave(open_peer(master));
  long r = slave.ok() ? sys(__NR_ioctl, master, kGetTerminal, &settings) : slave.get();
  if (r < 0) return r;
  termios2 quiet = quiet_terminal(settings, q.marks, false);
  sys(__NR_ioctl, master, kSetTerminal, &quiet);
  r = write_terminal(slave.get(), q.output, q.output_size);
  if (!r && q.input_size) r = put_input(master, slave.get(), q, settings);
  ScopedPacketMode without_news(master);
  sys(__NR_ioctl, master, kSetTerminal, &settings);
  stop_again(master, slave.get(), q.flow, settings);
  return r;
}

}  // namespace mig
