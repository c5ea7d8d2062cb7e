// SPDX-License-Identifier: Apache-2.0
// A library holds its GPU code in the section .nv_fatbin: containers, each with entries, of which those of kind 2 are
// cubins, which are ELF files again. In a cubin kernel K's code is section .text.K; .nv.info and .nv.info.K list
// attributes of it.
#include "cubin.h"

#include <elf.h>

#include <cstring>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace fusewire::figures {
namespace {

constexpr uint32_t kContainerMagic = 0xba55ed50;
constexpr uint16_t kContainerLeastBytes = 16;
constexpr uint16_t kCubinEntry = 2;
constexpr int kEntryArchOffset = 28;
constexpr uint32_t kEntryLeastBytes = 48;

// Attributes of .nv.info, and the format of those with a size and that many bytes; all others take 4 bytes.
constexpr uint8_t kSizedAttribute = 0x04;
constexpr uint8_t kMaxThreads = 0x05;
constexpr uint8_t kFrameSize = 0x11;
constexpr uint8_t kRegisterCount = 0x2f;

// A cubin with this section counts what the system takes of each block's shared memory (sm_90) as the kernel's own.
constexpr std::string_view kReservedShared = ".nv.shared.reserved.0";
constexpr int64_t kReservedSharedBytes = 1024;

// The low 9 bits of an instruction tell what it does, the next 3 the kinds of its operands.
constexpr int kOperationBits = 0x1ff;
enum Operation {
  kHmma = 0x03c,
  kLoadGeneric = 0x180,
  kLoadGlobal = 0x181,
  kLoadLocal = 0x183,
  kStoreGeneric = 0x185,
  kStoreGlobal = 0x186,
  kStoreLocal = 0x187,
  kCopyGlobalToShared = 0x1ae,
  kWgmma = 0x1f0,
};
// Bits 73 to 75 of a load or store: 4 for 32 bits, 5 for 64, 6 for 128.
constexpr int kSize128 = 6;

[[noreturn]] void bad(const std::string& what) { throw std::runtime_error(what); }

// Bytes of the file, never read beyond their end.
struct View {
  const uint8_t* data;
  uint64_t size;

  View slice(uint64_t offset, uint64_t count) const {
    if (offset > size || count > size - offset) {
      bad("the file ends within its GPU code");
    }
    return {data + offset, count};
  }
  template <class T>
  T at(uint64_t offset) const {
    T value;
    std::memcpy(&value, slice(offset, sizeof(T)).data, sizeof(T));
    return value;
  }
  std::string_view text(uint64_t offset) const {
    const View rest = slice(offset, size - (offset < size ? offset : size));
    const void* end = std::memchr(rest.data, 0, rest.size);
    if (end == nullptr) {
      bad("a name in the file does not end");
    }
    return {reinterpret_cast<const char*>(rest.data)};
  }
};

bool is_elf(View file) { return file.size >= sizeof(Elf64_Ehdr) && std::memcmp(file.data, ELFMAG, SELFMAG) == 0; }

// Calls f(name, header, bytes) for each section of an ELF file.
template <class F>
void each_section(View file, F f) {
  const Elf64_Ehdr header = file.at<Elf64_Ehdr>(0);
  const auto section = [&](uint64_t i) { return file.at<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr)); };
  // Where there are too many sections for the header's 16 bits, section 0 has the counts.
  const uint64_t count = header.e_shnum != 0 || header.e_shoff == 0 ? header.e_shnum : section(0).sh_size;
  const uint64_t names = header.e_shstrndx != SHN_XINDEX ? header.e_shstrndx : section(0).sh_link;
  if (count == 0) {
    return;
  }
  const Elf64_Shdr name_header = section(names);
  const View name_table = file.slice(name_header.sh_offset, name_header.sh_size);
  for (uint64_t i = 0; i < count; i++) {
    const Elf64_Shdr found = section(i);
    const bool has_bytes = found.sh_type != SHT_NOBITS && found.sh_type != SHT_NULL;
    f(name_table.text(found.sh_name), found, has_bytes ? file.slice(found.sh_offset, found.sh_size) : View{nullptr, 0});
  }
}

// Calls f(attribute, value) for each sized attribute of a .nv.info section.
template <class F>
void each_attribute(View info, F f) {
  for (uint64_t offset = 0; offset + 4 <= info.size; offset += 4) {
    if (info.at<uint8_t>(offset) == kSizedAttribute) {
      const auto bytes = info.at<uint16_t>(offset + 2);
      f(info.at<uint8_t>(offset + 1), info.slice(offset + 4, bytes));
      offset += (bytes + 3u) / 4 * 4;
    }
  }
}

// The rest of `text` after `prefix`, empty where it does not start with it.
std::string after(std::string_view text, std::string_view prefix) {
  return std::string(text.substr(0, prefix.size()) == prefix ? text.substr(prefix.size()) : std::string_view());
}

