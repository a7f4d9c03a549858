/* What the loaded part shows to the compiler: one table, nothing else. */
#include "backends/llvm/plugin.h"

extern const LlvmPlugin vtc_llvm_plugin;
__attribute__((visibility("default"))) const LlvmPlugin vtc_llvm_plugin = {
    .sizes = LLVM_PLUGIN_SIZES,
    .make = llvm_make,
    .load = llvm_link_here,
};
