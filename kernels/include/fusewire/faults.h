/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Losing a device on purpose, to test what happens then. Only in builds made with FUSEWIRE_CHECKED.
 *
 * A fault acts as the errors of a GPU do: the call that it strikes returns FW_OK, and the next one that waits for the
 * device finds out. From then on every call that needs the device returns FW_DEVICE_LOST.
 *
 * The environment variable FUSEWIRE_FAULT, such as "0:optimizer step:5", does the same for a whole process: device,
 * operation, number of the call that is struck.
 */
#ifndef FUSEWIRE_FAULTS_H
#define FUSEWIRE_FAULTS_H

#include "fusewire/fusewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The `call`-th call (from 1) of `operation` on `device`, launches of graphs included, strikes. One fault per device.
 */
FW_API fw_status fw_fault_inject(int32_t device, const char* operation, int64_t call);
/** Makes the device as good as new. */
FW_API fw_status fw_fault_clear(int32_t device);

#ifdef __cplusplus
}
#endif

#endif
