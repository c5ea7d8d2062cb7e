# SPDX-License-Identifier: Apache-2.0
#
# The Java runtime of a bundle: only the modules that are needed, without what a host without a screen has no use for,
# and with the shared libraries beside it that the JDK takes from its system. Sourced by ./fusewire for `bundle`.

# java.desktop reads images and draws plots; jdk.unsupported is JavaCPP's way to native memory; JUnit looks into jars by
# jdk.zipfs; tests see by jdk.management what a thread allocates.
runtime_modules=java.base,java.desktop,java.logging,java.management,jdk.management,jdk.unsupported,jdk.zipfs

# Packages of which nothing is ever called: Swing, printing, sound and X11, and the XML parsers, which nothing parses
# with. They are a third of the runtime. But plots have one of Swing's interfaces in a signature.
unused_packages='^(java[.]xml/com/sun/(org/apache/(xalan|xerces|bcel|xml|xpath)|java_cup|xml)/|java[.]desktop/(com/sun/(java/swing|media/sound|swing)|sun/(swing|print|awt/X11|java2d/(opengl|xr))|javax/(swing|sound|print))/)'
needed_class=java.desktop/javax/swing/Icon.class
unused_libraries='awt_xawt jawt jsound splashscreen'

require_jlink() {
  [ -x "$JAVA_HOME/bin/jlink" ] ||
    fail "bundle: $JAVA_HOME has no jlink; install a whole JDK (Debian: default-jdk-headless) or set JAVA_HOME to one"
}

# Prints jlink's patterns for the unused packages. A module's packages have to be there, so of each one class stays.
unused_classes() {
  "$JAVA_HOME/bin/jimage" list "$JAVA_HOME/lib/modules" | awk -v unused="$unused_packages" -v needed="$needed_class" '
    /^Module: / { module = $2; next }
    NF != 1 || $1 !~ /[.]class$/ { next }
    {
      path = module "/" $1
      if (path !~ unused) next
      at = match(path, /\/[^\/]*$/)
      package = substr(path, 1, at - 1)
      file = substr(path, at + 1)
      if (path == needed || !(package in kept)) kept[package] = file
    }
    END {
      for (package in kept) {
        file = kept[package]
        gsub(/[$.]/, "\\\\&", file)
        gsub(/[.]/, "\\.", package)
        print "regex:/" package "/(?!" file ")[^/]*"
      }
    }'
}

make_runtime() { # bundle's folder
  local log=$logs/bundle-jlink.log patterns=$root/build/unused-classes.txt compress=2 library files=
  unused_classes > "$patterns"
  for library in $unused_libraries; do files=$files,glob:/java.desktop/lib/lib$library.so; done
  # From Java 21 on the levels have names.
  if [ "$(jdk_version "$JAVA_HOME")" -ge 21 ]; then compress=zip-9; fi
  "$JAVA_HOME/bin/jlink" --add-modules "$runtime_modules" --strip-debug --no-header-files --no-man-pages \
    "--compress=$compress" "--exclude-resources=@$patterns" \
    "--exclude-files=${files#,}" --output "$1/runtime" > "$log" 2>&1 < /dev/null ||
    fail_with_log "jlink could not make the runtime" "$log"
  find "$1/runtime" -name '*.so' -exec strip --strip-unneeded {} +
  chmod -R u+w "$1/runtime"
  mv "$1/runtime/legal" "$1/legal"
  copy_system_libraries "$1"
}

# A distribution's JDK uses its shared libraries (libjpeg, liblcms2), which another host may not have. What is copied
# into runtime/lib is found there, for bin/java has that folder as its run path. glibc and g++'s library stay the host's:
# this system's may need newer ones than the host has.
copy_system_libraries() { # bundle's folder
  local library path
  while read -r library path; do
    case $library in
      ld-linux* | libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | linux-vdso*) continue ;;
      libstdc++.so.* | libgcc_s.so.*) continue ;;
      # Only text in plots needs these, which are as large as all others together; a host without them has no plots.
      libharfbuzz* | libfreetype* | libglib* | libgraphite2* | libpcre* | libpng* | libbrotli*) continue ;;
    esac
    [ -e "$1/runtime/lib/$library" ] && continue
    cp -L "$path" "$1/runtime/lib/$library"
    strip --strip-unneeded "$1/runtime/lib/$library"
    copy_licence "$path" "$1/legal"
  done < <(find "$1/runtime/lib" -name '*.so' -exec ldd {} + 2> /dev/null |
    awk '$2 == "=>" && $3 ~ /^\// && index($3, "'"$1"'") != 1 { print $1, $3 }' | sort -u)
}

# Debian keeps a package's licence beside its documentation.
copy_licence() { # library, folder
  local package
  # A package may still list /lib where that is a link to /usr/lib.
  package=$({ dpkg -S "$1" || dpkg -S "$(readlink -f "$1")"; } 2> /dev/null | head -n 1 | cut -d: -f1 || true)
  if [ -n "$package" ] && [ -f "/usr/share/doc/$package/copyright" ]; then
    cp "/usr/share/doc/$package/copyright" "$2/$package.txt"
  fi
}

# The newest glibc that any library in a folder asks for.
needed_glibc() { # folder
  find "$1" -name '*.so*' -exec objdump -T {} + 2> /dev/null | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -V -u | tail -n 1
}
