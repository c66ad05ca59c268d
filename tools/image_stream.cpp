#include "tools/image_stream.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "image/base/checksum.h"
#include "image/base/file.h"
#include "tools/clock.h"
#include "tools/problem.h"

namespace mig {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kMagic = 0x3147494d;  // MIG1
constexpr int kSlice = 100;              ///< milliseconds

uint64_t frame_checksum(const FrameHeader& h, const void* data) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, &h, offsetof(FrameHeader, checksum));
  XXH3_64bits_update(&state, data, h.size);
  return XXH3_64bits_digest(&state);
}

}  // namespace

void FrameChannel::broken(const std::string& cause) const {
  throw Problem(Error::kTransport, peer_, cause, "Ask again; `mig doctor HOST` tries the connection.");
}

void FrameChannel::send(FrameType type, uint32_t file, const void* data, size_t size) {
  FrameHeader h{kMagic, type, file, static_cast<uint32_t>(size), 0};
  h.checksum = frame_checksum(h, data);
  long r = write_all(out_, &h, sizeof h);
  if (r == 0) r = write_all(out_, data, size);
  if (r == 0) return;
  while (readable(1000)) receive();  // it may have said why
  broken("the connection broke: " + kernel_reason(r));
}

void FrameChannel::send(FrameType type, const Json& j) {
  std::string text = j.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kFramePayload) broken("there is too much to say in one frame");
  send(type, 0, text.data(), text.size());
}

bool FrameChannel::readable(int milliseconds) const {
  pollfd p = {in_, POLLIN, 0};
  return poll(&p, 1, milliseconds) > 0;
}

void FrameChannel::read_all(void* data, size_t size, double until, const std::function<void()>& tick) {
  auto at = static_cast<char*>(data);
  while (size) {
    if (!readable(kSlice)) {
      if (tick) tick();
      if (until > 0 && monotonic_seconds() > until) broken("it does not answer");
      continue;
    }
    ssize_t n = read(in_, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) broken("the connection broke: " + kernel_reason(errno));
    if (n == 0) broken("the connection ended");
    at += n, size -= static_cast<size_t>(n);
  }
}

Frame FrameChannel::receive(double limit, const std::function<void()>& tick) {
  double until = limit > 0 ? monotonic_seconds() + limit : 0;
  FrameHeader h;
  read_all(&h, sizeof h, until, tick);
  if (h.magic != kMagic || h.size > kFramePayload) broken("something else than mig speaks there");
  Frame f{h.type, h.file, std::string(h.size, 0)};
  read_all(f.payload.data(), h.size, until, tick);
  if (frame_checksum(h, f.payload.data()) != h.checksum) broken("a checksum does not match: bytes have changed on the way");
  if (f.type != FrameType::kFailed) return f;
  Json j = frame_json(f);
  throw Problem::said(j.value("code", static_cast<unsigned>(Error::kTransport)), j.value("message", ""));
}

Frame FrameChannel::expect(FrameType type, double limit, const std::function<void()>& tick) {
  Frame f = receive(limit, tick);
  if (f.type != type)
    broken(fmt::format("frame {} came instead of {}", static_cast<unsigned>(f.type), static_cast<unsigned>(type)));
  return f;
}

Json frame_json(const Frame& f) {
  Json j = Json::parse(f.payload, nullptr, false);
  return j.is_object() ? j : Json::object();
}

}  // namespace mig
