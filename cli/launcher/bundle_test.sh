#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a bundle for the CPU in build/ and uses it as on a host that has nothing: an empty environment, a path with three
# programs, a folder that cannot be written to, a call through a link from elsewhere. Prints what is wrong and fails.

set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
work=$root/build/bundle-test
bundle=$work/bundle
most_bytes=60000000
# shellcheck source=tools.sh
. "$root/cli/launcher/tools.sh"

wrong() {
  echo "bundle: $*" >&2
  exit 1
}

# Runs the bundle's command in an empty environment, from another folder, through a link.
there() { # arguments...
  (cd "$work/elsewhere" && /usr/bin/env -i PATH="$work/bin" FUSEWIRE_CACHE="$work/cache" \
    ../link "$@" 2>&1 < /dev/null)
}

# Fails unless the last command's text has a pattern.
expect() { # pattern, text
  grep -qE -- "$1" <<< "$2" || wrong "expected '$1' in: $2"
}

rm -rf "$work"
mkdir -p "$work/elsewhere" "$work/mine" "$work/bin"
ln -s "$(command -v sh)" "$(command -v readlink)" "$(command -v id)" "$work/bin/"
echo precious > "$work/mine/file"

# What is the user's is not touched.
if text=$("$root/fusewire" bundle "$work/mine" --arch none 2>&1); then wrong "a folder with files was taken"; fi
expect 'has files in it and is no bundle' "$text"
[ "$(cat "$work/mine/file")" = precious ] || wrong "a user's file is gone"
code=0
text=$("$root/fusewire" bundle "$bundle" --arch sm_x 2>&1) || code=$?
[ $code = 2 ] || wrong "exit code $code for --arch sm_x"
expect "a list such as sm_80,sm_90 fits" "$text"

made=$("$root/fusewire" bundle "$bundle" --arch none)
[ "$made" = "$bundle" ] || wrong "printed '$made', not $bundle"
bytes=$(find "$bundle" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d\n", sum }')
echo "bundle: $bytes bytes"
[ "$bytes" -lt $most_bytes ] || wrong "$bytes bytes; less than $most_bytes fit"

chmod -R a-w "$bundle"
trap 'chmod -R u+w "$bundle"' EXIT
ln -s "$bundle/fusewire" "$work/link"

expect '^java +[0-9.]+, .*/bundle/runtime$' "$(there doctor)"

text=$(there test --device cpu 'DepthwiseConv*' --only tests,golden,repeat --repeats 2)
expect '^fusewire test: device=cpu .* passed=[1-9][0-9]* failed=0 golden=([1-9][0-9]*)/\1 repeat=2/2 .* result=passed$' "$text"
expect 'bit for bit' "$text"
code=0
text=$(there test --device cuda:99) || code=$?
[ $code = 1 ] || wrong "exit code $code where the device is not there"
expect '^fusewire test: No device "cuda:99"' "$text"

# JPEG and PNG, of two colours.
cat > "$work/Pictures.java" << 'END'
import java.awt.image.BufferedImage;
import java.io.File;
import javax.imageio.ImageIO;

class Pictures {
  public static void main(String[] folder) throws Exception {
    for (String name : new String[] {"train/red", "train/blue", "val/red", "val/blue"}) {
      for (int i = 0; i < 8; i++) {
        BufferedImage image = new BufferedImage(32, 32, BufferedImage.TYPE_INT_RGB);
        for (int p = 0; p < 1024; p++) {
          image.setRGB(p % 32, p / 32, (name.endsWith("red") ? 0xC00000 : 0xC0) + p * 31 % 64 * 0x10101);
        }
        String type = i % 2 == 0 ? "jpg" : "png";
        File file = new File(folder[0], name + "/" + i + "." + type);
        file.getParentFile().mkdirs();
        ImageIO.write(image, type, file);
      }
    }
  }
}
END
find_jdk
"$JAVA_HOME/bin/java" "$work/Pictures.java" "$work/pictures"
text=$(there train --data ../pictures --resolution 32 --batch 8 --epochs 1 --samples 2 --device cpu --out run)
expect '^test accuracy ' "$text"
expect '^model +run/model.safetensors$' "$text"
# Where a host can draw text, the runtime has what it takes.
if ldconfig -p | grep -q libharfbuzz && [ -n "$(fc-list 2> /dev/null)" ]; then
  expect '^curve +run/curve.png$' "$text"
fi
text=$(there predict run ../pictures/val/red/0.jpg ../pictures/val/blue/1.png)
expect '^ +[0-9.]+ %  (red|blue)$' "$text"
if text=$(there train --out none); then wrong "trained without data"; fi
expect 'npm, which is not installed' "$text"

text=$(there bench ops b0:stage6/dw --operations forward --rounds 2 --batch 1)
expect 'b0:stage6/dw' "$text"

# An earlier bundle is replaced, unless there is something of the user's in it.
chmod -R u+w "$bundle"
mkdir "$bundle/runs"
if text=$("$root/fusewire" bundle "$bundle" --arch none 2>&1); then wrong "a bundle with runs in it was replaced"; fi
expect 'runs is not of it' "$text"
rmdir "$bundle/runs"
"$root/fusewire" bundle "$bundle" --arch none --no-tests > /dev/null
[ ! -e "$bundle/lib/tests" ] || wrong "--no-tests has tests"
expect '^native library ' "$(there doctor)"
[ -z "$(find "$work" -maxdepth 1 -name '*.partial*')" ] || wrong "a partial bundle is left"
rm -rf "$work"
trap - EXIT
echo "bundle: ok"