void read_cubin(View file, int arch, std::vector<Kernel>& kernels) {
  std::map<std::string, Kernel> found;
  View symbols = {nullptr, 0}, symbol_names = {nullptr, 0}, info = {nullptr, 0};
  std::vector<std::string> order;
  int64_t reserved = 0;
  each_section(file, [&](std::string_view name, const Elf64_Shdr& header, View bytes) {
    if (const std::string kernel = after(name, ".text."); !kernel.empty()) {
      order.push_back(kernel);
      found[kernel].instructions = count_instructions(bytes.data, int64_t(bytes.size));
    } else if (const std::string with_info = after(name, ".nv.info."); !with_info.empty()) {
      each_attribute(bytes, [&](uint8_t attribute, View value) {
        if (attribute == kMaxThreads) {
          found[with_info].threads = int(value.at<uint32_t>(0) * value.at<uint32_t>(4) * value.at<uint32_t>(8));
        }
      });
    } else if (name == kReservedShared) {
      reserved = kReservedSharedBytes;
    } else if (const std::string with_shared = after(name, ".nv.shared."); !with_shared.empty()) {
      found[with_shared].shared_bytes = int64_t(header.sh_size);
    } else if (name == ".nv.info") {
      info = bytes;
    } else if (name == ".symtab") {
      symbols = bytes;
    } else if (name == ".strtab") {
      symbol_names = bytes;
    }
  });
  each_attribute(info, [&](uint8_t attribute, View value) {
    if (attribute != kRegisterCount && attribute != kFrameSize) {
      return;
    }
    const auto symbol = symbols.at<Elf64_Sym>(uint64_t(value.at<uint32_t>(0)) * sizeof(Elf64_Sym));
    const auto place = found.find(std::string(symbol_names.text(symbol.st_name)));
    if (place != found.end()) {
      const auto number = value.at<uint32_t>(4);
      if (attribute == kRegisterCount) {
        place->second.registers = int(number);
      } else {
        place->second.stack_bytes = number;
      }
    }
  });
  for (const std::string& name : order) {
    Kernel& kernel = found[name];
    kernel.arch = arch;
    kernel.symbol = name;
    kernel.shared_bytes -= kernel.shared_bytes >= reserved ? reserved : 0;
    kernels.push_back(std::move(kernel));
  }
}

// The containers lie one after the other, with zeros between them.
void read_containers(View fatbin, std::vector<Kernel>& kernels) {
  for (uint64_t offset = 0; offset + kContainerLeastBytes <= fatbin.size;) {
    if (fatbin.at<uint32_t>(offset) != kContainerMagic) {
      offset += 8;
      continue;
    }
    const auto header_bytes = fatbin.at<uint16_t>(offset + 6);
    if (header_bytes < kContainerLeastBytes) {
      bad("a container of its GPU code has no header");
    }
    const View entries = fatbin.slice(offset + header_bytes, fatbin.at<uint64_t>(offset + 8));
    for (uint64_t entry = 0; entry + kEntryLeastBytes <= entries.size;) {
      const auto entry_header = entries.at<uint32_t>(entry + 4);
      const auto bytes = entries.at<uint64_t>(entry + 8);
      if (entry_header < kEntryLeastBytes) {
        bad("an entry of its GPU code has no header");
      }
      const View payload = entries.slice(entry, uint64_t(entry_header) + bytes).slice(entry_header, bytes);
      if (entries.at<uint16_t>(entry) == kCubinEntry) {
        if (!is_elf(payload)) {
          bad("its GPU code is compressed: nvcc must not be told to compress it");
        }
        read_cubin(payload, entries.at<int32_t>(entry + kEntryArchOffset), kernels);
      }
      entry += entry_header + bytes;
    }
    offset += (header_bytes + entries.size + 7) / 8 * 8;
  }
}

}  // namespace

Instructions count_instructions(const uint8_t* code, int64_t bytes) {
  Instructions counts;
  for (int64_t offset = 0; offset + 16 <= bytes; offset += 16) {
    uint64_t words[2];
    std::memcpy(words, code + offset, sizeof(words));
    switch (int(words[0]) & kOperationBits) {
      case kLoadGlobal:
      case kStoreGlobal:
      case kLoadGeneric:
      case kStoreGeneric:
      case kCopyGlobalToShared:
        counts.accesses++;
        counts.wide += int(words[1] >> 9 & 7) == kSize128;
        break;
      case kLoadLocal:
      case kStoreLocal:
        counts.local++;
        break;
      case kHmma:
      case kWgmma:
        counts.tensor++;
        break;
      default:
        break;
    }
  }
  return counts;
}

std::vector<Kernel> read_kernels(const std::vector<uint8_t>& file) {
  const View view = {file.data(), file.size()};
  if (!is_elf(view) || file[EI_CLASS] != ELFCLASS64 || file[EI_DATA] != ELFDATA2LSB) {
    bad("not an ELF library of 64 bits");
  }
  std::vector<Kernel> kernels;
  each_section(view, [&](std::string_view name, const Elf64_Shdr&, View bytes) {
    if (name == ".nv_fatbin") {
      read_containers(bytes, kernels);
    }
  });
  if (kernels.empty()) {
    bad("no GPU code in it: was it built with nvcc?");
  }
  return kernels;
}

}  // namespace fusewire::figures
