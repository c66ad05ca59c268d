// What the compiler expects of any environment (it may emit calls to these), and the names of error numbers.
#include <errno.h>
#include <stddef.h>

#include "restore/failure.h"

extern "C" {
void* memcpy(void* to, const void* from, size_t n) {
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
  return to;
}
void* memmove(void* to, const void* from, size_t n) {
  if (to <= from || static_cast<const char*>(from) + n <= to) return memcpy(to, from, n);
  for (size_t i = n; i; --i) static_cast<volatile char*>(to)[i - 1] = static_cast<const char*>(from)[i - 1];
  return to;
}
void* memset(void* to, int value, size_t n) {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
  return to;
}
int memcmp(const void* a, const void* b, size_t n) {
  auto x = static_cast<const unsigned char*>(a);
  auto y = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < n; ++i)
    if (x[i] != y[i]) return x[i] - y[i];
  return 0;
}
size_t strlen(const char* s) {
  size_t n = 0;
  while (static_cast<const volatile char*>(s)[n]) ++n;
  return n;
}
}

namespace mig {

const char* error_text(long result) {
  switch (-result) {
    case EPERM: return "operation not permitted";
    case ENOENT: return "no such file or directory";
    case EIO: return "input/output error";
    case ENXIO: return "no such device or address";
    case EBADF: return "bad descriptor";
    case EAGAIN: return "resource temporarily unavailable";
    case ENOMEM: return "not enough memory";
    case EACCES: return "permission denied";
    case EBUSY: return "device or resource busy";
    case EEXIST: return "it exists already";
    case ENOTDIR: return "not a directory";
    case EISDIR: return "is a directory";
    case EINVAL: return "invalid argument";
    case EMFILE: return "too many open files";
    case ENFILE: return "too many open files in the system";
    case ETXTBSY: return "the file is being executed";
    case EFBIG: return "file too large";
    case ENOSPC: return "no space left on device";
    case EROFS: return "read-only file system";
    case EADDRINUSE: return "address already in use";
    case EADDRNOTAVAIL: return "address not available on this host";
    case EAFNOSUPPORT: return "address family not supported";
    case ENOSYS: return "not offered by this kernel";
    case ELOOP: return "too many symbolic links";
    case ENODEV: return "no such device";
    case EOPNOTSUPP: return "operation not supported";
    default: return "the kernel refused";
  }
}

}  // namespace mig
