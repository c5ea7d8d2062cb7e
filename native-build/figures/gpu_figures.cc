// SPDX-License-Identifier: Apache-2.0
// Prints a line of figures for each kernel and architecture in a library's GPU code, for gpu_figures.sh to compare:
//   gpu_figures LIBRARY
//   gpu_figures --by-symbol LIBRARY
// A kernel that is compiled in several files is one line with the worst of its figures. Occupancy is what registers,
// threads and shared memory allow (cuda_occupancy.h), static and what launches typically ask for where the kernel says
// it (kTypicalShared of core/launch.h, the last argument of the kernel's template); elsewhere that of a launch depends
// on the shape and may lower it. With --by-symbol every copy has its line, of what ptxas reports as well: architecture,
// mangled name, registers, bytes of stack and of static shared memory.
#include <cuda_occupancy.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cubin.h"

namespace fusewire::figures {
namespace {

// What NVIDIA's programming guide gives for each compute capability.
struct Gpu {
  int arch;
  int multiprocessors;  // of the A100 and of the H100 SXM; the occupancy of one does not depend on it
  int threads;          // resident on a multiprocessor
  int shared_kib;       // of a multiprocessor; a block gets up to 1 KiB less, and another KiB of each block is reserved
};
constexpr Gpu kGpus[] = {{80, 108, 2048, 164}, {90, 132, 2048, 228}};

cudaOccDeviceProp device_properties(const Gpu& gpu) {
  cudaOccDeviceProp p;
  p.computeMajor = gpu.arch / 10;
  p.computeMinor = gpu.arch % 10;
  p.maxThreadsPerBlock = 1024;
  p.maxThreadsPerMultiprocessor = gpu.threads;
  p.regsPerBlock = 65536;
  p.regsPerMultiprocessor = 65536;
  p.warpSize = 32;
  p.sharedMemPerBlock = 48 * 1024;
  p.sharedMemPerMultiprocessor = size_t(gpu.shared_kib) * 1024;
  p.numSms = gpu.multiprocessors;
  p.sharedMemPerBlockOptin = size_t(gpu.shared_kib - 1) * 1024;
  p.reservedSharedMemPerBlock = 1024;
  return p;
}

// Blocks of the kernel that a multiprocessor holds at a time, with `shared` bytes for each besides its static ones.
int resident_blocks(const Gpu& gpu, const Kernel& kernel, size_t shared) {
  const cudaOccDeviceProp properties = device_properties(gpu);
  const cudaOccDeviceState state;
  cudaOccFuncAttributes attributes;
  attributes.maxThreadsPerBlock = kernel.threads;
  attributes.numRegs = kernel.registers;
  attributes.sharedSizeBytes = size_t(kernel.shared_bytes);
  attributes.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  attributes.maxDynamicSharedSizeBytes = properties.sharedMemPerBlockOptin;
  attributes.numBlockBarriers = 1;
  cudaOccResult result;
  if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &properties, &attributes, &state, kernel.threads, shared) !=
      CUDA_OCC_SUCCESS) {
    throw std::runtime_error("cuda_occupancy.h does not take sm_" + std::to_string(gpu.arch));
  }
  return result.activeBlocksPerMultiprocessor;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  return name == nullptr ? symbol : name.get();
}

// The arguments of a kernel_entry<struct, typical shared memory>(struct::Params) or
// cluster_entry<struct>(struct::Params), the kernel's name where it is neither.
struct Entry {
  std::string kernel;
  size_t shared = 0;
};

Entry entry_of(const std::string& symbol) {
  Entry entry{demangled(symbol)};
  const std::string& name = entry.kernel;
  const bool cluster = name.find("cluster_entry<") != std::string::npos;
  const std::string start = cluster ? "cluster_entry<" : "kernel_entry<";
  const size_t first = name.find(start);
  const size_t last = name.rfind(">(");
  if (first == std::string::npos || last == std::string::npos || last < first) {
    return entry;
  }
  const std::string arguments = name.substr(first + start.size(), last - first - start.size());
  const size_t comma = cluster ? std::string::npos : arguments.rfind(", ");
  const std::string number = comma == std::string::npos ? "" : arguments.substr(comma + 2);
  if (!cluster && (number.empty() || number.find_first_not_of("0123456789") != std::string::npos)) {
    throw std::runtime_error(name + " has no typical shared memory in its name");
  }
  entry.kernel = arguments.substr(0, comma);
  entry.shared = cluster ? 0 : std::stoul(number);
  return entry;
}

