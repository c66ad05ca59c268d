// A job that was asked to stop for a move: unless it is let go, or handed over, it runs again at the end of the scope.
#pragma once
#include <string>

#include "tools/request.h"

namespace mig {

class StoppedJob {
 public:
  StoppedJob(Request& request, const JobPtr& job) : request_(request), job_(job) {}
  StoppedJob(const StoppedJob&) = delete;
  StoppedJob& operator=(const StoppedJob&) = delete;
  ~StoppedJob();

  /// From here on only the other side can say that it does not run there.
  void hand_over(const std::string& host, const std::string& token);
  /// It never ran there: it goes on here.
  void take_back();
  /// It runs there: ends it here.
  void let_go();

 private:
  void bring_back();
  Request& request_;
  const JobPtr& job_;
  bool let_go_ = false;
};

}  // namespace mig
