// Asking the mig of another host, through the user's own ssh.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace mig {

/// What `mig doctor --json` says there. Throws when ssh or that mig fails.
nlohmann::ordered_json remote_doctor(const std::string& host);

}  // namespace mig
