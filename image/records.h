// What a process file says about a process, beyond what an ELF core has words for: a stream of records in one
// note (owner "MIG", type kNoteRecords). preload/ writes them, restore/ replays them, tools/ shows them.
//
// A record is a header, a fixed structure, and (some) a tail of bytes: a path with its zero byte, or an array.
// Sizes are multiples of 8. Fields are only ever appended to a structure; a reader takes what it knows of a
// record and treats what is missing as zero. A record of an unknown type with kRecordRequired set refuses the
// image; without it, it is skipped. All times are nanoseconds, all addresses and sizes bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace mig {

enum class RecordType : uint32_t {
  kProcess = 1,
  kText = 2,
  kAuxv = 3,
  kCredentials = 4,
  kLimit = 5,
  kMapping = 10,
  kPackedPages = 11,
  kGuard = 12,
  kThread = 20,
  kExtendedState = 21,
  kSignalAction = 30,
  kPendingSignal = 31,
  kIntervalTimer = 32,
  kPosixTimer = 33,
  kDescription = 40,
  kDescriptor = 41,
  kFileLock = 42,
  kContents = 43,
  kEpollEntry = 44,
  kInotifyWatch = 45,
  kTerminal = 46,
  kSocketOption = 47,
  kSocketAddress = 48,
  kMessage = 49,
  kChild = 60,
  kClocks = 61,
};

constexpr uint32_t kRecordRequired = 1;

struct RecordHeader {
  RecordType type;
  uint32_t flags;
  uint32_t fixed_size;  ///< of the structure behind this header
  uint32_t tail_size;   ///< of the bytes behind the structure, without padding
};
static_assert(sizeof(RecordHeader) == 16);

enum class TextRole : uint32_t {
  kExecutable = 1,
  kWorkingDirectory = 2,
  kHost = 3,
  kKernel = 4,
  kJob = 5,
  kImages = 6,
  kTerminal = 7,
  kLibrary = 8,
};

struct TextRecord {
  TextRole role;
  uint32_t flags;  ///< kTextDeleted
};
constexpr uint32_t kTextDeleted = 1;

/// The bounds that PR_SET_MM_MAP takes, in its order (struct prctl_mm_map, linux/prctl.h).
struct MemoryBounds {
  uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
  uint64_t arg_start, arg_end, env_start, env_end;
};

struct ProcessRecord {
  int32_t vpid, vppid, vpgid, vsid;
  uint64_t generation;      ///< restarts so far
  uint64_t resume_address;  ///< of the library's ResumeInfo (image/resume.h)
  MemoryBounds bounds;
  int64_t realtime, monotonic, boottime;  ///< as the program saw them
  int64_t user_time, system_time;         ///< CPU time used since birth, over all generations
  int64_t child_user_time, child_system_time;
  uint32_t umask;
  uint32_t personality;
  int32_t dumpable, no_new_privs, thp_disable, child_subreaper, parent_death_signal, keep_capabilities;
  int32_t oom_score_adj;
  uint32_t coredump_filter;
  uint32_t membarrier;  ///< bits MEMBARRIER_CMD_REGISTER_* in force
  uint32_t thread_count;
  int32_t io_flusher, mce_kill, tsc_mode;
  uint32_t protection_keys;  ///< bit per allocated key (pkeys(7))
  uint64_t resume_size;      ///< of that ResumeInfo: what the library in the image knows
  int32_t exit_signal;       ///< what its parent gets when it ends (clone(2)); 0 in old images: SIGCHLD, -1: none
  uint32_t stopped;          ///< signal that had stopped it (SIGSTOP, SIGTSTP, ...), 0: it ran
  int32_t terminal;          ///< device of its controlling terminal, 0: none
  int32_t foreground;        ///< the process group in the foreground of that terminal, 0: none
  uint64_t job_address;      ///< of the job's control block, which is mapped there again, 0: none
  uint64_t job_size;
  int32_t files_vpid;      ///< the process that has the records of the descriptors that they share (CLONE_FILES), 0: this one
  int32_t directory_vpid;  ///< the process whose working directory and umask this one shares (CLONE_FS), 0: it has its own
};

/// What the program's clocks will go on from, read when nothing of the process but its memory was left to be saved. The members of
/// a job go on from the latest of theirs.
struct ClocksRecord {
  int64_t monotonic, boottime;
};

/// A child that has ended and that the process has not waited for yet.
struct ChildRecord {
  int32_t vpid, vpgid, vsid;
  int32_t status;  ///< as wait(2) gives it
  int32_t exit_signal;
  int32_t reserved;
  char name[16];
};

struct CredentialsRecord {
  uint32_t ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid;
  uint64_t inheritable, permitted, effective, bounding, ambient;
  uint32_t securebits;
  uint32_t group_count;  ///< tail: uint32_t each
};

