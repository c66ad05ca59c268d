// manifest.json: what an image is, for tools and people (docs/image.md). Its last line is the checksum of all the
// bytes before that line.
#include "preload/save/manifest.h"

#include <sys/utsname.h>

#include "image/base/checksum.h"
#include "image/base/clock.h"
#include "image/base/file.h"
#include "image/base/futex.h"
#include "image/base/text.h"
#include "image/cpu.h"
#include "image/layout.h"
#include "preload/job/cut.h"
#include "preload/save/contents.h"
#include "preload/save/image_output.h"
#include "preload/save/process.h"
#include "preload/scratch.h"
#include "preload/state.h"

namespace mig {
namespace {

constexpr size_t kManifestSize = 64 << 10;  ///< without the lists

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
  long n = command ? read_text("/proc/thread-self/cmdline", command, 64 << 10) : 0;
  t << "\"command\":[";
  for (long i = 0; i < n; i += static_cast<long>(text_length(command + i)) + 1) {
    if (i) t << ",";
    t.json(command + i);
  }
  t << "]";
}

void put_process(Text& t, uint64_t bytes) {
  t << "{\"vpid\":" << process_vpid() << ",\"vppid\":" << process_vppid() << ",\"vpgid\":" << process_vpgid()
    << ",\"vsid\":" << process_vsid() << ",\"core\":\"" << process_vpid() << ".core\",\"bytes\":" << bytes
    << ",\"threads\":" << state.claimed << ",\"executable\":";
  t.json(state.executable) << ",";
  put_command(t);
  t << "}";
}

void put_files(Text& t) {
  size_t count = 0;
  const CarriedFile* files = carried_files(count);
  for (size_t i = 0; i < count; ++i) {
    t << (i ? ",\n" : "") << "{\"name\":\"files/" << process_vpid() << "." << files[i].number << "\",\"bytes\":" << files[i].bytes
      << ",\"checksum\":\"";
    t.hex(files[i].checksum, 16) << "\"}";
  }
}

bool out_of_memory() {
  return refuse(Error::kPendingLost, "manifest.json", "the kernel gave no memory for it");
}

/// What the manifest says of the members: two lists, without their brackets.
class Lists {
 public:
  bool add(const char* process, const char* files) { return append(processes_, process) && append(files_, files); }
  /// This process.
  bool add_self(uint64_t bytes) {
    auto text = static_cast<char*>(scratch(kPartSize));
    if (!text) return false;
    Text process(text, kPartSize / 2), files(text + kPartSize / 2, kPartSize / 2);
    put_process(process, bytes);
    put_files(files);
    return !process.overflow() && !files.overflow() && add(process.c_str(), files.c_str());
  }
  /// All members in the order of their entries, the job's first process first.
  bool collect(uint64_t bytes) {
    if (!state.job) return add_self(bytes);
    bool ok = true;
    for (uint32_t i = 0; ok && i < kMaxMembers && i < load(&state.job->member_count); ++i)
      if (static_cast<int32_t>(i) == state.member) ok = add_self(bytes);
      else if (has_saved(i)) ok = take_part(state.job->members[i].vpid);
    return ok;
  }
  size_t size() const { return processes_.size() + files_.size(); }
  const char* processes() { return processes_.size() ? processes_.begin() : ""; }
  const char* files() { return files_.size() ? files_.begin() : ""; }

 private:
  static constexpr size_t kPartSize = 512 << 10;

  static bool append(ScratchArray<char>& to, const char* text) {
    size_t n = text_length(text);
    if (!n) return true;
    if (to.size()) to[to.size() - 1] = ',';
    char* at = to.add(n + 1);
    if (at) __builtin_memcpy(at, text, n + 1);
    return at;
  }
  bool take_part(int32_t vpid) {
    const char* process = left_text(vpid);
    return process && add(process, process + text_length(process) + 1);
  }

  ScratchArray<char> processes_, files_;
};

long write_text(long opened, const char* text, size_t size) {
  ScopedFd fd(opened);
  return fd.ok() ? write_all(fd.get(), text, size) : fd.get();
}

bool refuse_file(const char* name, long r) {
  return refuse_errno(r == -ENOSPC || r == -EDQUOT ? Error::kNoSpace : Error::kWriteFailed, name, "write", r);
}

}  // namespace

bool leave_member_part(uint64_t bytes) {
  Lists own;
  if (!own.add_self(bytes)) return out_of_memory();
  size_t processes = text_length(own.processes()) + 1, files = text_length(own.files()) + 1;
  auto text = static_cast<char*>(scratch(processes + files));
  if (!text) return out_of_memory();
  text_copy(text, own.processes(), processes);
  text_copy(text + processes, own.files(), files);
  return leave_text(process_vpid(), text, processes + files);
}

bool write_manifest(int directory, uint64_t bytes, int64_t stopped) {
  Lists lists;
  if (!lists.collect(bytes)) return out_of_memory();
  size_t size = kManifestSize + lists.size();
  auto buffer = static_cast<char*>(scratch(size));
  if (!buffer) return out_of_memory();
  utsname names{};
  sys(__NR_uname, &names);
  Text t(buffer, size);
  t << "{\"schema_version\":1,\n\"format\":" << kFormatVersion << ",\n\"version\":\"" << MIG_VERSION << "\",\n\"job\":";
  t.json(state.job_name) << ",\n\"generation\":" << state.generation << ",\n\"created\":" << clock_now(CLOCK_REALTIME)
                         << ",\n\"host\":";
  t.json(names.nodename) << ",\n\"kernel\":";
  t.json(names.release) << ",\n\"machine\":";
  t.json(names.machine) << ",\n\"page_size\":" << kPage << ",\n\"signal\":" << state.signal << ",\n";
  put_cpu(t);
  t << "\"processes\":[" << lists.processes() << "],\n\"files\":[" << lists.files() << "],\n";
  t << "\"stopped_ms\":" << stopped / kMillisecond << ",\n\"bytes\":" << (state.job ? state.job->cut.bytes : bytes) << ",\n";
  uint64_t sum = checksum(buffer, t.size());
  (t << "\"checksum\":\"").hex(sum, 16) << "\"}\n";
  if (t.overflow()) return refuse(Error::kInternal, "manifest.json", "it is larger than expected");
  long r = write_text(create_image_file(directory, "manifest.json"), buffer, t.size());
  return r >= 0 || refuse_file("manifest.json", r);
}

}  // namespace mig
