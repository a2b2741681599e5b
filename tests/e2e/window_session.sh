#!/bin/bash
# A desktop for the journey: window manager and accessibility bus, which has to be there first.
set -u
export QT_LINUX_ACCESSIBILITY_ALWAYS_ON=1
for _ in $(seq 5); do
    openbox 2>/dev/null &
    sleep 0.5
    kill -0 $! 2>/dev/null && break
done
for launcher in /usr/libexec/at-spi-bus-launcher /usr/lib/at-spi2-core/at-spi-bus-launcher; do
    if [ -x "$launcher" ]; then "$launcher" --launch-immediately & break; fi
done
for _ in $(seq 100); do
    dbus-send --session --print-reply --dest=org.a11y.Bus /org/a11y/bus \
        org.a11y.Bus.GetAddress >/dev/null 2>&1 && break
    sleep 0.1
done
exec "$@"