struct LimitRecord {
  uint32_t resource, reserved;
  uint64_t current, maximum;
};

enum class MappingKind : uint32_t {
  kAnonymous = 1,        ///< private; zero where nothing was saved
  kFilePrivate = 2,      ///< file pages, private changes on top; `carried` says whether all of it was saved
  kFileShared = 3,       ///< the file itself
  kSharedAnonymous = 4,  ///< a nameless object shared by every mapping with the same (device, inode)
  kMemfd = 5,
  kSystemV = 6,
  kDevice = 7,     ///< /dev/zero and friends, mapped again by path
  kAsyncRing = 8,  ///< of a context of the kernel's asynchronous I/O, saved whole
};

/// What madvise(2), mlock(2) and mmap flags left on a mapping.
enum MappingAdvice : uint32_t {
  kDontFork = 1 << 0,
  kDontDump = 1 << 1,
  kHugePage = 1 << 2,
  kNoHugePage = 1 << 3,
  kMergeable = 1 << 4,
  kWipeOnFork = 1 << 5,
  kGrowsDown = 1 << 6,
  kLocked = 1 << 7,
  kNoReserve = 1 << 8,
  kHugeTlb = 1 << 9,
  kDroppable = 1 << 10,
  kSealed = 1 << 11,
  kSequential = 1 << 12,
  kRandom = 1 << 13,
  kLockOnFault = 1 << 14,
  kStack = 1 << 15,  ///< the initial stack
};

constexpr uint32_t kMappingCarried = 1;      ///< every non-zero page was saved: the file is not needed
constexpr uint32_t kMappingFileDeleted = 2;  ///< the file had no name any more

struct MappingRecord {  // tail: path
  uint64_t start, end, offset;
  uint32_t protection;  ///< PROT_*
  uint32_t kind;        ///< MappingKind
  uint32_t advice;      ///< MappingAdvice
  uint32_t flags;       ///< kMapping*
  uint64_t device, inode, file_size;
  int64_t file_mtime;
  uint32_t protection_key;
  uint32_t page_size;  ///< of huge pages, else 4096
};

/// Pages whose runs are too short for PT_LOADs of their own. Tail: bitmap, one bit per page of [start, end).
struct PackedPagesRecord {
  uint64_t start, end, file_offset, page_count;
};

/// Pages that raise SIGSEGV when touched (MADV_GUARD_INSTALL, Linux 6.13).
struct GuardRecord {
  uint64_t start, end;
};

/// The registers that a function call preserves; where a stopped thread goes on inside the library.
struct CallContext {
  uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};

struct ThreadRecord {
  int32_t vtid;
  uint32_t flags;             ///< kThreadMain, kThreadHandler
  CallContext context;        ///< to be jumped to with rax = 1
  uint64_t real_tid_address;  ///< an int32_t in the library: the stub stores the new real tid here
  uint64_t fs_base, gs_base;
  uint64_t frame;      ///< address of the ucontext_t that the thread's rt_sigreturn will load
  uint64_t clear_tid;  ///< set_tid_address(2)
  uint64_t robust_list, robust_list_size;
  uint64_t rseq;  ///< address, or 0
  uint32_t rseq_size, rseq_signature;
  uint64_t signal_mask;  ///< as the program sees it
  uint64_t alternate_stack, alternate_stack_size;
  uint32_t alternate_stack_flags;
  int32_t nice;
  uint32_t policy, priority;
  uint64_t sched_flags, sched_runtime, sched_deadline, sched_period;
  uint64_t timer_slack;
  int32_t io_priority;
  int32_t parent_death_signal;
  int64_t system_call;  ///< the call it was blocked in, or -1
  int64_t cpu_time;
  uint64_t affinity[16];   ///< 1024 CPUs
  uint32_t affinity_size;  ///< bytes that the kernel gave
  char name[16];
  uint32_t capabilities_reserved;
};
constexpr uint32_t kThreadMain = 1;
constexpr uint32_t kThreadHandler = 2;  ///< the one that wrote the image
constexpr uint32_t kThreadDead = 4;     ///< the main thread after pthread_exit: comes back as a zombie

/// The CPU's XSAVE layout, in which the signal frames are written. Tail: an offset and a size (uint32_t) for each component
/// from the third on (image/base/arch/x86_64/xstate.h).
struct ExtendedStateRecord {
  uint64_t enabled;    ///< XCR0; 0: no XSAVE
  uint64_t permitted;  ///< ARCH_GET_XCOMP_PERM, or 0
};

struct SignalActionRecord {
  uint32_t signal, reserved;
  uint64_t handler, flags, restorer, mask;
};

struct PendingSignalRecord {
  int32_t vtid;  ///< 0: pending for the process
  uint32_t reserved;
  uint8_t info[128];  ///< siginfo_t, with virtual pids
};

