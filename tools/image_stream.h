// What the two ends of a move say to each other over the standard streams of ssh: frames, each with a checksum.
//
//   source                          destination
//   kHello  what is to come    ->
//                              <-   kHello  this host will do        (or kFailed, with the reason)
//   [the job stops]
//   kOpen kData ... kClose     ->   (files, several at the same time)
//   kRestore  that is all      ->
//                              <-   kRestored  nothing runs yet
//   kGo                        ->
//                              <-   kRunning
//   [the job ends]
//   kDone                      ->
//
// After kGo the source never lets the job go on by itself. If the answer is lost, it asks on a new connection: kAsk, answered by
// kOutcome (docs/move.md).
#pragma once
#include <stdint.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace mig {

constexpr int kMoveProtocol = 1;

enum class FrameType : uint32_t {
  kHello = 1,     ///< JSON
  kOpen = 2,      ///< a StreamHead (image/stream.h)
  kData = 3,      ///< the next bytes of a file
  kClose = 4,     ///< the file is complete
  kRestore = 5,   ///< every file is
  kRestored = 6,  ///< JSON
  kGo = 7,
  kRunning = 8,   ///< JSON
  kDone = 9,      ///< the source has let go
  kFailed = 10,   ///< JSON: code, message
  kAsk = 11,      ///< JSON: token, job
  kOutcome = 12,  ///< JSON: outcome
};

constexpr uint32_t kFramePayload = 256 << 10;

struct FrameHeader {
  uint32_t magic;
  FrameType type;
  uint32_t file;      ///< number of the file that it belongs to
  uint32_t size;      ///< of the payload
  uint64_t checksum;  ///< of what stands before it and of the payload
};

struct Frame {
  FrameType type;
  uint32_t file;
  std::string payload;
};

/// One end. Descriptors are not owned.
class FrameChannel {
 public:
  FrameChannel(int in, int out, std::string peer) : in_(in), out_(out), peer_(std::move(peer)) {}

  void send(FrameType type, uint32_t file, const void* data, size_t size);
  void send(FrameType type) { send(type, 0, nullptr, 0); }
  void send(FrameType type, const nlohmann::ordered_json& j);

  /// The next frame. Throws what a kFailed says, kTransport at the end of the stream, after `limit` seconds (0: none)
  /// or on anything that is no frame. `tick` is called now and then and may throw.
  Frame receive(double limit = 0, const std::function<void()>& tick = {});
  /// The same, of one type.
  Frame expect(FrameType type, double limit = 0, const std::function<void()>& tick = {});
  /// Whether receive() has something to read.
  bool readable(int milliseconds) const;
  int in() const { return in_; }

 private:
  void read_all(void* data, size_t size, double until, const std::function<void()>& tick);
  [[noreturn]] void broken(const std::string& cause) const;
  int in_, out_;
  std::string peer_;
};

nlohmann::ordered_json frame_json(const Frame& f);

}  // namespace mig
