// The files of an image that comes in, in memory: nothing of it outlives this process.
#pragma once
#include <stdint.h>

#include <map>
#include <string>

#include "image/base/file.h"
#include "tools/image_stream.h"

namespace mig {

class ImageStore {
 public:
  /// Takes kOpen, kData and kClose.
  void take(const Frame& f);
  /// Lets the files stand in the directory, as links to this process's descriptors. Throws if one is not complete.
  void link_into(const std::string& directory) const;

 private:
  struct File {
    std::string name;
    ScopedFd fd;
    uint64_t start = 0, position = 0;
    bool complete = false;
  };
  void open(const Frame& f);
  void append(File& file, const std::string& data);
  void close(File& file);
  std::map<uint32_t, File> files_;
};

}  // namespace mig
