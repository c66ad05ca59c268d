// The queues of a pseudo-terminal (image/pty.h). The kernel lets nobody look into them: they are emptied by reading from both sides,
// while everybody stands still, and filled again.
//
// Lines are read one by one, as their reader would get them; what is still being edited shows when the terminal is told to do
// without lines. A pair whose slave nobody has opened yet is left alone: to open it and close it would hang it up.
#include "preload/save/pty_queue.h"

#include "image/pty.h"
#include "preload/save/contents.h"

namespace mig {
namespace {

constexpr size_t kReadSize = 16 << 10;

/// A line, or what stands behind the last.
struct Part {
  size_t end;    ///< in the bytes
  bool at_mark;  ///< it ended with VEOF
};
struct Input {
  ScratchArray<char> bytes;
  ScratchArray<Part> parts;

  bool add(const char* from, size_t n, bool at_mark) {
    char* to = n ? bytes.add(n) : nullptr;
    if (n && !to) return false;
    if (n) memcpy(to, from, n);
    return parts.push({bytes.size(), at_mark});
  }
};

bool ends_line(char c, const termios2& t) {
  auto byte = static_cast<uint8_t>(c);
  return c == '\n' || (byte && (byte == t.c_cc[VEOL] || byte == t.c_cc[VEOL2]));
}

/// -EAGAIN: there is no more.
long read_waiting(int fd, char* to) {
  return poll_terminal(fd, POLLIN, 0) & POLLIN ? sys(__NR_read, fd, to, kReadSize) : -EAGAIN;
}

bool is_empty(long result) {
  return result == -EAGAIN || result == -EIO;
}

/// 0, or an error number.
long take_output(int master, ScratchArray<char>& output, char* buffer) {
  for (long n;;) {
    n = read_waiting(master, buffer);
    if (n <= 0) return is_empty(n) || !n ? 0 : n;
    char* to = output.add(static_cast<size_t>(n));
    if (!to) return -ENOMEM;
    memcpy(to, buffer, static_cast<size_t>(n));
  }
}

long take_lines(int slave, const termios2& settings, Input& input, char* buffer) {
  for (long n; (n = read_waiting(slave, buffer)) != -EAGAIN;) {
    if (n < 0) return n;
    bool at_mark = !n || !ends_line(buffer[n - 1], settings);
    if (!input.add(buffer, static_cast<size_t>(n), at_mark)) return -ENOMEM;
  }
  return 0;
}

long take_rest(int slave, Input& input, char* buffer) {
  for (long n; (n = read_waiting(slave, buffer)) != -EAGAIN;) {
    if (n <= 0) return n;
    if (!input.add(buffer, static_cast<size_t>(n), false)) return -ENOMEM;
  }
  return 0;
}

long take_input(int master, int slave, const termios2& settings, Input& input, char* buffer) {
  if (!has_lines(settings)) return take_rest(slave, input, buffer);
  if (long r = take_lines(slave, settings, input, buffer)) return r;
  termios2 quiet = quiet_terminal(settings, {}, false), plain = quiet;
  plain.c_lflag &= ~static_cast<unsigned>(ICANON);
  plain.c_cc[VMIN] = 1, plain.c_cc[VTIME] = 0;
  sys(__NR_ioctl, master, kSetTerminal, &plain);
  long r = take_rest(slave, input, buffer);
  sys(__NR_ioctl, master, kSetTerminal, &quiet);
  return r;
}

bool choose_marks(const Input& input, const termios2& settings, PtyMarks& marks) {
  bool taken[256] = {true};
  for (char c : input.bytes) taken[static_cast<uint8_t>(c)] = true;
  taken[uint8_t{'\n'}] = taken[settings.c_cc[VEOL]] = taken[settings.c_cc[VEOL2]] = true;
  uint8_t* wanted[] = {&marks.end, &marks.quote, &marks.stop};
  unsigned byte = 0;
  for (uint8_t* mark : wanted) {
    while (byte < 256 && taken[byte]) ++byte;
    if (byte == 256) return false;
    *mark = static_cast<uint8_t>(byte++);
  }
  return true;
}

/// What is written to the master so that the slave reads the same again.
bool quote(const Input& input, const termios2& settings, const PtyMarks& marks, ScratchArray<char>& text) {
  size_t at = 0;
  for (const Part& part : input.parts)
    for (;;) {
      if (at == part.end) {
        if (part.at_mark && !text.push(static_cast<char>(marks.end))) return false;
        break;
      }
      char c = input.bytes[at++];
      bool inside = part.at_mark || at < part.end;
      if (inside && ends_line(c, settings) && !text.push(static_cast<char>(marks.quote))) return false;
      if (!text.push(c)) return false;
    }
  return true;
}

/// Starts the terminal's output if it is stopped, and tells how it was.
PtyFlow start_output(int master, int slave, const termios2& quiet) {
  ScopedPacketMode packets(master);
  packets.set(1);
  char news = 0;
  auto started = [&] {
    return (poll_terminal(master, POLLPRI, 0) & POLLPRI) && sys(__NR_read, master, &news, 1) == 1 && (news & TIOCPKT_START);
  };
  sys(__NR_ioctl, master, kSetTerminal, &quiet);
  if (started()) return PtyFlow::kStoppedByKey;
  sys(__NR_ioctl, slave, TCXONC, kStartOutput);
  return started() ? PtyFlow::kStoppedByCall : PtyFlow::kRuns;
}

struct Taken {
  ScratchArray<char> output, text;  ///< `text`: the input's lines, quoted
  Input input;
  PtyMarks marks{};
  PtyFlow flow = PtyFlow::kRuns;

