// Error numbers in words, for code that must not call libc (whose own table is newer than the oldest libc supported).
#pragma once
#include <errno.h>

namespace mig {

/// `result` is a system call's negative error number.
inline const char* error_text(long result) {
  switch (-result) {
    case EPERM: return "operation not permitted";
    case ENOENT: return "no such file or directory";
    case ESRCH: return "no such process";
    case EIO: return "input/output error";
    case ENXIO: return "no such device or address";
    case E2BIG: return "too many arguments";
    case ENOEXEC: return "not an executable";
    case EBADF: return "bad descriptor";
    case ECHILD: return "no such child";
    case EAGAIN: return "resource temporarily unavailable";
    case ENOMEM: return "not enough memory";
    case EACCES: return "permission denied";
    case EFAULT: return "bad address";
    case EBUSY: return "device or resource busy";
    case EEXIST: return "it exists already";
    case EXDEV: return "it is on another file system";
    case ENODEV: return "no such device";
    case ENOTDIR: return "not a directory";
    case EISDIR: return "is a directory";
    case EINVAL: return "invalid argument";
    case EMFILE: return "too many open files";
    case ENFILE: return "too many open files in the system";
    case ENOTTY: return "the object does not know this request";
    case ETXTBSY: return "the file is being executed";
    case EFBIG: return "file too large";
    case ENOSPC: return "no space left on device";
    case ESPIPE: return "it has no position";
    case EROFS: return "read-only file system";
    case EMLINK: return "too many links";
    case EPIPE: return "broken pipe";
    case EDEADLK: return "it would wait for itself";
    case ENAMETOOLONG: return "name too long";
    case ENOLCK: return "no locks available";
    case ENOSYS: return "not offered by this kernel";
    case ENOTEMPTY: return "directory not empty";
    case ELOOP: return "too many symbolic links";
    case EPROTO: return "protocol error";
    case EOVERFLOW: return "value too large";
    case ENOTSOCK: return "not a socket";
    case EOPNOTSUPP: return "operation not supported";
    case EAFNOSUPPORT: return "address family not supported";
    case EPROTONOSUPPORT: return "protocol not supported";
    case EADDRINUSE: return "address already in use";
    case EADDRNOTAVAIL: return "address not available on this host";
    case ENETUNREACH: return "network is unreachable";
    case ECONNREFUSED: return "connection refused";
    case ECONNRESET: return "connection reset";
    case ENOTCONN: return "not connected";
    case EISCONN: return "already connected";
    case ENOBUFS: return "no buffer space";
    case ETIMEDOUT: return "timed out";
    case EHOSTUNREACH: return "no route to host";
    case ESTALE: return "the server knows the file no more";
    case EDQUOT: return "disk quota exceeded";
    default: return "the kernel refused";
  }
}

}  // namespace mig
