// mig core: one plain ELF core, for gdb and other tools that know nothing of images.
//
// Packed pages become segments again. Runs that lie close together share one segment, and the zero pages
// between them are holes of the file, so a memory of which every second page was touched needs no million
// headers.
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "image/base/arena.h"
#include "image/base/file.h"
#include "tools/commands.h"
#include "tools/core_file.h"
#include "tools/duration.h"
#include "tools/manifest.h"
#include "tools/output.h"
#include "tools/problem.h"

namespace mig {

namespace {

constexpr uint64_t kJoinGap = 1 << 20;  ///< shorter gaps of zeros become holes within a segment

bool overlaps(const Elf64_Phdr& p, const PackedEntry& e) {
  return p.p_vaddr < e.record.end && e.record.start < p.p_vaddr + p.p_memsz;
}

/// The segments for one load: itself, or pieces around its packed pages.
void add_segments(const CoreFile& core, const Elf64_Phdr& load, std::vector<Elf64_Phdr>& out) {
  bool packed = false;
  for (const PackedEntry& e : core.packed()) packed = packed || overlaps(load, e);
  out.push_back(load);
  if (!load.p_filesz && (load.p_flags & kSegmentClean)) out.back().p_filesz = load.p_memsz;
  if (!packed) return;
  out.back().p_filesz = 0;
  for (uint64_t at = load.p_vaddr; at < load.p_vaddr + load.p_memsz; at += kPage) {
    if (!core.saved_page(at)) continue;
    Elf64_Phdr& last = out.back();
    uint64_t end = last.p_vaddr + last.p_filesz;
    if (at - end >= kJoinGap) {
      uint64_t rest = last.p_vaddr + last.p_memsz - at;
      last.p_memsz = at - last.p_vaddr;
      out.push_back(load);
      out.back().p_vaddr = at, out.back().p_filesz = 0, out.back().p_memsz = rest;
    }
    out.back().p_filesz = at + kPage - out.back().p_vaddr;
  }
}

void check(long r, const std::string& path) {
  if (failed(r)) throw Problem(r == -ENOSPC || r == -EDQUOT ? Error::kNoSpace : Error::kWriteFailed, path, kernel_reason(r));
}

std::vector<char> note_segment(const CoreFile& core) {
  std::vector<char> bytes;
  auto append = [&](const void* p, size_t n) {
    bytes.insert(bytes.end(), static_cast<const char*>(p), static_cast<const char*>(p) + n);
    bytes.resize(note_align(bytes.size()));
  };
  for (const Note& n : core.notes()) {
    Elf64_Nhdr h = {static_cast<uint32_t>(n.owner.size() + 1), static_cast<uint32_t>(n.data.size()), n.type};
    append(&h, sizeof h);
    append(n.owner.c_str(), n.owner.size() + 1);
    append(n.data.data(), n.data.size());
  }
  return bytes;
}

void write_header(int fd, const std::string& path, const CoreFile& core, size_t segments) {
  Elf64_Ehdr h;
  memcpy(&h, core.data(), sizeof h);
  bool many = segments >= PN_XNUM;
  h.e_phoff = kPage;
  h.e_phnum = static_cast<uint16_t>(many ? PN_XNUM : segments);
  h.e_shoff = many ? sizeof h : 0;
  h.e_shnum = many ? 1 : 0;
  h.e_shentsize = many ? sizeof(Elf64_Shdr) : 0;
  h.e_shstrndx = 0;
  check(pwrite_all(fd, &h, sizeof h, 0), path);
  Elf64_Shdr s = {};
  s.sh_info = static_cast<uint32_t>(segments);
  if (many) check(pwrite_all(fd, &s, sizeof s, sizeof h), path);
}

/// The segment's pages, with holes where nothing was saved. Whole runs go in one write.
void write_segment(int fd, const std::string& path, const CoreFile& core, const Elf64_Phdr& p) {
  for (uint64_t in = 0; in < p.p_filesz;) {
    const char* from = core.saved_page(p.p_vaddr + in);
    uint64_t run = kPage;
    if (from) {
      while (in + run < p.p_filesz && run < kBlockSize && core.saved_page(p.p_vaddr + in + run) == from + run) run += kPage;
      check(pwrite_all(fd, from, run, p.p_offset + in), path);
    }
    in += run;
  }
}

void write_core(int fd, const std::string& path, const CoreFile& core) {
  std::vector<Elf64_Phdr> segments;
  for (const Elf64_Phdr& load : core.loads()) add_segments(core, load, segments);
  std::vector<char> notes = note_segment(core);
  Elf64_Phdr note = {};
  note.p_type = PT_NOTE, note.p_align = 4, note.p_filesz = notes.size();
  note.p_offset = kPage + (segments.size() + 1) * sizeof note;
  uint64_t at = page_up(note.p_offset + notes.size());
  for (Elf64_Phdr& p : segments) p.p_offset = at, at += page_up(p.p_filesz);
  write_header(fd, path, core, segments.size() + 1);
  check(pwrite_all(fd, &note, sizeof note, kPage), path);
  check(pwrite_all(fd, segments.data(), segments.size() * sizeof note, kPage + sizeof note), path);
  check(pwrite_all(fd, notes.data(), notes.size(), note.p_offset), path);
  for (const Elf64_Phdr& p : segments) write_segment(fd, path, core, p);
  if (ftruncate(fd, static_cast<off_t>(at)) != 0) check(-errno, path);
}

const ManifestProcess& choose_process(const Arguments& a, const Manifest& m) {
  if (!a.has("process")) return m.processes[0];
  long vpid = parse_number("--process", a.text("process"), 1, 1L << 30);
  for (const ManifestProcess& p : m.processes)
    if (p.vpid == vpid) return p;
  throw Problem(Error::kBadArgument, fmt::format("--process {}", vpid), "the image holds no process of that virtual pid",
                "`mig inspect IMAGE` lists them.");
}

int run(const Arguments& a) {
  std::string image = resolve_image(a.text("IMAGE"));
  Manifest m = read_manifest(image);
  const ManifestProcess& p = choose_process(a, m);
  CoreFile core(image + "/" + p.core, p.bytes);
  std::string path = a.text("output", p.core);
  int exclusive = a.has("output") ? O_TRUNC : O_EXCL;
  ScopedFd fd(open_path(path.c_str(), O_WRONLY | O_CREAT | exclusive, 0600));
  if (!fd.ok()) throw Problem(Error::kNotWritable, path, kernel_reason(fd.error()), "Name another file with -o FILE.");
  write_core(fd.get(), path, core);
  fmt::print("{}\n", path);
  return 0;
}

}  // namespace

Command core_command() {
  return {"core",
          "turn an image into an ELF core for gdb",
          "Writes one process of an image as a plain ELF core file and prints its name: VPID.core here, or "
          "the one given with -o. "
          "Threads, registers, memory and the list of mapped files are as gdb expects them.",
          {{"IMAGE", "an image, or a directory of images (its latest)"}},
          {{"output", "o", "FILE", "write to FILE"}, {"process", nullptr, "VPID", "the process (default: the first)"}},
          nullptr,
          {"mig core sim.mig -o sim.core && gdb ./sim sim.core"},
          run};
}

}  // namespace mig
