// SPDX-License-Identifier: Apache-2.0
package io.fusewire.cli;

import io.fusewire.ops.FusewireException;
import io.fusewire.train.RunLostException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns exceptions into one line on stderr and an exit code. */
final class Errors {
  private Errors() {}

  /** A command threw: exit code 1. */
  static int executionFailed(Exception exception, CommandLine line, ParseResult parsed) {
    PrintWriter err = line.getErr();
    err.println(command(line) + ": " + message(exception));
    if (exception instanceof RunLostException lost && lost.checkpoint() != null) {
      String program = System.getProperty("fusewire.command", "fusewire");
      err.println("go on with:");
      err.println("  " + program + " train --resume " + lost.checkpoint().getParent());
    }
    if (stacktrace(line)) {
      exception.printStackTrace(err);
    } else if (!expected(exception)) {
      err.println("This looks like a bug. The same command with --stacktrace shows where.");
    }
    return line.getCommandSpec().exitCodeOnExecutionException();
  }

  /** The arguments are wrong: exit code 2. */
  static int usageWrong(ParameterException exception, String[] arguments) {
    CommandLine line = exception.getCommandLine();
    PrintWriter err = line.getErr();
    err.println(command(line) + ": " + exception.getMessage());
    UnmatchedArgumentException.printSuggestions(exception, err);
    if (exception.getCause() != null && stacktrace(line)) {
      exception.printStackTrace(err);
    }
    err.println("Try '" + line.getCommandSpec().qualifiedName() + " --help'.");
    return line.getCommandSpec().exitCodeOnInvalidInput();
  }

  private static String command(CommandLine line) {
    return line.getCommandSpec().qualifiedName();
  }

  private static boolean stacktrace(CommandLine line) {
    CommandLine root = line;
    while (root.getParent() != null) {
      root = root.getParent();
    }
    return root.getCommand() instanceof FusewireCommand command && command.stacktrace();
  }

  /** Whether an exception is how the library reports wrong input or the machine's limits. */
  private static boolean expected(Throwable exception) {
    return exception instanceof IllegalArgumentException
        || exception instanceof FusewireException
        || exception instanceof IOException
        || exception instanceof UncheckedIOException;
  }

  /** The sentence that a user sees. */
  static String message(Throwable exception) {
    if (exception instanceof UncheckedIOException wrapped) {
      return message(wrapped.getCause());
    }
    if (exception instanceof FileSystemException file) {
      return fileMessage(file);
    }
    String message = exception.getMessage();
    return message == null || message.isBlank() ? exception.getClass().getSimpleName() : message;
  }

  /** The JDK's file exceptions have the path alone as their message. */
  private static String fileMessage(FileSystemException exception) {
    String path = exception.getFile();
    if (exception instanceof NoSuchFileException) {
      return "there is no file " + path;
    }
    if (exception instanceof AccessDeniedException) {
      return "no permission for " + path;
    }
    if (exception instanceof FileAlreadyExistsException) {
      return path + " exists already";
    }
    if (exception instanceof NotDirectoryException) {
      return path + " is not a folder";
    }
    return exception.getReason() == null
        ? String.valueOf(path)
        : path + ": " + exception.getReason();
  }
}
