/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The byte meter. The metered device runs the very kernels of the CPU, compiled so that every load and store tells the
 * stream's meter its address. A meter counts what is watched and nothing else: blocks' shared memory, stacks and host
 * memory are never counted.
 *
 * Counted are, per launch, the distinct 32-byte sectors that must move between memory and chip if the chip's caches
 * serve all reuse within a launch, and nothing of the launch before: a sector is read once, however often it is loaded,
 * and not at all if the launch has itself written the bytes; it is written once, even if only in part. The plain sum of
 * the bytes of all loads and stores stands beside it. An operation's count is the sum over its launches; fw_copy...()
 * and fw_fill() are one launch each. Everything runs in one thread: counts are the same in every run.
 */
#ifndef FUSEWIRE_METER_H
#define FUSEWIRE_METER_H

#include "fusewire/fusewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of a sector, the smallest piece that moves. Sectors begin at addresses that are multiples of it. */
#define FW_SECTOR_BYTES 32

/** What moved since the last reset. */
typedef struct fw_traffic {
  int64_t read_bytes;              /**< distinct sectors read per launch, times their size */
  int64_t written_bytes;           /**< distinct sectors written per launch, times their size */
  int64_t requested_read_bytes;    /**< sum of all loads' bytes */
  int64_t requested_written_bytes; /**< sum of all stores' bytes */
} fw_traffic;

/**
 * Watches `bytes` (> 0) from `address` on, and counts them for `id` (>= 0); several pieces of memory may share an id.
 * Refused where a byte is already watched. All functions here refuse a stream of another device than the metered one.
 */
FW_API fw_status fw_meter_watch(fw_stream stream, fw_address address, int64_t bytes, int32_t id);
/** What moved of an id that is watched. */
FW_API fw_status fw_meter_read(fw_stream stream, int32_t id, fw_traffic* traffic);
/** Launches since the last reset, and bytes requested of the device's allocations that no watch covers. */
FW_API fw_status fw_meter_unwatched(fw_stream stream, int64_t* launches, int64_t* requested_bytes);
/** Ends all watches and forgets all counts. */
FW_API fw_status fw_meter_reset(fw_stream stream);

#ifdef __cplusplus
}
#endif

#endif
