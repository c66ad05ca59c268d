// C++: an exception thrown across the restart, static and thread-local objects, std::thread, condition variables, locale.
#include "subject.h"

#include <condition_variable>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Never destroyed: a thread waits on them when the program ends.
static std::mutex &mutex = *new std::mutex;
static std::condition_variable &changed = *new std::condition_variable;
static int wanted, thrown, destroyed;

struct Guard {
  ~Guard() { ++destroyed; }
};

static void dive(int depth) {
  Guard guard;
  std::vector<std::string> ballast(3, std::string(100, 'x'));
  if (depth) return dive(depth - 1);
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return wanted > thrown; });
  throw std::runtime_error("from before the restart");
}

static void worker() {
  for (;;) try {
      dive(20);
    } catch (const std::runtime_error &e) {
      std::unique_lock lock(mutex);
      if (std::string(e.what()) != "from before the restart") fail("wrong exception");
      ++thrown;
      changed.notify_all();
    }
}

static void setup(void) {
  std::thread(worker).detach();
  sleep_ms(30);
}

static void verify(void) {
  std::unique_lock lock(mutex);
  ++wanted;
  changed.notify_all();
  EXPECT(changed.wait_for(lock, std::chrono::seconds(5), [] { return thrown == wanted; }));
  EXPECT_EQ(destroyed, 21 * wanted);
  try {
    throw 5;
  } catch (int n) {
    EXPECT_EQ(n, 5);
  }
  std::ostringstream text;
  text << 3.5;
  EXPECT_STR(text.str().c_str(), "3.5");
}
