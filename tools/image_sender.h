// Takes the files of an image as the job writes them (image/stream.h) and sends them on.
#pragma once
#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "image/base/file.h"
#include "image/stream.h"
#include "tools/image_stream.h"

namespace mig {

class ImageSender {
 public:
  /// Listens in `directory`, the directory of images that the job is told.
  ImageSender(const std::string& directory, FrameChannel& channel);
  /// Sends what comes until nothing has come for some milliseconds.
  void pump(int milliseconds);
  /// Sends the rest of what a job has written that is done writing.
  void finish();
  uint64_t bytes() const { return bytes_; }

 private:
  struct Writer {
    ScopedFd fd;
    uint32_t file = 0;
    size_t head_size = 0;  ///< what has come of `head`
    StreamHead head = {};
  };
  bool accept_writer();
  bool forward(Writer& w);
  bool forward_head(Writer& w);

  FrameChannel& channel_;
  ScopedFd listener_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::string buffer_;
  uint32_t files_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace mig
