// SPDX-License-Identifier: Apache-2.0
// Device memory of a test: uploaded and downloaded as floats whatever the storage type, filled with NaN where nothing
// was uploaded, and fenced on both sides; a write into a fence fails the test that owns the buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fusewire/fusewire.h"

namespace fusewire::test {

class Buffer {
 public:
  // `count` elements of NaN. `misalignment` (elements) moves the first element off its 256-byte boundary.
  Buffer(fw_stream stream, int32_t dtype, int64_t count, int64_t misalignment = 0);
  Buffer(fw_stream stream, int32_t dtype, const std::vector<float>& values, int64_t misalignment = 0);
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();

  fw_address address() const { return base_ + uint64_t(offset_); }
  int64_t count() const { return count_; }
  int64_t bytes() const { return count_ * element_bytes_; }
  int32_t dtype() const { return dtype_; }

  // Values are rounded to the storage type.
  void upload(const std::vector<float>& values);
  std::vector<float> download() const;
  // The storage type's bits, zero-extended.
  void upload_bits(const std::vector<uint32_t>& bits);
  std::vector<uint32_t> download_bits() const;
  void fill_nan();

 private:
  void allocate(int64_t misalignment);
  void check_fences() const;

  fw_stream stream_;
  int32_t device_ = 0;
  int32_t dtype_;
  int64_t element_bytes_;
  int64_t count_;
  int64_t offset_ = 0;  // bytes from the allocation's start to the first element
  int64_t total_ = 0;   // bytes of the allocation
  fw_address base_ = 0;
};

// Raw bytes on a device, for structs such as fw_step and for workspaces (filled with 0xff).
class Bytes {
 public:
  Bytes(fw_stream stream, int64_t bytes);
  Bytes(fw_stream stream, const void* data, int64_t bytes);
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes();
  // 0 when there are no bytes.
  fw_address address() const { return address_; }
  int64_t bytes() const { return bytes_; }
  void download(void* data) const;

 private:
  fw_stream stream_;
  int32_t device_ = 0;
  int64_t bytes_;
  fw_address address_ = 0;
};

}  // namespace fusewire::test
