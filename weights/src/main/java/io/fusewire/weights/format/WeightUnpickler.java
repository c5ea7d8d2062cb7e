// SPDX-License-Identifier: Apache-2.0
package io.fusewire.weights.format;

import io.fusewire.io.FileFormatException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import net.razorvine.pickle.Opcodes;
import net.razorvine.pickle.Unpickler;

/**
 * Reads pickles of weights. A name in it is one of {@link TorchObjects} or the file is refused, and
 * nothing but dictionaries, lists, tuples, numbers, texts and tensors comes out. Work and memory
 * are bounded by the file's size: lengths are checked before anything is allocated, operations are
 * counted, and those whose cost can grow faster than their number are done here or refused.
 */
final class WeightUnpickler extends Unpickler {
  /**
   * A tensor takes some thirty; a thousand layers with optimizer state and averages fit ten times.
   */
  private static final int MAX_OPERATIONS = 2_000_000;

  private final Path file;
  private final PickleStream pickle;

  private final Consumer<TorchObjects.Storage> storages;
  private int operations;

  private WeightUnpickler(Path file, PickleStream pickle, Consumer<TorchObjects.Storage> storages) {
    this.file = file;
    this.pickle = pickle;
    this.storages = storages;
  }

  /** Reads the pickle that comes next, and tells of every storage in it. */
  static Object read(Path file, PickleStream pickle, Consumer<TorchObjects.Storage> storages)
      throws IOException {
    try {
      return new WeightUnpickler(file, pickle, storages).load(pickle);
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // Failed casts and empty stacks: what the operations need of each other is not there.
      throw new FileFormatException(file, "its pickle is damaged: " + e.getMessage(), e);
    }
  }

  @Override
  protected Object persistentLoad(Object identity) {
    TorchObjects.Storage storage = TorchObjects.storage(identity);
    storages.accept(storage);
    return storage;
  }

  @Override
  protected Object dispatch(short operation) throws IOException {
    if (++operations > MAX_OPERATIONS) {
      throw new FileFormatException(
          file, "its pickle has more than %d operations".formatted(MAX_OPERATIONS));
    }
    switch (operation) {
      case Opcodes.GLOBAL -> push(pickle.line(), pickle.line());
      case Opcodes.STACK_GLOBAL -> {
        String name = (String) stack.pop();
        push((String) stack.pop(), name);
      }
      case Opcodes.BUILD -> stack.pop();
      case Opcodes.EMPTY_DICT -> stack.add(new LinkedHashMap<>());
      case Opcodes.EMPTY_SET -> stack.add(TorchObjects.INERT);
      case Opcodes.FROZENSET -> {
        stack.pop_all_since_marker();
        stack.add(TorchObjects.INERT);
      }
      case Opcodes.ADDITEMS, Opcodes.POP_MARK -> stack.pop_all_since_marker();
      case Opcodes.DICT -> {
        List<Object> items = stack.pop_all_since_marker();
        Map<Object, Object> dictionary = new LinkedHashMap<>();
        put(dictionary, items);
        stack.add(dictionary);
      }
      case Opcodes.SETITEM -> {
        Object value = stack.pop();
        Object key = stack.pop();
        put(stack.peek(), Arrays.asList(key, value));
      }
      case Opcodes.SETITEMS -> {
        List<Object> items = stack.pop_all_since_marker();
        put(stack.peek(), items);
      }
      case Opcodes.APPENDS -> {
        List<Object> items = stack.pop_all_since_marker();
        append(stack.peek(), items);
      }
      case Opcodes.BINSTRING, Opcodes.BINUNICODE, Opcodes.BINBYTES -> {
        pickle.require(pickle.peek(4));
        return super.dispatch(operation);
      }
      case Opcodes.BINUNICODE8, Opcodes.BINBYTES8, Opcodes.BYTEARRAY8 -> {
        pickle.require(pickle.peek(8));
        return super.dispatch(operation);
      }
      case Opcodes.LONG4 -> {
        if (pickle.peek(4) > 255) {
          throw new FileFormatException(file, "its pickle has a number of more than 255 bytes");
        }
        return super.dispatch(operation);
      }
      // Of protocol 0 and of classes of Python 2, which torch.save does not write.
      case Opcodes.INT,
          Opcodes.LONG,
          Opcodes.FLOAT,
          Opcodes.STRING,
          Opcodes.UNICODE,
          Opcodes.PERSID,
          Opcodes.GET,
          Opcodes.PUT,
          Opcodes.INST,
          Opcodes.OBJ,
          Opcodes.NEWOBJ_EX,
          Opcodes.NEXT_BUFFER ->
          throw new FileFormatException(
              file,
              ("its pickle has the operation '%c' (%d), which weights do not need; save with"
                      + " torch.save(model.state_dict(), ...)")
                  .formatted(operation, operation));
      default -> {
        return super.dispatch(operation);
      }
    }
    return NO_RETURN_VALUE;
  }

  private void push(String module, String name) throws FileFormatException {
    Object known = TorchObjects.named(module, name);
    if (known == null) {
      throw new FileFormatException(
          file,
          ("its pickle names %s.%s, which is none of the classes that weights are made of; nothing"
                  + " was run. Save the weights alone, with torch.save(model.state_dict(), ...)")
              .formatted(Elements.shorten(module), Elements.shorten(name)));
    }
    stack.add(known);
  }

  /**
   * What may be a dictionary's key: everything else could hold itself, and hashing would not end.
   */
  static Object key(Object key) {
    if (key == null
        || key instanceof String
        || key instanceof Boolean
        || key instanceof Integer
        || key instanceof Long
        || key instanceof Double
        || key instanceof BigInteger) {
      return key;
    }
    return new Object[] {key};
  }

  private static void put(Object dictionary, List<Object> items) {
    if (dictionary == TorchObjects.INERT) {
      return;
    }
    @SuppressWarnings("unchecked")
    Map<Object, Object> map = (LinkedHashMap<Object, Object>) dictionary;
    for (int i = 0; i < items.size(); i += 2) {
      map.put(key(items.get(i)), items.get(i + 1));
    }
  }

  private static void append(Object list, List<Object> items) {
    if (list == TorchObjects.INERT) {
      return;
    }
    @SuppressWarnings("unchecked")
    List<Object> target = (ArrayList<Object>) list;
    target.addAll(items);
  }
}
