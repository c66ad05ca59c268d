// Directories of /proc read by number (getdents64). A longer number may make an entry longer, by a third at most: so the kernel
// fills the end of the buffer, and the entries move to its beginning.
#include "preload/wrap/listing.h"

#include <dirent.h>
#include <string.h>

#include "image/base/text.h"
#include "preload/ids.h"
#include "preload/mark.h"
#include "preload/wrap/proc_paths.h"

namespace mig {
namespace {

constexpr size_t kLongest = sizeof(dirent64);
constexpr size_t kName = offsetof(dirent64, d_name);

size_t aligned(size_t size) {
  return (size + 7) & ~size_t{7};
}

/// The entry's length with the number that it is known by; 0: it is left out.
size_t rename_entry(dirent64& e) {
  int32_t number = listed_id(e.d_name);
  if (number < 0) return e.d_reclen;
  if (number == 0) return 0;
  Text text(e.d_name, sizeof e.d_name);
  text << number;
  return e.d_reclen = static_cast<unsigned short>(aligned(kName + text.size() + 1));
}

/// Result: bytes at the beginning of `buffer`.
size_t move_entries(char* buffer, const char* from, const char* end) {
  size_t used = 0;
  while (from < end) {
    dirent64 e;
    unsigned short length;
    memcpy(&length, from + offsetof(dirent64, d_reclen), sizeof length);
    memcpy(&e, from, length < kLongest ? length : kLongest);
    from += length;
    size_t size = rename_entry(e);
    memcpy(buffer + used, &e, size);
    used += size;
  }
  return used;
}

}  // namespace

long list_directory(int directory, void* buffer, size_t size) {
  if (!ids_moved() || size < 4 * kLongest || listing_of(directory) == Listing::kOther)
    return sys(__NR_getdents64, directory, buffer, size);
  Mark not_split;
  auto begin = static_cast<char*>(buffer);
  char* from = begin + aligned(size / 4);
  for (;;) {
    long n = sys(__NR_getdents64, directory, from, static_cast<size_t>(begin + size - from));
    if (n <= 0) return n;
    if (size_t used = move_entries(begin, from, from + n)) return static_cast<long>(used);
  }
}

}  // namespace mig
