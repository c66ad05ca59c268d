// Wrappers: the pid in the credentials that unix sockets tell and carry (SO_PEERCRED, SCM_CREDENTIALS).
#include <string.h>
#include <sys/socket.h>

#include "preload/ids.h"
#include "preload/wrap/hook.h"
#include "preload/wrap/result.h"

namespace mig {
namespace {

MIG_ORIGINAL(getsockopt);
MIG_ORIGINAL(sendmsg);
MIG_ORIGINAL(sendmmsg);
MIG_ORIGINAL(recvmsg);
MIG_ORIGINAL(recvmmsg);
constexpr size_t kControlSize = 1024;

template <class Visit>
void each_credentials(msghdr* message, Visit visit) {
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len >= CMSG_LEN(sizeof(ucred)))
      visit(reinterpret_cast<ucred*>(CMSG_DATA(c)));
}

bool sends_credentials(const msghdr* message) {
  if (!message || !message->msg_control || message->msg_controllen > kControlSize) return false;
  bool any = false;
  each_credentials(const_cast<msghdr*>(message), [&](ucred*) { any = true; });
  return any;
}
bool sends_credentials(const mmsghdr* messages, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    if (sends_credentials(&messages[i].msg_hdr)) return true;
  return false;
}

/// The kernel checks the sender's own number: it gets the real one, in a copy.
__attribute__((noinline)) ssize_t send_with_real_ids(int socket, const msghdr* message, int flags) {
  alignas(cmsghdr) char control[kControlSize];
  msghdr copy = *message;
  memcpy(control, message->msg_control, message->msg_controllen);
  copy.msg_control = control;
  each_credentials(&copy, [](ucred* c) { c->pid = real_id(c->pid); });
  return original_sendmsg(socket, &copy, flags);
}

/// As the kernel does: an error is told only if nothing was sent before.
int send_each(int socket, mmsghdr* messages, unsigned count, int flags) {
  for (unsigned i = 0; i < count; ++i) {
    ssize_t n = sendmsg(socket, &messages[i].msg_hdr, flags);
    if (n < 0) return i ? static_cast<int>(i) : -1;
    messages[i].msg_len = static_cast<unsigned>(n);
  }
  return static_cast<int>(count);
}

void show_virtual_ids(msghdr* message) {
  each_credentials(message, [](ucred* c) { c->pid = virtual_id(c->pid); });
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT int getsockopt(int socket, int level, int name, void* value, socklen_t* size) noexcept {
  int r = original_getsockopt(socket, level, name, value, size);
  if (r == 0 && ids_moved() && level == SOL_SOCKET && name == SO_PEERCRED && *size == sizeof(ucred)) {
    auto credentials = static_cast<ucred*>(value);
    credentials->pid = virtual_id(credentials->pid);
  }
  return r;
}

MIG_EXPORT ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  return ids_moved() && sends_credentials(message) ? send_with_real_ids(socket, message, flags)
                                                   : original_sendmsg(socket, message, flags);
}
MIG_EXPORT int sendmmsg(int socket, mmsghdr* messages, unsigned count, int flags) {
  return ids_moved() && sends_credentials(messages, count) ? send_each(socket, messages, count, flags)
                                                           : original_sendmmsg(socket, messages, count, flags);
}
MIG_EXPORT ssize_t recvmsg(int socket, msghdr* message, int flags) {
  ssize_t n = original_recvmsg(socket, message, flags);
  if (n >= 0 && ids_moved()) show_virtual_ids(message);
  return n;
}
MIG_EXPORT int recvmmsg(int socket, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  int n = original_recvmmsg(socket, messages, count, flags, timeout);
  for (int i = 0; i < n && ids_moved(); ++i) show_virtual_ids(&messages[i].msg_hdr);
  return n;
}
