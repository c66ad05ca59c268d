// Sockets that listen, that take datagrams, or that are new.
//
// An address is bound while the restart can still be given up, so that a taken one is told in time; a unix path is
// bound at the commit, because it replaces the file that the old process left. Whether somebody still listens there is
// found out before by connecting to it. TCP sockets have SO_REUSEADDR until the commit whatever the
// program had, for the old process's connections may still linger in TIME_WAIT. Where those had not had it either, a
// bind fails for up to a minute (any server that is started again knows it); then the restart waits.
#include "restore/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <initializer_list>

#include "image/base/clock.h"
#include "restore/contents.h"
#include "restore/failure.h"
#include "restore/image_file.h"
#include "restore/messages.h"
#include "restore/options.h"

namespace mig {
namespace {

struct Address : SocketAddress {
  sa_family_t family() const { return storage.ss_family; }
  const sockaddr_un& unix_name() const { return reinterpret_cast<const sockaddr_un&>(storage); }
  bool is_path() const { return family() == AF_UNIX && size > offsetof(sockaddr_un, sun_path) && unix_name().sun_path[0]; }
  uint16_t port() const { return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port); }
  bool is_nothing() const {
    if (size <= sizeof(sa_family_t)) return true;
    if (family() == AF_UNIX) return false;
    return !port() && is_any();
  }
  bool is_any() const {
    if (family() == AF_INET) return !reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr;
    auto& six = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    for (unsigned char b : six.s6_addr)
      if (b) return false;
    return true;
  }
  void make_any() {
    if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_addr.s_addr = 0;
    else __builtin_memset(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr, 0, 16);
  }
};

Address address_of(const PreparedDescription& p, bool of_peer) {
  return {saved_address(p, of_peer)};
}

void put_words(Text& t, const Address& a) {
  if (a.family() == AF_UNIX) {
    t << "unix socket " << (a.is_path() ? "" : "@");
    const char* name = a.unix_name().sun_path + !a.is_path();
    for (size_t i = 0; i + offsetof(sockaddr_un, sun_path) + !a.is_path() < a.size && name[i]; ++i) t.put(name[i]);
    return;
  }
  t << "socket ";
  if (a.family() == AF_INET) {
    auto b = reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr);
    t << b[0] << "." << b[1] << "." << b[2] << "." << b[3];
  } else {
    auto& six = reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_addr;
    t << "[";
    for (int i = 0; i < 16; i += 2)
      (t << (i ? ":" : "")).hex(static_cast<unsigned long>(six.s6_addr[i] << 8 | six.s6_addr[i + 1]));
    t << "]";
  }
  t << ":" << a.port();
}

[[noreturn]] void bind_failed(const Address& a, const char* action, long r) {
  char object[300];
  Text t(object);
  put_words(t, a);
  if (r == -EADDRINUSE) give_up(Error::kAddressTaken, object, "another process has it");
  give_up(r == -EACCES || r == -EPERM ? Error::kNotPermitted : Error::kResourceFailed, object, action, r);
}

// Paths of unix sockets

bool has_file(const PreparedDescription& p) {
  return p.record.value[3] >> 16 & 1;
}

/// Where its file is if not where it was bound, as the image has it.
const char* renamed_file(const PreparedDescription& p) {
  const char* path = nullptr;
  each_extra<SocketAddressRecord>(p, RecordType::kSocketAddress, [&](const SocketAddressRecord& r, const char* tail, size_t) {
    if (r.peer == kAddressOfFile) path = tail;
  });
  return path;
}

/// The path as this restart sees it: with --map, and relative to the directory that the program will be in.
Address mapped(Address a) {
  char buffer[4200];
  const char* path = mapped_path(a.unix_name().sun_path, buffer, sizeof buffer);
  auto& name = reinterpret_cast<sockaddr_un&>(a.storage);
  if (path == name.sun_path) return a;
  if (text_length(path) >= sizeof name.sun_path) give_up(Error::kResourceFailed, path, "it is too long for a unix socket");
  text_copy(name.sun_path, path, sizeof name.sun_path);
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text_length(path) + 1);
  return a;
}

void absolute(const Address& a, char* path, size_t size) {
  const char* name = a.unix_name().sun_path;
  const char* directory = image.text(TextRole::kWorkingDirectory);
  char buffer[4200];
  Text t(path, size);
  if (name[0] != '/' && directory) t << mapped_path(directory, buffer, sizeof buffer) << "/";
  for (size_t i = 0; i < sizeof a.unix_name().sun_path && name[i]; ++i) t.put(name[i]);
}

