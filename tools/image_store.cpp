#include "tools/image_store.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/stream.h"
#include "tools/problem.h"

namespace mig {

namespace {

[[noreturn]] void disorder(const std::string& what) {
  throw Problem(Error::kTransport, "the image", what);
}

void no_memory(const std::string& name, long error) {
  throw Problem(Error::kNoMemory, "the image's file " + name, "it does not fit into memory: " + kernel_reason(error));
}

/// A plain name, or one in `files`.
bool is_image_name(const std::string& name) {
  std::string rest = name.compare(0, 6, "files/") == 0 ? name.substr(6) : name;
  return !rest.empty() && rest[0] != '.' && rest.find('/') == std::string::npos;
}

}  // namespace

void ImageStore::open(const Frame& f) {
  StreamHead head;
  if (f.payload.size() != sizeof head) disorder("a file has no head");
  memcpy(&head, f.payload.data(), sizeof head);
  File& file = files_[f.file];
  file.name.assign(head.name, strnlen(head.name, sizeof head.name));
  if (!is_image_name(file.name)) disorder("it has a file of an impossible name");
  file.start = file.position = head.start;
  file.fd.reset(memfd_create(file.name.c_str(), MFD_CLOEXEC));
  if (!file.fd.ok()) no_memory(file.name, errno);
}

void ImageStore::append(File& file, const std::string& data) {
  if (long r = pwrite_all(file.fd.get(), data.data(), data.size(), file.position); r < 0) no_memory(file.name, r);
  file.position += data.size();
}

/// What stands in front came last.
void ImageStore::close(File& file) {
  if (file.position < 2 * file.start) disorder("the file " + file.name + " is cut off");
  uint64_t end = file.position - file.start;
  std::string front(file.start, 0);
  pread_all(file.fd.get(), front.data(), front.size(), end);
  long r = pwrite_all(file.fd.get(), front.data(), front.size(), 0);
  if (r < 0 || ftruncate(file.fd.get(), static_cast<off_t>(end)) != 0) no_memory(file.name, r < 0 ? r : errno);
  file.complete = true;
}

void ImageStore::take(const Frame& f) {
  if (f.type == FrameType::kOpen) return open(f);
  auto at = files_.find(f.file);
  if (at == files_.end() || at->second.complete) disorder("bytes came for no open file");
  if (f.type == FrameType::kData) append(at->second, f.payload);
  else if (f.type == FrameType::kClose) close(at->second);
  else disorder(fmt::format("frame {} came within it", static_cast<unsigned>(f.type)));
}

void ImageStore::link_into(const std::string& directory) const {
  mkdir((directory + "/files").c_str(), 0700);
  for (const auto& [number, file] : files_) {
    if (!file.complete) disorder("the file " + file.name + " is not complete");
    std::string target = fmt::format("/proc/{}/fd/{}", getpid(), file.fd.get());
    if (symlink(target.c_str(), (directory + "/" + file.name).c_str()) != 0)
      throw Problem(Error::kNotWritable, directory + "/" + file.name, kernel_reason(errno));
  }
}

}  // namespace mig