  PtyQueues queues() {
    const ScratchArray<char>& bytes = marks.stop ? text : input.bytes;
    return {output.begin(), output.size(), bytes.begin(), bytes.size(), marks, flow};
  }
};

bool is_too_much(const Taken& t, const termios2& settings) {
  return has_lines(settings) && t.text.size() >= kLineBuffer;
}

/// 0, or an error number. What was taken is put back in any case.
long take_and_put_back(int master, Taken& t) {
  auto buffer = static_cast<char*>(scratch(kReadSize));
  termios2 settings;
  ScopedFd slave(open_peer(master));
  if (!buffer) return -ENOMEM;
  if (!slave.ok()) return slave.get();
  if (long r = sys(__NR_ioctl, master, kGetTerminal, &settings); r < 0) return r;
  t.flow = start_output(master, slave.get(), quiet_terminal(settings, {}, false));
  ScopedPacketMode packets(master);
  packets.set(0);
  long r = take_output(master, t.output, buffer);
  if (!r) r = take_input(master, slave.get(), settings, t.input, buffer);
  bool written = !has_lines(settings) || (choose_marks(t.input, settings, t.marks) && quote(t.input, settings, t.marks, t.text));
  sys(__NR_ioctl, master, kSetTerminal, &settings);
  long back = refill_terminal(master, t.queues());
  if (!r && !written) r = -ENOMEM;
  if (!r && is_too_much(t, settings)) r = -EOVERFLOW;
  return r ? r : back;
}

}  // namespace

bool save_pty_queues(Saving& saving, OpenDescription& d, bool has_slave, bool (*save_settings)(Saving&, OpenDescription&)) {
  Taken taken;
  bool hung_up = poll_terminal(d.fd, 0, 0) & POLLHUP;
  if (has_slave || hung_up) {
    if (long r = take_and_put_back(d.fd, taken); r == -EIO) {
      return unsupported(d, "what waits in this pseudo-terminal cannot be read: this process is in the background of it");
    } else if (r < 0) {
      char object[4300];
      Text text(object);
      describe_descriptor(text, d);
      return refuse_errno(Error::kPendingLost, object, "take out and put back what waits in it", r);
    }
  }
  int packet = 0;
  sys(__NR_ioctl, d.fd, kGetPacket, &packet);
  PtyQueues q = taken.queues();
  uint64_t* v = d.record.value;
  v[1] = static_cast<uint64_t>(packet), v[2] = hung_up, v[3] = q.output_size, v[4] = q.input_size;
  v[5] = static_cast<uint64_t>(q.flow);
  v[6] = uint64_t{q.marks.end} | uint64_t{q.marks.quote} << 8 | uint64_t{q.marks.stop} << 16;
  if (q.output_size + q.input_size) carried(d, "with what waits in it to be read");
  return saving.write(d, DescriptionKind::kPseudoTerminal) && save_settings(saving, d) &&
         (!q.output_size || save_bytes(saving, d, q.output, q.output_size)) &&
         (!q.input_size || save_bytes(saving, d, q.input, q.input_size));
}

}  // namespace mig