struct IntervalTimerRecord {
  uint32_t which, reserved;  ///< ITIMER_*
  int64_t value, interval;
};

struct PosixTimerRecord {
  int32_t id;
  int32_t clock;
  int32_t notify;  ///< SIGEV_*
  int32_t signal;
  int32_t notify_vtid;
  int32_t overrun;
  uint64_t value_pointer;  ///< sigev_value
  int64_t value, interval;
  uint32_t flags;      ///< kTimer*
  int32_t clock_vtid;  ///< clock -2 (CPU time of a thread): which; 0: the main thread
};
constexpr uint32_t kTimerExpired = 1;  ///< its signal was sent but not taken any more: it expires at once

enum class DescriptionKind : uint32_t {
  kRegular = 1,
  kDirectory = 2,
  kDevice = 3,
  kTerminal = 4,
  kPipe = 5,
  kFifo = 6,
  kEpoll = 7,
  kEventfd = 8,
  kTimerfd = 9,
  kSignalfd = 10,
  kInotify = 11,
  kMemfd = 12,
  kSocketPair = 13,  ///< unix socket, connected inside the job
  kUnixListener = 14,
  kTcpListener = 15,
  kTcpLost = 16,    ///< an established connection (TCP or unix): comes back as one that was reset
  kInherited = 17,  ///< standard stream to the outside: takes the restart's own descriptor
  kPathOnly = 18,   ///< O_PATH
  kPidfd = 19,
  kDatagramSocket = 20,
  kProc = 21,            ///< a file under /proc of the job itself
  kFreshSocket = 22,     ///< not connected, perhaps bound
  kPseudoTerminal = 23,  ///< master or slave of a pair that the process made
  kTcpPair = 24,         ///< TCP over loopback, connected inside the job
};

constexpr uint32_t kDescriptionUnlinked = 1;  ///< contents are in the image (ContentsRecord)
constexpr uint32_t kDescriptionWritten = 2;   ///< open for writing: cut back at the restart

constexpr uint32_t kDescriptionAlone = 4;  ///< a pipe or socket whose other end is gone, or is lost by the restart
constexpr uint32_t kDescriptionNamed = 8;  ///< kDescriptionUnlinked, but the file gets its name back

/// An open file description. Several descriptors may refer to one. Tail: path (as seen by the kernel). The records
/// that belong to it (locks, contents, addresses, options, entries) stand behind it, before the next description.
struct DescriptionRecord {
  uint32_t id;  ///< counts from 0 within the process file
  uint32_t kind;
  uint32_t open_flags;  ///< F_GETFL, plus O_* that it does not tell
  uint32_t flags;       ///< kDescription*
  int64_t position;
  uint64_t device, inode, size, rdev;
  int64_t mtime;
  uint32_t mode, owner_kind;  ///< F_OWNER_*
  int32_t owner;              ///< virtual id, F_GETOWN_EX
  int32_t owner_signal;       ///< F_GETSIG
  uint64_t peer;              ///< kPipe, kSocketPair: id that the two ends share; kInherited: the standard descriptor
  uint64_t value[8];          ///< by kind, see preload/ and restore/ files of that noun
  uint64_t shared;            ///< number of this description within the job: the same in every process that has it; 0: unknown
  uint32_t owner_vpid;        ///< the process whose file has the records that belong to it; 0: this one
  uint32_t reserved;
};

struct DescriptorRecord {
  int32_t fd;
  uint32_t description;
  uint32_t close_on_exec;
  uint32_t reserved;
};

struct FileLockRecord {
  uint32_t description;
  uint32_t kind;  ///< 0 POSIX, 1 OFD, 2 flock, 3 lease
  int32_t type;   ///< F_RDLCK, F_WRLCK / LOCK_SH, LOCK_EX
  int32_t reserved;
  int64_t start, length;
};

/// The bytes of a pipe, a socket's queue (one record per message where there are boundaries) or an unlinked file.
/// Tail: the bytes, or none when they stand in `carried` (image/carried.h).
struct ContentsRecord {
  uint32_t description;
  uint32_t carried;  ///< n > 0: the bytes are in files/VPID.n of the image
  uint64_t size;
  uint64_t checksum;  ///< of the whole carried file
};

/// What comes along with the bytes of a unix socket's message, in the ContentsRecord behind it. Tail: a MessageRight for each descriptor
/// under way (SCM_RIGHTS).
struct MessageRecord {
  uint32_t description;
  int32_t vpid;  ///< of the sender (SCM_CREDENTIALS), 0: nobody
  uint32_t uid, gid;
};
struct MessageRight {
  uint64_t shared;       ///< number of that description within the job, 0: `description` names it
  uint32_t description;  ///< in this process file
  uint32_t reserved;
};

/// An option of a socket that a setsockopt(2) with the same bytes brings back. Tail: its value.
struct SocketOptionRecord {
  uint32_t description;
  int32_t level, name;
  uint32_t reserved;
};

