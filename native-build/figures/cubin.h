// SPDX-License-Identifier: Apache-2.0
// What a library's machine code for NVIDIA GPUs says of each kernel: registers, memory and how it accesses memory, read
// from the code that ships. No disassembler is needed: an instruction is 16 bytes, and the few kinds that are counted
// are told by a field of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fusewire::figures {

// Static counts: an instruction in a loop is one.
struct Instructions {
  int wide = 0;      // loads and stores of global memory of 16 bytes a thread
  int accesses = 0;  // all loads and stores of global memory
  int local = 0;     // loads and stores of local memory: spills, and arrays that found no registers
  int tensor = 0;    // matrix products on tensor cores: mma.sync and wgmma
};

struct Kernel {
  int arch = 0;              // compute capability, such as 80
  std::string symbol;        // mangled
  int threads = 0;           // per block, from the kernel's launch bounds; 0 where it has none
  int registers = 0;         // per thread
  int64_t shared_bytes = 0;  // static shared memory per block
  int64_t stack_bytes = 0;   // local memory per thread
  Instructions instructions;
};

// All kernels of an ELF library or object that nvcc made, in the order of the file. Throws
// std::runtime_error that says what is wrong with the file.
std::vector<Kernel> read_kernels(const std::vector<uint8_t>& file);

// What `bytes` of machine code (Volta and later) hold.
Instructions count_instructions(const uint8_t* code, int64_t bytes);

}  // namespace fusewire::figures
