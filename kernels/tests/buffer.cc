// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "float16_bits.h"

namespace fusewire::test {
namespace {

constexpr int64_t kFence = 256;
constexpr unsigned char kFenceByte = 0x5a;

void require(fw_status status, const char* what) {
  if (status != FW_OK) {
    throw std::runtime_error(std::string(what) + ": " + fw_last_error());
  }
}

}  // namespace

Buffer::Buffer(fw_stream stream, int32_t dtype, int64_t count, int64_t misalignment)
    : stream_(stream), dtype_(dtype), element_bytes_(dtype == FW_F32 ? 4 : 2), count_(count) {
  allocate(misalignment);
  fill_nan();
}

Buffer::Buffer(fw_stream stream, int32_t dtype, const std::vector<float>& values, int64_t misalignment)
    : Buffer(stream, dtype, int64_t(values.size()), misalignment) {
  upload(values);
}

Buffer::Buffer(Buffer&& other) noexcept
    : stream_(other.stream_),
      device_(other.device_),
      dtype_(other.dtype_),
      element_bytes_(other.element_bytes_),
      count_(other.count_),
      offset_(other.offset_),
      total_(other.total_),
      base_(other.base_) {
  other.base_ = 0;
}

Buffer::~Buffer() {
  if (base_ != 0) {
    check_fences();
    EXPECT_EQ(FW_OK, fw_memory_free(device_, base_)) << fw_last_error();
  }
}

void Buffer::allocate(int64_t misalignment) {
  require(fw_stream_device(stream_, &device_), "stream device");
  offset_ = kFence + misalignment * element_bytes_;
  total_ = offset_ + bytes() + kFence;
  require(fw_memory_allocate(device_, total_, &base_), "allocate");
  require(fw_fill(stream_, base_, kFenceByte, total_), "fill");
}

void Buffer::fill_nan() {
  if (count_ > 0) {
    require(fw_fill(stream_, address(), 0xff, bytes()), "fill");
  }
}

void Buffer::check_fences() const {
  std::vector<unsigned char> all(static_cast<size_t>(total_));
  if (fw_copy_to_host(stream_, all.data(), base_, total_) != FW_OK) {
    ADD_FAILURE() << fw_last_error();
    return;
  }
  for (int64_t i = 0; i < total_; i++) {
    if (i == offset_) {
      i += bytes();
    }
    if (i < total_ && all[size_t(i)] != kFenceByte) {
      ADD_FAILURE() << "a buffer of " << count_ << " elements was written at byte " << i - offset_;
      return;
    }
  }
}

void Buffer::upload_bits(const std::vector<uint32_t>& bits) {
  ASSERT_EQ(count_, int64_t(bits.size()));
  if (dtype_ == FW_F32) {
    require(fw_copy_from_host(stream_, address(), bits.data(), bytes()), "copy from host");
    return;
  }
  const std::vector<uint16_t> halves(bits.begin(), bits.end());
  require(fw_copy_from_host(stream_, address(), halves.data(), bytes()), "copy from host");
}

std::vector<uint32_t> Buffer::download_bits() const {
  std::vector<uint32_t> bits(static_cast<size_t>(count_));
  if (dtype_ == FW_F32) {
    require(fw_copy_to_host(stream_, bits.data(), address(), bytes()), "copy to host");
    return bits;
  }
  std::vector<uint16_t> halves(static_cast<size_t>(count_));
  require(fw_copy_to_host(stream_, halves.data(), address(), bytes()), "copy to host");
  bits.assign(halves.begin(), halves.end());
  return bits;
}

void Buffer::upload(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  for (size_t i = 0; i < values.size(); i++) {
    if (dtype_ == FW_F32) {
      std::memcpy(&bits[i], &values[i], 4);
    } else {
      bits[i] = format_of(dtype_).encode(double(values[i]));
    }
  }
  upload_bits(bits);
}

std::vector<float> Buffer::download() const {
  const std::vector<uint32_t> bits = download_bits();
  std::vector<float> values(bits.size());
  for (size_t i = 0; i < bits.size(); i++) {
    if (dtype_ == FW_F32) {
      std::memcpy(&values[i], &bits[i], 4);
    } else {
      values[i] = float(format_of(dtype_).decode(uint16_t(bits[i])));
    }
  }
  return values;
}

Bytes::Bytes(fw_stream stream, int64_t bytes) : stream_(stream), bytes_(bytes) {
  require(fw_stream_device(stream_, &device_), "stream device");
  if (bytes_ > 0) {
    require(fw_memory_allocate(device_, bytes_, &address_), "allocate");
    require(fw_fill(stream_, address_, 0xff, bytes_), "fill");
  }
}

Bytes::Bytes(fw_stream stream, const void* data, int64_t bytes) : Bytes(stream, bytes) {
  require(fw_copy_from_host(stream_, address_, data, bytes_), "copy from host");
}

Bytes::~Bytes() {
  if (address_ != 0) {
    EXPECT_EQ(FW_OK, fw_memory_free(device_, address_)) << fw_last_error();
  }
}

void Bytes::download(void* data) const { require(fw_copy_to_host(stream_, data, address_, bytes_), "copy to host"); }

}  // namespace fusewire::test
