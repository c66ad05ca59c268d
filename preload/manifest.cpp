// manifest.json: what an image is, for tools and people (docs/image.md). Its last line is the checksum of all the
// bytes before that line.
#include "preload/manifest.h"

#include <sys/utsname.h>

#include "image/base/checksum.h"
#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/text.h"
#include "image/cpu.h"
#include "image/layout.h"
#include "preload/contents.h"
#include "preload/image_output.h"
#include "preload/process.h"
#include "preload/scratch.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr size_t kManifestSize = 256 << 10;

void put_features(Text& t, const CpuSet& set) {
  t << "[";
  bool first = true;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i) {
    if (!set.has(i)) continue;
    if (!first) t << ",";
    first = false;
    t.json(kCpuFeatures[i].name);
  }
  t << "]";
}

void put_cpu(Text& t) {
  CpuSet features = cpu_features();
  CpuSet required = features & cpu_binding_mask();
  if (state.cpu_level[0]) required = required & cpu_level_mask(state.cpu_level);
  t << "\"cpu\":{\"features\":";
  put_features(t, features);
  t << ",\"required\":";
  put_features(t, required);
  t << ",\"level\":" << cpu_level_of(features) << ",\"xstate_bytes\":" << cpu_xstate_bytes() << "},\n";
}

void put_command(Text& t) {
  auto command = static_cast<char*>(scratch(64 << 10));
  long n = command ? read_text("/proc/self/cmdline", command, 64 << 10) : 0;
  t << "\"command\":[";
  for (long i = 0; i < n; i += static_cast<long>(text_length(command + i)) + 1) {
    if (i) t << ",";
    t.json(command + i);
  }
  t << "]";
}

void put_process(Text& t, uint64_t bytes) {
  t << "\"processes\":[{\"vpid\":" << process_vpid() << ",\"vppid\":" << process_vppid() << ",\"vpgid\":" << process_vpgid()
    << ",\"vsid\":" << process_vsid() << ",\"core\":\"" << process_vpid() << ".core\",\"bytes\":" << bytes
    << ",\"threads\":" << state.claimed << ",\"executable\":";
  t.json(state.executable) << ",";
  put_command(t);
  t << "}],\n";
}

void put_files(Text& t) {
  size_t count = 0;
  const CarriedFile* files = carried_files(count);
  t << "\"files\":[";
  for (size_t i = 0; i < count; ++i) {
    t << (i ? ",\n" : "") << "{\"name\":\"files/" << process_vpid() << "." << files[i].number << "\",\"bytes\":" << files[i].bytes
      << ",\"checksum\":\"";
    t.hex(files[i].checksum, 16) << "\"}";
  }
  t << "],\n";
}

}  // namespace

bool write_manifest(int directory, uint64_t bytes, int64_t stopped) {
  auto buffer = static_cast<char*>(scratch(kManifestSize));
  if (!buffer) return refuse(Error::kPendingLost, "manifest.json", "the kernel gave no memory for it");
  utsname names{};
  sys(__NR_uname, &names);
  Text t(buffer, kManifestSize);
  t << "{\"schema_version\":1,\n\"format\":" << kFormatVersion << ",\n\"version\":\"" << MIG_VERSION << "\",\n\"job\":";
  t.json(state.job_name) << ",\n\"generation\":" << state.generation << ",\n\"created\":" << clock_now(CLOCK_REALTIME)
                         << ",\n\"host\":";
  t.json(names.nodename) << ",\n\"kernel\":";
  t.json(names.release) << ",\n\"machine\":";
  t.json(names.machine) << ",\n\"page_size\":" << kPage << ",\n\"signal\":" << state.signal << ",\n";
  put_cpu(t);
  put_process(t, bytes);
  put_files(t);
  t << "\"stopped_ms\":" << stopped / kMillisecond << ",\n\"bytes\":" << bytes << ",\n";
  uint64_t sum = checksum(buffer, t.size());
  (t << "\"checksum\":\"").hex(sum, 16) << "\"}\n";
  if (t.overflow()) return refuse(Error::kInternal, "manifest.json", "it is larger than expected");
  ScopedFd fd(create_image_file(directory, "manifest.json"));
  long r = fd.ok() ? write_all(fd.get(), buffer, t.size()) : fd.get();
  if (r < 0)
    return refuse_errno(r == -ENOSPC || r == -EDQUOT ? Error::kNoSpace : Error::kWriteFailed, "manifest.json", "write", r);
  return true;
}

}  // namespace mig
