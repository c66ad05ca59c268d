#include "restore/messages.h"

#include <errno.h>
#include <sys/socket.h>

#include "restore/failure.h"
#include "restore/meeting.h"
#include "restore/pidfds.h"
#include "restore/sockets.h"

namespace mig {
namespace {

constexpr size_t kMostRights = 253;  ///< SCM_MAX_FD

HomeArray<size_t> later;  ///< indices of descriptions, in the same order in every process

size_t index_of(const PreparedDescription& p) {
  return static_cast<size_t>(&p - all_descriptions().begin());
}

size_t described(const PreparedDescription& p, const MessageRight& right) {
  if (right.shared) return shared_description(right.shared);
  for (const PreparedDescription& d : all_descriptions())
    if (d.process == p.process && d.record.id == right.description) return index_of(d);
  give_up(Error::kChecksum, p.path, "a descriptor under way in it is in no process's file");
}

/// A pidfd is opened by the process that has it, and only promised to the others.
int opened(PreparedDescription& p) {
  if (p.fd < 0 && kind_of(p) == DescriptionKind::kPidfd) open_pidfd(p);
  return p.fd;
}

class Control {
 public:
  void add_rights(const PreparedDescription& p, const WaitingMessage& m) {
    int fds[kMostRights];
    for (size_t i = 0; i < m.right_count; ++i) fds[i] = opened(all_descriptions()[described(p, m.rights[i])]);
    add(SCM_RIGHTS, fds, m.right_count * sizeof *fds);
  }
  void add_sender(const MessageRecord& r) {
    ucred sender{static_cast<int32_t>(sys(__NR_getpid)), r.uid, r.gid};
    add(SCM_CREDENTIALS, &sender, sizeof sender);
  }
  void give_to(msghdr& header) {
    header.msg_control = used_ ? bytes_ : nullptr;
    header.msg_controllen = used_;
  }
  size_t used() const { return used_; }
  void cut(size_t used) { used_ = used; }

 private:
  void add(int type, const void* data, size_t size) {
    auto c = reinterpret_cast<cmsghdr*>(bytes_ + used_);
    *c = {CMSG_LEN(size), SOL_SOCKET, type};
    __builtin_memcpy(CMSG_DATA(c), data, size);
    used_ += CMSG_SPACE(size);
  }
  alignas(cmsghdr) char bytes_[CMSG_SPACE(kMostRights * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
  size_t used_ = 0;
};

int32_t sender_of(const Plan& plan, const PreparedDescription& to, const WaitingMessage& m) {
  for (size_t i = 0; m.record.vpid && i < plan.processes.size(); ++i)
    if (plan.processes[i].record.vpid == m.record.vpid) return static_cast<int32_t>(i);
  return to.process;
}

/// Every process goes through all of them, and sends those that are its own.
uint32_t send_own(const Plan& plan, int32_t process) {
  uint32_t turn = 0;
  for (size_t index : later) {
    PreparedDescription& p = all_descriptions()[index];
    each_waiting(p, [&](const WaitingMessage& m) {
      if (sender_of(plan, p, m) == process) {
        await_turn(turn);
        long r = send_message(p, far_end(p), m);
        if (r < 0) give_up(Error::kResourceFailed, p.path, "put back what waited in it", r);
        end_turn();
      }
      ++turn;
    });
  }
  return turn;
}

}  // namespace

bool brings_more(const PreparedDescription& p) {
  bool found = false;
  each_waiting(p, [&](const WaitingMessage& m) { found = found || m.record.vpid || m.right_count; });
  return found;
}

long send_message(const PreparedDescription& to, int from, const WaitingMessage& m, const sockaddr* address, size_t size) {
  Control control;
  if (m.right_count) control.add_rights(to, m);
  size_t anonymous = control.used();
  if (m.record.vpid) control.add_sender(m.record);
  iovec part{const_cast<char*>(m.data), m.size};
  msghdr header{};
  header.msg_name = const_cast<sockaddr*>(address), header.msg_namelen = static_cast<socklen_t>(size);
  header.msg_iov = &part, header.msg_iovlen = 1;
  do {
    control.give_to(header);
    long n = sys(__NR_sendmsg, from, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == -EPERM && control.used() > anonymous) {  // its credentials were another user's
      control.cut(anonymous);
      control.give_to(header);
      n = sys(__NR_sendmsg, from, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (n < 0) return n;
    part = {static_cast<char*>(part.iov_base) + n, part.iov_len - static_cast<size_t>(n)};
    control.cut(0);
  } while (part.iov_len);
  return 0;
}

void find_underway() {
  for (PreparedDescription& p : all_descriptions()) {
    each_waiting(p, [](const WaitingMessage& m) {
      PreparedDescription* sender = m.sender_size ? socket_with_name(m.sender, m.sender_size) : nullptr;
      if (sender) sender->common = true;
    });
    if (!brings_more(p)) continue;
    p.common = true;
    each_waiting(p, [&](const WaitingMessage& m) {
      for (size_t i = 0; i < m.right_count; ++i) all_descriptions()[described(p, m.rights[i])].common = true;
    });
  }
}

void fill_later(PreparedDescription& p) {
  later.push(index_of(p));
}

void fill_queues(const Plan& plan, int32_t process) {
  if (!later.size()) return;
  await_turn(send_own(plan, process));
  for (size_t index : later)
    if (PreparedDescription& p = all_descriptions()[index]; belongs_here(p)) complete_socket_pair(p);
}

}  // namespace mig