/// Tail: a struct sockaddr; with kAddressOfFile the path of its file.
struct SocketAddressRecord {
  uint32_t description;
  uint32_t peer;  ///< 0: its own (bind), 1: whom it is connected to, kAddressOf...
};
constexpr uint32_t kAddressOfSender = 2;  ///< of the message in the ContentsRecord behind it
constexpr uint32_t kAddressOfFile = 3;    ///< where the file of a unix socket is that was renamed since it was bound

struct EpollEntryRecord {
  uint32_t epoll;  ///< description
  int32_t fd;
  uint32_t events;
  uint32_t description;  ///< that was registered under `fd`
  uint64_t data;
  uint64_t shared;  ///< its number within the job where this process does not have it any more; 0: `description` names it
};

struct InotifyWatchRecord {  // tail: path
  uint32_t description;
  int32_t watch;
  uint32_t mask;
  uint32_t reserved;
};

struct TerminalRecord {
  uint32_t description;  ///< unused: ~0
  int32_t foreground;    ///< virtual process group
  uint16_t rows, columns, x_pixels, y_pixels;
  uint8_t termios[44];  ///< struct termios2 of the kernel
  uint32_t reserved;    ///< to a multiple of 8
};

/// Walks the records of one note.
class RecordReader {
 public:
  RecordReader(const void* data, size_t size)
      : at_(static_cast<const char*>(data)), end_(static_cast<const char*>(data) + size) {}
  /// The next header, or nullptr at the end or where the stream is damaged (`damaged()` tells).
  const RecordHeader* next() {
    if (static_cast<size_t>(end_ - at_) < sizeof(RecordHeader)) return stop(at_ != end_);
    auto h = reinterpret_cast<const RecordHeader*>(at_);
    uint64_t size = sizeof *h + uint64_t{h->fixed_size} + ((uint64_t{h->tail_size} + 7) & ~7UL);
    if ((h->fixed_size & 7) || size > static_cast<uint64_t>(end_ - at_)) return stop(true);
    at_ += size;
    return h;
  }
  bool damaged() const { return damaged_; }

 private:
  const RecordHeader* stop(bool damaged) {
    damaged_ = damaged_ || damaged;
    return nullptr;
  }
  const char* at_;
  const char* end_;
  bool damaged_ = false;
};

/// A record's structure as this build knows it: missing fields are zero.
template <class T>
T record_as(const RecordHeader* h) {
  T v{};
  auto from = reinterpret_cast<const unsigned char*>(h + 1);
  auto to = reinterpret_cast<unsigned char*>(&v);
  for (size_t i = 0; i < sizeof v && i < h->fixed_size; ++i) to[i] = from[i];
  return v;
}
inline const char* record_tail(const RecordHeader* h) {
  return reinterpret_cast<const char*>(h + 1) + h->fixed_size;
}

static_assert(sizeof(ProcessRecord) % 8 == 0 && sizeof(MappingRecord) % 8 == 0 && sizeof(ThreadRecord) % 8 == 0);
static_assert(sizeof(DescriptionRecord) % 8 == 0 && sizeof(CredentialsRecord) % 8 == 0);
static_assert(sizeof(PosixTimerRecord) % 8 == 0 && sizeof(PendingSignalRecord) % 8 == 0);
static_assert(sizeof(FileLockRecord) % 8 == 0 && sizeof(TerminalRecord) % 8 == 0);
static_assert(sizeof(ChildRecord) % 8 == 0 && sizeof(ClocksRecord) % 8 == 0);
static_assert(sizeof(EpollEntryRecord) % 8 == 0 && sizeof(InotifyWatchRecord) % 8 == 0);

/// Whether this program knows what a record of the type means.
constexpr bool is_known(RecordType type) {
  switch (type) {
    case RecordType::kProcess:
    case RecordType::kText:
    case RecordType::kAuxv:
    case RecordType::kCredentials:
    case RecordType::kLimit:
    case RecordType::kMapping:
    case RecordType::kPackedPages:
    case RecordType::kGuard:
    case RecordType::kThread:
    case RecordType::kExtendedState:
    case RecordType::kSignalAction:
    case RecordType::kPendingSignal:
    case RecordType::kIntervalTimer:
    case RecordType::kPosixTimer:
    case RecordType::kDescription:
    case RecordType::kDescriptor:
    case RecordType::kFileLock:
    case RecordType::kContents:
    case RecordType::kEpollEntry:
    case RecordType::kInotifyWatch:
    case RecordType::kTerminal:
    case RecordType::kSocketOption:
    case RecordType::kSocketAddress:
    case RecordType::kMessage:
    case RecordType::kChild:
    case RecordType::kClocks: return true;
  }
  return false;
}

}  // namespace mig
