// Wrappers: reading directories, for the numbers that /proc lists (preload/proc_paths.h).
//
// A longer number may not fit into its entry: then the entry is returned in a buffer of ours, one for processes and
// one for threads, so that a walk through the threads of each process keeps the process's entry.
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <string.h>

#include "image/base/text.h"
#include "preload/hook.h"
#include "preload/ids.h"
#include "preload/proc_paths.h"

namespace mig {
namespace {

MIG_ORIGINAL(readdir);
MIG_ORIGINAL(readdir64);

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <class Entry>
Entry* renamed(Entry* e, int32_t number, Listing listing) {
  static Entry buffers[2];
  char name[16];
  Text text(name);
  text << number;
  if (text_equal(name, e->d_name)) return e;
  if (offsetof(Entry, d_name) + text.size() + 1 > e->d_reclen) {
    Entry* copy = &buffers[listing == Listing::kThreads];
    memcpy(copy, e, offsetof(Entry, d_name));
    e = copy;
  }
  memcpy(e->d_name, name, text.size() + 1);
  return e;
}

template <class Original, class Entry>
Entry* next(Original& original, DIR* directory) {
  for (;;) {
    Entry* e = original(directory);
    if (!e || !ids_moved() || !is_digit(e->d_name[0])) return e;
    Listing listing = listing_of(dirfd(directory));
    if (listing == Listing::kOther) return e;
    int32_t number = listed_id(e->d_name);
    if (number) return number > 0 ? renamed(e, number, listing) : e;
  }
}

}  // namespace
}  // namespace mig

using namespace mig;

MIG_EXPORT dirent* readdir(DIR* directory) {
  return next<decltype(original_readdir), dirent>(original_readdir, directory);
}
MIG_EXPORT dirent64* readdir64(DIR* directory) {
  return next<decltype(original_readdir64), dirent64>(original_readdir64, directory);
}
