// SPDX-License-Identifier: Apache-2.0
// The reader of GPU machine code (native-build/figures) on a library made by hand: its figures are what was put in, and
// a file cut off anywhere is refused. What nvcc makes is read in .ci/run, beside ptxas's own report.
#include <gtest/gtest.h>

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "figures/cubin.h"

namespace fusewire::figures {
namespace {

using Bytes = std::vector<uint8_t>;

template <class T>
void append(Bytes& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof(T));
}

void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// 16 bytes of an instruction: 12 bits of what it does and to which operands, and the bits of an access's size.
void instruction(Bytes& code, uint64_t operation, uint64_t size) {
  append(code, operation);
  append(code, size << 9);
}

struct Section {
  std::string name;
  Bytes bytes;
  uint32_t type = SHT_PROGBITS;
  uint64_t size = 0;  // of a section that has no bytes
};

// An ELF file: header, contents, names, table of sections.
Bytes elf(const std::vector<Section>& sections) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  Bytes contents, names = {0};
  std::vector<Elf64_Shdr> table(1);
  const auto add = [&](const Section& section) {
    Elf64_Shdr entry = {};
    entry.sh_name = uint32_t(names.size());
    entry.sh_type = section.type;
    entry.sh_offset = sizeof(header) + contents.size();
    append(names, Bytes(section.name.c_str(), section.name.c_str() + section.name.size() + 1));
    append(contents, section.name == ".shstrtab" ? names : section.bytes);
    entry.sh_size = section.type == SHT_NOBITS ? section.size : sizeof(header) + contents.size() - entry.sh_offset;
    table.push_back(entry);
  };
  for (const Section& section : sections) {
    add(section);
  }
  add({".shstrtab", {}});
  header.e_shnum = uint16_t(table.size());
  header.e_shstrndx = uint16_t(table.size() - 1);
  header.e_shoff = sizeof(header) + contents.size();
  Bytes file;
  append(file, header);
  append(file, contents);
  for (const Elf64_Shdr& entry : table) {
    append(file, entry);
  }
  return file;
}

// An attribute of .nv.info of 32-bit numbers.
void attribute(Bytes& info, uint8_t which, const std::vector<uint32_t>& numbers) {
  append(info, Bytes{0x04, which, uint8_t(4 * numbers.size()), 0});
  for (const uint32_t number : numbers) {
    append(info, number);
  }
}

// A cubin of kernel "scale": 40 registers, 24 bytes of stack, 512 of shared memory, blocks of 32 x 8 threads.
Bytes cubin() {
  Bytes code;
  instruction(code, 0x981, 6);  // LDG.128
  instruction(code, 0x986, 6);  // STG.128
  instruction(code, 0x981, 4);  // LDG
  instruction(code, 0x980, 2);  // LD.U16, of a generic address
  instruction(code, 0xfae, 6);  // LDGSTS.128
  instruction(code, 0x984, 6);  // LDS.128: no global access
  instruction(code, 0x983, 4);  // LDL
  instruction(code, 0x387, 6);  // STL.128
  instruction(code, 0x23c, 4);  // HMMA
  instruction(code, 0x9f0, 4);  // HGMMA
  Bytes info, kernel_info, symbols(sizeof(Elf64_Sym));
  attribute(info, 0x2f, {1, 40});
  append(info, Bytes{0x03, 0x19, 0x48, 0x00});  // one without a size
  attribute(info, 0x11, {1, 24});
  attribute(kernel_info, 0x05, {32, 8, 1});
  Elf64_Sym symbol = {};
  symbol.st_name = 1;
  append(symbols, symbol);
  return elf({{".strtab", {0, 's', 'c', 'a', 'l', 'e', 0}},
              {".symtab", symbols},
              {".nv.info", info},
              {".nv.info.scale", kernel_info},
              {".text.scale", code},
              {".nv.shared.reserved.0", {}, SHT_NOBITS, 0},
              {".nv.shared.scale", {}, SHT_NOBITS, 512 + 1024}});
}

// A library whose .nv_fatbin has some zeros and then a container with PTX, which is passed over, and `code` for sm_90.
Bytes library(const Bytes& code) {
  Bytes entries;
  for (const auto& [kind, payload] : {std::pair<uint16_t, Bytes>{1, Bytes(8)}, {2, code}}) {
    Bytes header(64);
    const uint32_t header_bytes = 64, arch = 90;
    const uint64_t bytes = payload.size();
    std::memcpy(header.data(), &kind, sizeof(kind));
    std::memcpy(header.data() + 4, &header_bytes, sizeof(header_bytes));
    std::memcpy(header.data() + 8, &bytes, sizeof(bytes));
    std::memcpy(header.data() + 28, &arch, sizeof(arch));
    append(entries, header);
    append(entries, payload);
  }
  Bytes fatbin(8);
  append(fatbin, uint32_t(0xba55ed50));
  append(fatbin, uint16_t(1));
  append(fatbin, uint16_t(16));
  append(fatbin, uint64_t(entries.size()));
  append(fatbin, entries);
  return elf({{".nv_fatbin", fatbin}});
}

TEST(CubinTest, FiguresOfAKernel) {
  const std::vector<Kernel> kernels = read_kernels(library(cubin()));
  ASSERT_EQ(1u, kernels.size());
  const Kernel& kernel = kernels[0];
  EXPECT_EQ(90, kernel.arch);
  EXPECT_EQ("scale", kernel.symbol);
  EXPECT_EQ(256, kernel.threads);
  EXPECT_EQ(40, kernel.registers);
  EXPECT_EQ(512, kernel.shared_bytes);
  EXPECT_EQ(24, kernel.stack_bytes);
  EXPECT_EQ(3, kernel.instructions.wide);
  EXPECT_EQ(5, kernel.instructions.accesses);
  EXPECT_EQ(2, kernel.instructions.local);
  EXPECT_EQ(2, kernel.instructions.tensor);
}

TEST(CubinTest, AFileCutOffAnywhereIsRefused) {
  const Bytes whole = library(cubin());
  for (size_t bytes = 0; bytes < whole.size(); bytes++) {
    EXPECT_THROW(read_kernels(Bytes(whole.begin(), whole.begin() + int64_t(bytes))), std::runtime_error) << bytes;
  }
}

TEST(CubinTest, DamagedFilesAreReadOrRefused) {
  const Bytes whole = library(cubin());
  for (size_t at = 0; at < whole.size(); at++) {
    for (const int bits : {0x01, 0x80, 0xff}) {
      Bytes damaged = whole;
      damaged[at] = uint8_t(damaged[at] ^ bits);
      try {
        read_kernels(damaged);
      } catch (const std::runtime_error&) {
        // as good as reading it
      }
    }
  }
}

TEST(CubinTest, WhatIsNoReadableGpuCodeIsNamed) {
  const auto message = [](const Bytes& file) {
    try {
      read_kernels(file);
    } catch (const std::runtime_error& problem) {
      return std::string(problem.what());
    }
    return std::string();
  };
  EXPECT_EQ("not an ELF library of 64 bits", message({'#', '!'}));
  EXPECT_EQ("no GPU code in it: was it built with nvcc?", message(elf({{".text", {0}}})));
  EXPECT_EQ("its GPU code is compressed: nvcc must not be told to compress it", message(library(Bytes(100, 0x28))));
}

}  // namespace
}  // namespace fusewire::figures
