// What speaks for and against moving a job: what it says itself, what is seen from outside, and what another host's CPU has.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/jobs.h"

namespace mig {

struct Finding {
  std::string verdict, object, reason;
};
using Findings = std::vector<Finding>;

bool any(const Findings& found, const char* verdict);

/// Looks from outside, and asks the job unless it must not be asked.
Findings examine_job(const Target& t);

/// `features`: names, as `mig doctor --json` lists them there; the job's level is in its environment.
Finding compare_cpu(const Target& t, const std::string& host, const nlohmann::ordered_json& features);

}  // namespace mig
