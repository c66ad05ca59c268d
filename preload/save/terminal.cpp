// Terminals: the one the program runs on, others, and pseudo-terminals whose master it holds.
//
// A terminal is the place where somebody sits; it stays behind, and the restart's takes its place with the settings that
// the program had made (struct termios2). Of a pair that the program made itself both sides come back.
#include "preload/save/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image/pty.h"
#include "preload/save/pty_queue.h"

namespace mig {
namespace {

constexpr unsigned kMaster = 5, kMasterMinor = 2;

bool is_master(const OpenDescription& d) {
  return major(d.record.rdev) == kMaster && minor(d.record.rdev) == kMasterMinor;
}
bool is_slave(const OpenDescription& d) {
  return major(d.record.rdev) >= 136 && major(d.record.rdev) <= 143;
}
uint32_t slave_number(const OpenDescription& d) {
  if (is_slave(d)) return (major(d.record.rdev) - 136) * 256 + minor(d.record.rdev);
  uint32_t n = 0;
  sys(__NR_ioctl, d.fd, TIOCGPTN, &n);
  return n;
}

/// A pair has no inode that both sides show.
ObjectName pair(uint32_t number) {
  return {~0UL, number};
}

/// The master has the settings and the queues of both.
bool save_pair(Saving& saving, OpenDescription& d, uint32_t number) {
  d.record.peer = number;
  d.record.value[0] = is_master(d);
  degraded(d, "the pair comes back, its slave under another name if that is taken");
  if (!is_master(d)) return saving.write(d, DescriptionKind::kPseudoTerminal);
  if (!owns(d) || saving.only_looking())
    return saving.write(d, DescriptionKind::kPseudoTerminal) && save_terminal_settings(saving, d);
  return save_pty_queues(saving, d, object_facts(pair(number)) & kHasSlave, save_terminal_settings);
}

}  // namespace

bool is_terminal(const OpenDescription& d) {
  char settings[64];
  return S_ISCHR(d.record.mode) && (is_master(d) || sys(__NR_ioctl, d.fd, kGetTerminal, settings) == 0 ||
                                    major(d.record.rdev) == 5 || is_slave(d) || major(d.record.rdev) == 4);
}

bool enter_terminal(const OpenDescription& d) {
  if (is_master(d)) return note_object(pair(slave_number(d)), kHasMaster);
  return !is_slave(d) || note_object(pair(slave_number(d)), kHasSlave);
}

bool save_terminal_settings(Saving& saving, OpenDescription& d) {
  TerminalRecord r{};
  r.description = d.record.id;
  if (sys(__NR_ioctl, d.fd, kGetTerminal, r.termios) < 0) return true;
  uint16_t size[4] = {};
  sys(__NR_ioctl, d.fd, TIOCGWINSZ, size);
  r.rows = size[0], r.columns = size[1], r.x_pixels = size[2], r.y_pixels = size[3];
  int32_t group = 0;
  if (sys(__NR_ioctl, d.fd, TIOCGPGRP, &group) == 0) r.foreground = virtual_group(group);
  return saving.extra(RecordType::kTerminal, r);
}

bool save_terminal(Saving& saving, OpenDescription& d) {
  uint32_t number = is_master(d) || is_slave(d) ? slave_number(d) : 0;
  if (is_master(d) || (is_slave(d) && (object_facts(pair(number)) & kHasMaster))) return save_pair(saving, d, number);
  degraded(d, "the restart's own terminal takes its place");
  return saving.write(d, DescriptionKind::kTerminal) && save_terminal_settings(saving, d);
}

}  // namespace mig
