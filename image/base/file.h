// Reading and writing whole files by system calls alone, with short transfers and EINTR handled.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "image/base/arch/x86_64/syscall.h"

namespace mig {

inline long open_at(int dir, const char* path, int flags, int mode = 0) {
  return sys(__NR_openat, dir, path, flags | O_CLOEXEC, mode);
}
inline long open_path(const char* path, int flags, int mode = 0) {
  return open_at(AT_FDCWD, path, flags, mode);
}

/// A descriptor that is closed at the end of its scope.
class ScopedFd {
 public:
  explicit ScopedFd(long fd = -1) : fd_(static_cast<int>(fd)) {}
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  ~ScopedFd() { reset(); }
  void reset(long fd = -1) {
    if (fd_ >= 0) sys(__NR_close, fd_);
    fd_ = static_cast<int>(fd);
  }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  /// The error number of a failed open, positive.
  int error() const { return fd_ < 0 ? -fd_ : 0; }

 private:
  int fd_;
};

/// A failed write raises SIGXFSZ or SIGPIPE as well: takes it back while it is blocked.
inline void take_back_signal(int signal) {
  uint64_t set = uint64_t{1} << (signal - 1);
  long now[2] = {};
  sys(__NR_rt_sigtimedwait, &set, nullptr, now, sizeof set);
}

/// Writes all of it; returns 0 or a negative error number.
inline long write_all(int fd, const void* data, size_t size) {
  auto p = static_cast<const char*>(data);
  while (size) {
    long n = sys(__NR_write, fd, p, size);
    if (n == -EINTR) continue;
    if (n < 0) return n;
    if (n == 0) return -EIO;
    p += n, size -= static_cast<size_t>(n);
  }
  return 0;
}

inline long pwrite_all(int fd, const void* data, size_t size, uint64_t offset) {
  auto p = static_cast<const char*>(data);
  while (size) {
    long n = sys(__NR_pwrite64, fd, p, size, offset);
    if (n == -EINTR) continue;
    if (n < 0) return n;
    if (n == 0) return -EIO;
    p += n, size -= static_cast<size_t>(n), offset += static_cast<uint64_t>(n);
  }
  return 0;
}

/// Reads until `size` bytes or the end of the file; returns the bytes read or a negative error number.
inline long pread_all(int fd, void* data, size_t size, uint64_t offset) {
  auto p = static_cast<char*>(data);
  size_t done = 0;
  while (done < size) {
    long n = sys(__NR_pread64, fd, p + done, size - done, offset + done);
    if (n == -EINTR) continue;
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<long>(done);
}

/// Reads a small (kernel) file as text with a zero byte at its end. Returns its length or a negative error number.
inline long read_text(const char* path, char* buffer, size_t size) {
  ScopedFd fd(open_path(path, O_RDONLY));
  if (!fd.ok()) return fd.get();
  size_t used = 0;
  while (used + 1 < size) {
    long n = sys(__NR_read, fd.get(), buffer + used, size - 1 - used);
    if (n == -EINTR) continue;
    if (n < 0) return n;
    if (n == 0) break;
    used += static_cast<size_t>(n);
  }
  buffer[used] = 0;
  return static_cast<long>(used);
}

inline long write_text(const char* path, const char* data, size_t size) {
  ScopedFd fd(open_path(path, O_WRONLY));
  return fd.ok() ? write_all(fd.get(), data, size) : fd.get();
}

/// Reads a file of the kernel line by line, through a buffer of `N` bytes; longer lines are cut.
template <size_t N = 8192>
class LineReader {
 public:
  explicit LineReader(const char* path) : fd_(open_path(path, O_RDONLY)) {}
  bool ok() const { return fd_.ok(); }
  int error() const { return fd_.error(); }
  /// The next line without its newline, valid until the next call; nullptr at the end.
  char* next() {
    for (;;) {
      for (size_t i = scanned_; i < used_; ++i)
        if (buffer_[i] == '\n') {
          buffer_[i] = 0;
          char* line = buffer_ + begin_;
          begin_ = scanned_ = i + 1;
          return line;
        }
      scanned_ = used_;
      if (begin_) {
        for (size_t i = begin_; i < used_; ++i) buffer_[i - begin_] = buffer_[i];
        used_ -= begin_, scanned_ -= begin_, begin_ = 0;
      }
      if (used_ + 1 >= N) return last();
      long n = sys(__NR_read, fd_.get(), buffer_ + used_, N - 1 - used_);
      if (n == -EINTR) continue;
      if (n <= 0) return used_ ? last() : nullptr;
      used_ += static_cast<size_t>(n);
    }
  }

 private:
  char* last() {
    buffer_[used_] = 0;
    begin_ = scanned_ = used_ = 0;
    return buffer_;
  }
  ScopedFd fd_;
  size_t begin_ = 0, scanned_ = 0, used_ = 0;
  char buffer_[N];
};

/// Calls `visit(name, d_type)` for each entry of the directory `fd` but "." and ".."; stops when it returns false.
template <class Visit>
long each_entry(int fd, Visit visit) {
  struct Entry {
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
  };
  constexpr size_t kName = offsetof(Entry, type) + 1;
  alignas(8) char buffer[4096];
  for (;;) {
    long n = sys(__NR_getdents64, fd, buffer, sizeof buffer);
    if (n <= 0) return n;
    for (long at = 0; at < n;) {
      auto e = reinterpret_cast<Entry*>(buffer + at);
      const char* name = buffer + at + kName;
      at += e->reclen;
      if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) continue;
      if (!visit(name, e->type)) return 0;
    }
  }
}

}  // namespace mig