// The struct that an entry runs, without namespaces and spaces.
std::string short_name(const std::string& symbol) {
  std::string name = entry_of(symbol).kernel;
  for (const auto& [from, to] : {std::pair<const char*, const char*>{"fusewire::cuda::", ""},
                                 {"(anonymous namespace)::", ""},
                                 {"__nv_bfloat16", "bf16"},
                                 {"__half", "f16"},
                                 {"float", "f32"},
                                 {" ", ""}}) {
    replace_all(name, from, to);
  }
  return name;
}

// The worst of both.
void merge(Kernel& into, const Kernel& other) {
  into.registers = std::max(into.registers, other.registers);
  into.shared_bytes = std::max(into.shared_bytes, other.shared_bytes);
  into.stack_bytes = std::max(into.stack_bytes, other.stack_bytes);
  Instructions& a = into.instructions;
  const Instructions& b = other.instructions;
  if (int64_t(b.wide) * a.accesses < int64_t(a.wide) * b.accesses) {
    a.wide = b.wide;
    a.accesses = b.accesses;
  }
  a.local = std::max(a.local, b.local);
  a.tensor = std::min(a.tensor, b.tensor);
}

std::vector<Kernel> read_library(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw std::runtime_error("cannot be read");
  }
  return read_kernels({std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()});
}

void print_by_symbol(const std::vector<Kernel>& kernels) {
  for (const Kernel& kernel : kernels) {
    std::printf("sm_%d %s %d %lld %lld\n", kernel.arch, kernel.symbol.c_str(), kernel.registers,
                static_cast<long long>(kernel.stack_bytes), static_cast<long long>(kernel.shared_bytes));
  }
}

void print_figures(const std::vector<Kernel>& kernels) {
  std::map<std::pair<std::string, int>, Kernel> named;
  for (const Kernel& kernel : kernels) {
    const std::string name = short_name(kernel.symbol);
    if (kernel.threads == 0) {
      throw std::runtime_error(name + " has no launch bounds: a function that was not inlined, or a kernel that " +
                               "core/launch.h does not launch");
    }
    const auto [place, is_new] = named.emplace(std::pair(name, kernel.arch), kernel);
    if (!is_new) {
      merge(place->second, kernel);
    }
  }
  std::printf("# arch threads registers shared stack local blocks occupancy wide accesses tensor kernel\n");
  for (const auto& [key, kernel] : named) {
    for (const Gpu& gpu : kGpus) {
      if (gpu.arch == kernel.arch) {
        const int blocks = resident_blocks(gpu, kernel, entry_of(kernel.symbol).shared);
        std::printf("sm_%d %d %d %lld %lld %d %d %d %d %d %d %s\n", kernel.arch, kernel.threads, kernel.registers,
                    static_cast<long long>(kernel.shared_bytes), static_cast<long long>(kernel.stack_bytes),
                    kernel.instructions.local, blocks, 100 * blocks * kernel.threads / gpu.threads,
                    kernel.instructions.wide, kernel.instructions.accesses, kernel.instructions.tensor,
                    key.first.c_str());
      }
    }
  }
}

}  // namespace
}  // namespace fusewire::figures

int main(int count, char** arguments) {
  const bool by_symbol = count == 3 && std::string(arguments[1]) == "--by-symbol";
  if (count != 2 && !by_symbol) {
    std::fprintf(stderr, "usage: gpu_figures [--by-symbol] LIBRARY\n");
    return 2;
  }
  const char* library = arguments[count - 1];
  try {
    const std::vector<fusewire::figures::Kernel> kernels = fusewire::figures::read_library(library);
    by_symbol ? fusewire::figures::print_by_symbol(kernels) : fusewire::figures::print_figures(kernels);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "gpu figures: %s: %s\n", library, problem.what());
    return 1;
  }
  return 0;
}
