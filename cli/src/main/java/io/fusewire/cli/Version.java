// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import picocli.CommandLine.IVersionProvider;

/** Version of this build, from the jar's manifest. */
final class Version implements IVersionProvider {
  static String text() {
    String version = Version.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public String[] getVersion() {
    return new String[] {"fusewire " + text()};
  }
}