bool somebody_listens(const PreparedDescription& p, const char* path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (text_length(path) >= sizeof name.sun_path) return false;
  text_copy(name.sun_path, path, sizeof name.sun_path);
  ScopedFd fd(sys(__NR_socket, AF_UNIX, p.record.value[1] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  long r = sys(__NR_connect, fd.get(), &name, sizeof name);
  return r == 0 || r == -EAGAIN || r == -EPROTOTYPE;
}

void check_path(const PreparedDescription& p, const char* path) {
  char directory[4400];
  text_copy(directory, path, sizeof directory);
  size_t slash = 0;
  for (size_t i = 0; directory[i]; ++i)
    if (directory[i] == '/') slash = i;
  directory[slash ? slash : 1] = 0;
  if (long r = sys(__NR_faccessat, AT_FDCWD, directory, 2 /* W_OK */); r < 0)
    give_up(Error::kFileMissing, directory, "make the unix socket of the program in it", r);
  struct stat st;
  if (sys(__NR_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if ((st.st_mode & S_IFMT) != S_IFSOCK)
    give_up(Error::kAddressTaken, path, "there is a file of that name where the program had a socket");
  if (somebody_listens(p, path)) give_up(Error::kAddressTaken, path, "another process listens there");
}

void check_paths(const PreparedDescription& p, const Address& a) {
  char path[4400], buffer[4200];
  absolute(mapped(a), path, sizeof path);
  check_path(p, path);
  if (const char* renamed = renamed_file(p)) check_path(p, mapped_path(renamed, buffer, sizeof buffer));
}

/// What a datagram comes from again: the socket that had sent it, or one that has the name of such a one for a moment, or none.
class Sender {
 public:
  Sender(const PreparedDescription& to, const WaitingMessage& m) {
    PreparedDescription* known = m.sender_size ? socket_with_name(m.sender, m.sender_size) : nullptr;
    if (known && known->fd >= 0) {
      fd_ = known->fd;
      return;
    }
    own_.reset(sys(__NR_socket, AF_UNIX, to.record.value[1] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    fd_ = own_.get();
    if (!m.sender_size) return;
    __builtin_memcpy(&name_.storage, m.sender, m.sender_size);
    name_.size = static_cast<socklen_t>(m.sender_size);
    if (name_.is_path()) name_ = mapped(name_);
    bound_ = sys(__NR_bind, fd_, &name_.storage, name_.size) >= 0;
    if (!bound_) tell(to.path, "a datagram in it comes from a nameless sender: its sender's name is taken");
  }
  ~Sender() {
    if (bound_ && name_.is_path()) sys(__NR_unlinkat, AT_FDCWD, name_.unix_name().sun_path, 0);
  }
  int fd() const { return fd_; }

 private:
  ScopedFd own_;
  int fd_;
  Address name_{};
  bool bound_ = false;
};

void send_waiting(const PreparedDescription& p, const Address& own) {
  bool lost = false;
  each_waiting(p, [&](const WaitingMessage& m) {
    Sender sender(p, m);
    lost = lost || send_message(p, sender.fd(), m, reinterpret_cast<const sockaddr*>(&own.storage), own.size) < 0;
  });
  if (lost) tell(p.path, "it has no room for all the datagrams that waited in it");
}

/// In the program's working directory by now.
void bind_path(const PreparedDescription& p, const Address& saved) {
  Address a = mapped(saved);
  const char* path = a.unix_name().sun_path;
  sys(__NR_unlinkat, AT_FDCWD, path, 0);
  if (long r = sys(__NR_bind, p.fd, &a.storage, a.size); r < 0) bind_failed(a, "bind", r);
  if (!has_file(p)) {
    send_waiting(p, a);
    sys(__NR_unlinkat, AT_FDCWD, path, 0);
    return;
  }
  sys(__NR_fchmodat, AT_FDCWD, path, p.record.value[3] & 07777);
  char buffer[4200];
  if (const char* renamed = renamed_file(p))
    sys(__NR_renameat, AT_FDCWD, path, AT_FDCWD, mapped_path(renamed, buffer, sizeof buffer));
}

// Internet addresses

/// Is the port taken by nothing but ends of connections whose process is gone (no inode)? proc(5), /proc/net/tcp.
bool only_left_overs(uint16_t port) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    LineReader<4096> lines(table);
    lines.next();
    while (const char* line = lines.next()) {
      Scan scan(line);
      if (scan.after(':').after(':').hex() != port) continue;
      for (int field = 0; field < 7; ++field) scan.skip_spaces().after(' ');
      if (scan.number() != 0) return false;
    }
  }
  return true;
}

long bind_patiently(const PreparedDescription& p, const Address& a) {
  long r = sys(__NR_bind, p.fd, &a.storage, a.size);
  if (r != -EADDRINUSE || p.record.value[1] != SOCK_STREAM || !only_left_overs(a.port())) return r;
  char object[300];
  Text t(object);
  put_words(t, a);
  tell(object, "waiting for the last connections of an earlier process to time out (a minute at most)");
  for (int i = 0; i < 650 && r == -EADDRINUSE; ++i) {
    timespec pause = to_timespec(100 * kMillisecond);
    sys(__NR_nanosleep, &pause, nullptr);
    r = sys(__NR_bind, p.fd, &a.storage, a.size);
  }
  return r;
}

void bind_now(PreparedDescription& p, Address a, bool connected) {
  int on = 1;
  if (p.record.value[1] == SOCK_STREAM) sys(__NR_setsockopt, p.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  long r = bind_patiently(p, a);
  if (r == -EADDRNOTAVAIL && connected) {  // the address that the old host's routes had chosen
    a.make_any();
    r = sys(__NR_bind, p.fd, &a.storage, a.size);
  }
  if (r < 0) bind_failed(a, "bind", r);
}

void connect_again(const PreparedDescription& p) {
  Address a = address_of(p, true);
  if (a.size <= sizeof(sa_family_t)) return;
  if (a.is_path()) a = mapped(a);
  long r = sys(__NR_connect, p.fd, &a.storage, a.size);
  if (r >= 0) return;
  char object[300];
  Text t(object);
  put_words(t, a);
  tell(object, "nobody takes the program's datagrams there now");
}

bool listens(const PreparedDescription& p) {
  return kind_of(p) == DescriptionKind::kUnixListener || kind_of(p) == DescriptionKind::kTcpListener;
}

}  // namespace

SocketAddress saved_address(const PreparedDescription& p, bool of_peer) {
  SocketAddress a{};
  each_extra<SocketAddressRecord>(p, RecordType::kSocketAddress,
                                  [&](const SocketAddressRecord& r, const char* tail, size_t size) {
                                    if (r.peer != of_peer || size > sizeof a.storage) return;
                                    __builtin_memcpy(&a.storage, tail, size);
                                    a.size = static_cast<socklen_t>(size);
                                  });
  return a;
}

void open_socket(PreparedDescription& p) {
  const uint64_t* v = p.record.value;
  set_descriptor(p, sys(__NR_socket, v[0], v[1] | SOCK_NONBLOCK | SOCK_CLOEXEC, v[2]));
  set_socket_options(p, true);
  Address own = address_of(p, false), peer = address_of(p, true);
  if (own.is_nothing()) return;
  if (own.is_path()) return check_paths(p, own);
  bind_now(p, own, peer.size > 0);
}

void finish_socket(PreparedDescription& p) {
  Address own = address_of(p, false);
  if (own.is_path()) bind_path(p, own);
  if (listens(p))
    if (long r = sys(__NR_listen, p.fd, p.record.value[4]); r < 0) bind_failed(own, "listen", r);
}

PreparedDescription* socket_with_name(const char* address, size_t size) {
  for (PreparedDescription& d : all_descriptions()) {
    if (kind_of(d) != DescriptionKind::kDatagramSocket) continue;
    SocketAddress own = saved_address(d, false);
    if (own.size == size && __builtin_memcmp(&own.storage, address, size) == 0) return &d;
  }
  return nullptr;
}

void send_unix_datagrams() {
  for (PreparedDescription& p : all_descriptions()) {
    if (!belongs_here(p) || kind_of(p) != DescriptionKind::kDatagramSocket) continue;
    Address own = address_of(p, false);
    if (own.family() != AF_UNIX || own.size <= sizeof(sa_family_t)) continue;
    if (!own.is_path()) send_waiting(p, own);
    else if (has_file(p)) send_waiting(p, mapped(own));
  }
}

void settle_socket(PreparedDescription& p, int fd) {
  settle_options(p, fd);
  connect_again(p);
}

}  // namespace mig
