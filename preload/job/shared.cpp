// The table of what is shared: a hash table of objects, each with its open file descriptions in a search tree.
//
// kcmp(KCMP_FILE) orders the descriptions of all processes alike, in an order that has nothing to do with their age, so
// a plain tree stays flat. Whoever is in the tree has entered and waits, and may be looked into: a process is dumpable while
// it saves. Addresses differ between the processes, so links are offsets, in units of 8 bytes. Pages are
// written before they are mapped: with no room left on the disk, touching a hole of the file would be fatal.
//
// The table only grows, by links that are set last, so it is searched without its lock. Most of what a process has to enter
// another one has entered before it; hundreds that came for the lock at the same time would mostly wait for each other.
#include "preload/job/shared.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <sys/mman.h>

#include "image/base/futex.h"
#include "preload/job/cut.h"
#include "preload/save/description.h"

namespace mig {
namespace {

constexpr char kName[] = ".shared";
constexpr size_t kReserve = 64 << 20, kGrowth = 256 << 10;
constexpr uint32_t kBuckets = 1 << 11;
constexpr uint64_t kNoDevice = ~0UL, kTextDevice = ~1UL;  ///< names of what is nobody's object: no file system gives them
constexpr int64_t kLook = 50 * kMillisecond, kLimit = 60 * kSecond;

using Link = uint32_t;  ///< 0: none

struct Description {  ///< or a table that clone(2) lets several processes have
  Holder holder;
  int32_t vpid;
  uint32_t sharers;  ///< processes that have claimed it
  Link smaller, larger;
};
/// Of a table of descriptors that several processes have: how far they are.
struct Listing {
  uint32_t resting, over;  ///< futex words
};
struct Claim {
  Range range;
  Link next;
  uint32_t reserved;
};
struct Object {
  ObjectName name;
  uint64_t value;
  uint32_t facts, claimed;
  Link next, descriptions, claims;
  uint32_t reserved;
};
struct Table {
  uint32_t members, entered, claimed;  ///< `entered` and `claimed` are futex words
  uint32_t left;                       ///< somebody went away without having entered
  uint32_t lock, waiting;              ///< the thread that holds it
  uint64_t used, size;                 ///< bytes
  uint64_t numbers;                    ///< given out to descriptions
  Link buckets[kBuckets];
};

Table* table;
bool mapped;  ///< it is a file
bool has_entered;
int place = -1;          ///< the directory that it is in
Description* own_files;  ///< this process's table of descriptors

bool refuse_table(long result) {
  if (result == -ENOSPC || result == -EDQUOT || result == -EFBIG)
    return refuse_errno(Error::kNoSpace, "the table of what the processes share", "write", result);
  return refuse_errno(Error::kPendingLost, "the table of what the processes share", "use", result);
}

template <class T>
T* at(Link link) {
  return link ? reinterpret_cast<T*>(reinterpret_cast<char*>(table) + uint64_t{link} * 8) : nullptr;
}

/// The file gets pages behind its end.
long grow_file(int fd, uint64_t size) {
  auto zeros = static_cast<char*>(scratch(kGrowth));
  if (!zeros) return -ENOMEM;
  return size + kGrowth > kReserve ? -ENOSPC : pwrite_all(fd, zeros, kGrowth, size);
}

/// Zeroed; 0: there is no memory.
Link allocate(size_t bytes) {
  if (!mapped) {
    void* p = scratch(bytes);
    return p ? static_cast<Link>((static_cast<char*>(p) - reinterpret_cast<char*>(table)) / 8) : 0;
  }
  while (table->used + bytes > table->size) {
    ScopedFd fd(open_at(place, kName, O_RDWR));
    if (!fd.ok() || grow_file(fd.get(), table->size) < 0) return 0;
    table->size += kGrowth;
  }
  auto link = static_cast<Link>(table->used / 8);
  table->used += bytes;
  return link;
}

/// The table's lock for a scope; a process alone needs none. Not ok(): its holder has died, or stands still.
class Guard {
 public:
  Guard() {
    if (!mapped) return;
    auto self = static_cast<uint32_t>(sys(__NR_gettid));
    for (int64_t waited = 0; waited < kLimit; waited += kLook) {
      uint32_t holder = 0;
      for (int i = 0; i < 100; ++i, holder = 0)
        if (__atomic_compare_exchange_n(&table->lock, &holder, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
      __atomic_fetch_add(&table->waiting, 1, __ATOMIC_ACQ_REL);
      bool in_time = futex_wait(&table->lock, load(&table->lock), kLook, true) != -ETIMEDOUT;
      __atomic_fetch_sub(&table->waiting, 1, __ATOMIC_ACQ_REL);
      if (in_time) waited -= kLook;
    }
    ok_ = false;
    refuse(Error::kPendingLost, "the table of what the processes share", "another process of the job holds it");
  }
  ~Guard() {
    if (!mapped || !ok_) return;
    store(&table->lock, 0);
    if (load(&table->waiting)) sys(__NR_futex, &table->lock, FUTEX_WAKE, 1);
  }
  bool ok() const { return ok_; }

 private:
  bool ok_ = true;
};

Link& bucket_of(const ObjectName& name) {
  return table->buckets[((name.inode ^ name.device * 31) * 0x9e3779b97f4a7c15) >> 53];
}
static_assert(kBuckets == 1 << (64 - 53));

Object* find(const ObjectName& name) {
  for (auto o = at<Object>(__atomic_load_n(&bucket_of(name), __ATOMIC_ACQUIRE)); o; o = at<Object>(o->next))
    if (o->name.inode == name.inode && o->name.device == name.device) return o;
  return nullptr;
}

/// Under the lock.
Object* find_or_make(const ObjectName& name) {
  if (Object* known = find(name)) return known;
  Link link = allocate(sizeof(Object));
  auto o = at<Object>(link);
  if (!o) {
    refuse_table(-ENOMEM);
    return nullptr;
  }
  o->name = name;
  o->next = bucket_of(name);
  __atomic_store_n(&bucket_of(name), link, __ATOMIC_RELEASE);
  return o;
}

bool refuse_comparison(const OpenDescription* d, long result) {
  char object[4300], cause[160];
  Text text(object);
  if (d) describe_descriptor(text, *d);
  else text << "what the process shares with others";
  Text(cause) << "whether another process of the job has it as well cannot be found out: this one may not look into that one";
  if (result == -EPERM) return refuse(Error::kUnsupportedDescriptor, object, cause);
  return refuse_errno(Error::kPendingLost, object, "compare it with another process's (kcmp)", result);
}

Link load_link(const Link* link) {
  return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}
void set_link(Link* link, Link to) {
  __atomic_store_n(link, to, __ATOMIC_RELEASE);
}

/// The place in the tree, from that link on, of what this process has, empty if it is new, and how the last comparison ended.
Link* find_place(Link* link, int type, int fd, long& order) {
  long own = sys(__NR_gettid);
  for (order = 0;;) {
    auto other = at<Description>(load_link(link));
    if (!other) return link;
    order = sys(__NR_kcmp, own, other->holder.tid, static_cast<long>(type), static_cast<long>(fd),
                static_cast<long>(other->holder.fd));
    if (order <= 0) return link;
    link = order == 1 ? &other->smaller : &other->larger;
  }
}

/// An empty place of the tree is filled if no other process is faster; nullptr: the failure is set.
Description* enter(const ObjectName& name, Link* link, int type, int fd, long& order) {
  Guard guard;
  Object* o = guard.ok() ? find_or_make(name) : nullptr;
  if (!o) return nullptr;
  link = find_place(link ? link : &o->descriptions, type, fd, order);
  if (order < 0) return nullptr;
  if (*link) return at<Description>(*link);
  Link fresh = allocate(sizeof(Description));
  if (!fresh) {
    refuse_table(-ENOMEM);
    return nullptr;
  }
  auto made = at<Description>(fresh);
  made->holder = {static_cast<int32_t>(sys(__NR_gettid)), fd, ++table->numbers};
  made->vpid = state.vpid;
  set_link(link, fresh);
  return made;
}

/// What this process has, as the first one that has it has entered it; nullptr: the failure is set.
Description* find_or_enter(const ObjectName& name, int type, const OpenDescription* d, long& order) {
  int fd = d ? d->fd : 0;
  order = 0;
  Object* o = find(name);
  Link* link = o ? find_place(&o->descriptions, type, fd, order) : nullptr;
  Description* known = link ? at<Description>(load_link(link)) : nullptr;
  if (!known && order >= 0) known = enter(name, link, type, fd, order);
  if (order >= 0) return known;
  refuse_comparison(d, order);
  return nullptr;
}

/// Users may not look into each other's processes, nor share with them what they could not look into.
ObjectName name_of_tables(int type) {
  return {kNoDevice, static_cast<uint64_t>(type) << 32 | static_cast<uint32_t>(sys(__NR_geteuid))};
}
ObjectName name_of_listing() {
  return {kNoDevice, 1UL << 40 | own_files->holder.number};
}

Listing* listing() {
  Guard guard;
  Object* o = guard.ok() ? find_or_make(name_of_listing()) : nullptr;
  if (o && !o->descriptions) o->descriptions = allocate(sizeof(Listing));
  return o ? at<Listing>(o->descriptions) : nullptr;
}

void visit_tree(Link link, bool (*visit)(void*, const Holder&), void* argument, bool& going_on) {
  auto d = at<Description>(link);
  if (!d || !going_on) return;
  visit_tree(d->smaller, visit, argument, going_on);
  going_on = going_on && visit(argument, d->holder);
  visit_tree(d->larger, visit, argument, going_on);
}

void tell_others() {
  futex_wake(&table->entered, true);
  futex_wake(&table->claimed, true);
}

/// Until the word has reached `expected`; looks whether the cut stands.
bool await_word(uint32_t* word, uint32_t expected, const char* why) {
  int64_t deadline = clock_now(CLOCK_MONOTONIC) + kLimit;
  for (uint32_t n; (n = load(word)) < expected;) {
    if (load(&table->left)) return refuse(Error::kPendingLost, "the checkpoint", "another process of the job could not be saved");
    if (clock_now(CLOCK_MONOTONIC) > deadline) return refuse(Error::kPendingLost, "the checkpoint", why);
    if (futex_wait(word, n, kLook, true) == -ETIMEDOUT && !cut_stands()) return false;
  }
  return true;
}
bool await_everybody(uint32_t* word) {
  if (__atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL) == table->members) futex_wake(word, true);
  return await_word(word, table->members, "another process of the job does not come to saving its descriptors");
}

}  // namespace

bool make_shared_table(int directory, uint32_t members) {
  ScopedFd fd(open_at(directory, kName, O_RDWR | O_CREAT | O_EXCL, 0600));
  Table first{};
  first.members = members, first.used = sizeof first, first.size = kGrowth;
  long r = fd.ok() ? grow_file(fd.get(), 0) : fd.get();
  if (r >= 0) r = pwrite_all(fd.get(), &first, offsetof(Table, buckets), 0);
  return r >= 0 || refuse_table(r);
}

void remove_shared_table(int directory) {
  sys(__NR_unlinkat, directory, kName, 0);
}

bool open_shared_table(int directory) {
  static_assert(sizeof(Table) <= kGrowth);
  table = nullptr;
  mapped = has_entered = false;
  own_files = nullptr;
  ScopedFd fd(open_at(directory, kName, O_RDWR));
  if (fd.get() == -ENOENT) return true;
  long p = fd.ok() ? sys(__NR_mmap, 0L, kReserve, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0L) : fd.get();
  if (failed(p)) return refuse_table(p);
  table = reinterpret_cast<Table*>(p);
  mapped = true;
  place = directory;
  return true;
}

void forget_shared_table() {
  table = nullptr;
  own_files = nullptr;
  mapped = false;
}

void close_shared_table() {
  if (mapped && !has_entered) {
    store(&table->left, 1);
    tell_others();
  }
  if (mapped) sys(__NR_munmap, table, kReserve);
  table = nullptr;
  own_files = nullptr;
  mapped = false;
}

bool in_shared_table(uint64_t address) {
  auto start = reinterpret_cast<uint64_t>(table);
  return mapped && address >= start && address < start + kReserve;
}

bool begin_sharing() {
  if (mapped) return true;
  table = static_cast<Table*>(scratch(sizeof(Table)));
  return table || refuse_table(-ENOMEM);
}

bool await_descriptions() {
  if (!mapped) return true;
  has_entered = true;
  return await_everybody(&table->entered);
}

bool claim_table(int type, int32_t& keeper) {
  keeper = state.vpid;
  if (!mapped) return true;
  long order = 0;
  Description* found = find_or_enter(name_of_tables(type), type, nullptr, order);
  if (order == -EPERM) state.failure = {};  // nothing of what that one has is this one's
  if (!found) return order == -EPERM;
  __atomic_fetch_add(&found->sharers, 1, __ATOMIC_ACQ_REL);
  keeper = found->vpid;
  if (type == KCMP_FILES) own_files = found;
  return true;
}

bool await_tables() {
  return !mapped || await_everybody(&table->claimed);
}

bool begin_listing() {
  if (!own_files || own_files->sharers < 2) return true;
  Listing* l = listing();
  return l && await_word(&l->resting, own_files->sharers - 1, "another process that has the same descriptors uses them");
}

void end_listing() {
  Listing* l = own_files && own_files->sharers > 1 ? listing() : nullptr;
  if (!l) return;
  store(&l->over, 1);
  futex_wake(&l->over, true);
}

bool lend_descriptors(const ScratchArray<int32_t>& fds) {
  Listing* l = listing();
  ScratchArray<Range> granted;
  for (int32_t fd : fds)
    if (!l || !claim_range(name_of_listing(), {static_cast<uint64_t>(fd), static_cast<uint64_t>(fd) + 1}, granted)) return false;
  __atomic_fetch_add(&l->resting, 1, __ATOMIC_ACQ_REL);
  futex_wake(&l->resting, true);
  return await_word(&l->over, 1, "another process that has the same descriptors does not come to listing them");
}

bool is_lent(int fd) {
  const Object* o = own_files && own_files->sharers > 1 ? find(name_of_listing()) : nullptr;
  for (auto c = at<Claim>(o ? o->claims : 0); c; c = at<Claim>(c->next))
    if (static_cast<uint64_t>(fd) >= c->range.start && static_cast<uint64_t>(fd) < c->range.end) return true;
  return false;
}

bool note_object(const ObjectName& name, uint32_t facts, uint64_t value) {
  Guard guard;
  Object* o = guard.ok() ? find_or_make(name) : nullptr;
  if (!o) return false;
  o->facts |= facts;
  o->value = value;
  return true;
}

uint32_t object_facts(const ObjectName& name, uint64_t* value) {
  const Object* o = find(name);
  if (o && value) *value = o->value;
  return o ? o->facts : 0;
}

bool claim_object(const ObjectName& name) {
  Object* o = find(name);
  if (!o) {
    Guard guard;
    o = guard.ok() ? find_or_make(name) : nullptr;
  }
  return !o || __atomic_exchange_n(&o->claimed, 1, __ATOMIC_ACQ_REL) == 0;
}

/// Others have claimed all of it.
static bool is_claimed(const ObjectName& name, Range range) {
  const Object* o = find(name);
  for (auto c = at<Claim>(o ? load_link(&o->claims) : 0); c && range.start < range.end; c = at<Claim>(load_link(&c->next))) {
    if (c->range.start > range.start) return false;
    if (uint64_t end = __atomic_load_n(&c->range.end, __ATOMIC_ACQUIRE); end > range.start) range.start = end;
  }
  return range.start >= range.end;
}

bool claim_range(const ObjectName& name, Range range, ScratchArray<Range>& granted) {
  if (!mapped) return granted.push(range) || refuse_table(-ENOMEM);
  if (is_claimed(name, range)) return true;
  Guard guard;
  Object* o = guard.ok() ? find_or_make(name) : nullptr;
  if (!o) return false;
  Link* link = &o->claims;
  Claim* before = nullptr;
  while (range.start < range.end) {
    auto next = at<Claim>(*link);
    if (next && next->range.start <= range.start) {
      if (next->range.end > range.start) range.start = next->range.end;
      before = next, link = &next->next;
      continue;
    }
    Range gap{range.start, next && next->range.start < range.end ? next->range.start : range.end};
    if (before && before->range.end == gap.start) {
      __atomic_store_n(&before->range.end, gap.end, __ATOMIC_RELEASE);
    } else {
      Link fresh = allocate(sizeof(Claim));
      if (!fresh) return refuse_table(-ENOMEM);
      before = at<Claim>(fresh);
      before->range = gap, before->next = *link;
      set_link(link, fresh);
      link = &before->next;
    }
    if (!granted.push(gap)) return refuse_table(-ENOMEM);
    range.start = gap.end;
  }
  return true;
}

bool claim_description(OpenDescription& d) {
  if (!mapped) return true;
  long order = 0;
  Description* found = find_or_enter(object_of(d), KCMP_FILE, &d, order);
  if (!found) return false;
  d.record.shared = found->holder.number;
  d.record.owner_vpid = found->vpid;
  return true;
}

bool leave_text(int32_t vpid, const char* text, size_t size) {
  Guard guard;
  Object* o = guard.ok() ? find_or_make({kTextDevice, static_cast<uint64_t>(vpid)}) : nullptr;
  Link link = o ? allocate((size + 7) & ~size_t{7}) : 0;
  if (!link) return refuse_table(-ENOMEM);
  memcpy(at<char>(link), text, size);
  o->value = link;
  return true;
}

const char* left_text(int32_t vpid) {
  const Object* o = find({kTextDevice, static_cast<uint64_t>(vpid)});
  return o ? at<char>(static_cast<Link>(o->value)) : nullptr;
}

void each_holder(const ObjectName& name, bool (*visit)(void*, const Holder&), void* argument) {
  const Object* o = find(name);
  bool going_on = true;
  if (o) visit_tree(o->descriptions, visit, argument, going_on);
}

}  // namespace mig
