// SPDX-License-Identifier: Apache-2.0
// What a launch of the metered execution says to the meter: that it begins and that it is over.
#pragma once

namespace fusewire {

class Meter;

// While it lives, the calling thread's loads and stores go to the meter, as those of one launch. Without a meter, or
// where a launch is on already, nothing is counted.
class MeteredLaunch {
 public:
  explicit MeteredLaunch(Meter* meter);
  ~MeteredLaunch();
  MeteredLaunch(const MeteredLaunch&) = delete;
  MeteredLaunch& operator=(const MeteredLaunch&) = delete;

 private:
  bool begun_;
};

}  // namespace fusewire
