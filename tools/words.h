// The numbers in an image, in words.
#pragma once
#include <stdint.h>

#include <string>

namespace mig {

std::string mapping_kind_word(uint32_t kind);
std::string description_kind_word(uint32_t kind);
std::string text_role_word(uint32_t role);
std::string advice_words(uint32_t advice);                      ///< "locked,dontfork"
std::string protection_text(uint32_t protection, bool shared);  ///< "rw-p"
std::string open_flag_words(uint32_t flags);                    ///< "O_RDWR|O_APPEND"
std::string clock_word(int clock);
std::string limit_word(uint32_t resource);
std::string lock_word(uint32_t kind);
std::string policy_word(uint32_t policy);
std::string system_call_word(int64_t number);  ///< "" for -1

}  // namespace mig
